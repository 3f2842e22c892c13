"""What the border costs: the magnitude of a million float32 values, from a bare C loop to a Python function.

    bare C loop        compiled here, called directly: the floor
    pare_score, C      the magnitude plugin through the C interface
    pare.score         the same through the Python package (ctypes and numpy)
    plain C function   the bare loop as a criterion, registered from a JSON description (libffi), through the package
    Python criterion   numpy's abs as a criterion, through the package

Each C run and the Python ways take turns; the C program reports the median of its own calls.
"""

import importlib
import json
import os
import statistics
import sys

import bench

try:
    import numpy as np
except ImportError as missing:
    sys.exit(f"abi_cost: {missing}; see Benchmarks/README.md")

DESCRIPTION = {  # docs/plain-functions.md
    "id": "bench-magnitudes",
    "symbol": "magnitudes",
    "arguments": [
        {"role": "weights", "type": "f32*"},
        {"role": "units", "type": "i64"},
        {"role": "elements", "type": "i64"},
        {"role": "scores", "type": "f32*"},
    ],
    "returns": {"type": "i32", "role": "status"},
    "local": True,
    "thread-safe": True,
}


def c_program(library):
    """The C program, with pare's half if the library is there."""
    if not library:
        return bench.compile_c("abi_cost.c", "abi_cost-bare", "-lm")
    folder = os.path.dirname(library)
    return bench.compile_c("abi_cost.c", "abi_cost", "-DWITH_PARE", f"-I{bench.ROOT / 'include'}", library,
                           f"-Wl,-rpath,{folder}", "-lm")


def python_ways(weights, expected):
    """{name: function} of what the Python package offers; a way that does not work is left out with a line."""
    sys.path.insert(0, str(bench.ROOT / "python"))
    try:
        pare = importlib.import_module("pare")
    except (ImportError, OSError) as missing:
        print(f"skipped: the Python package: {missing}", file=sys.stderr)
        return {}

    context = pare.Context()

    def plain():
        description = bench.DATA / "magnitudes.json"
        library = bench.compile_c("abi_cost.c", "magnitudes.so", "-shared", "-fPIC")
        description.write_text(json.dumps({**DESCRIPTION, "library": str(library)}))
        context.register_function(str(description))
        return lambda: pare.score("bench-magnitudes", weights, context=context)

    def callback():
        @pare.criterion("bench-python")
        def magnitudes(weights):
            return abs(weights)

        return lambda: pare.score("bench-python", weights)

    makers = {"pare.score, Python": lambda: lambda: pare.score("magnitude", weights, norm="l1"),
              "plain C function": plain, "Python criterion": callback}
    ways = {}
    for name, make in makers.items():
        try:
            way = make()
            if not np.array_equal(np.asarray(way()).ravel(), expected):
                sys.exit(f"abi_cost: {name} returned wrong scores")
            ways[name] = way
        except Exception as failure:  # whatever one way raises, the others are still measured
            print(f"failed: {name}: {failure}", file=sys.stderr)
    return ways


def main():
    options = bench.arguments(__doc__, runs=7)
    elements, calls = (1 << 14, 5) if options.quick else (1_000_000, 51)
    library = bench.pare_library()
    program = c_program(library)
    weights = np.random.default_rng(0).standard_normal(elements, dtype=np.float32)
    ways = python_ways(weights, np.abs(weights)) if library else {}

    seconds = {"bare C loop": []} | ({"pare_score, C": []} if library else {}) | {name: [] for name in ways}
    for _ in range(options.runs):
        inside = json.loads(bench.run([program, elements, calls])[1])
        seconds["bare C loop"].append(inside["bare"])
        if library:
            seconds["pare_score, C"].append(inside["pare_score"])
        for name, value in bench.interleave(ways, calls).items():
            seconds[name].append(value)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    floor = median["bare C loop"]
    rows = [[name, f"{1e6 * value:.1f}", f"{100 * (value / floor - 1):+.1f} %"] for name, value in median.items()]
    bench.table(f"Cost of the border: {elements} float32 values", ["way", "CPU µs", "over the bare loop"], rows)
    bench.keep("abi_cost", elements=elements, seconds=seconds)


if __name__ == "__main__":
    main()
