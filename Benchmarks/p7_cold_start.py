"""Cold start: from nothing to a prompt again. The pare command against importing what a Python tool imports first."""

import sys

import bench

MODULES = ("torch", "onnxsim", "onnx", "onnxruntime", "numpy")


def main():
    options = bench.arguments(__doc__, runs=15)
    contestants = {}
    if pare := bench.pare_command():
        contestants = {"pare --version": [pare, "--version"], "pare plugins": [pare, "plugins"]}
    contestants["python -c pass"] = [sys.executable, "-c", "pass"]
    for module in MODULES:
        if bench.has_module(module):
            contestants[f"import {module}"] = [sys.executable, "-W", "ignore", "-c", f"import {module}"]
        else:
            print(f"skipped: {module} is not installed", file=sys.stderr)
    bench.contest(contestants, 1)  # fills the page cache and Python's byte-code cache
    samples = bench.contest(contestants, options.runs)
    rows = [[name, f"{1e3 * bench.median(runs, 'wall'):.1f}", f"{1e3 * bench.median(runs, 'cpu'):.1f}",
             f"{bench.median(runs, 'rss'):.1f}"] for name, runs in samples.items()]
    ours = samples.get("pare plugins")
    best = bench.ratio(ours and bench.median(ours, "wall"),
                       [bench.median(runs, "wall") for name, runs in samples.items() if name.startswith("import")])
    bench.table("Cold start", ["command", "wall ms", "CPU ms", "peak RSS MB"], rows,
                [f"Fastest import's wall time over that of `pare plugins`: {best}"])
    bench.keep("p7", samples=samples, ratio=best)


if __name__ == "__main__":
    main()
