"""What every benchmark here shares: run a command and weigh it, interleave contestants, print and keep the result.

Figures are medians over interleaved runs, A B C A B C …, so a change of the machine's mood meets all of them alike.
Cost is CPU time, user and system, on one processor; wall time is kept beside it. No figure decides whether anything
passes.

Standard library only: a script that measures peak memory leaves numpy and torch to its children.
"""

import argparse
import dataclasses
import functools
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
DATA = HERE / "data"  # inputs, outputs and raw results; ignored by git
ONE_THREAD = dict.fromkeys(("THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class Failed(Exception):
    """A measured command ended with a status other than 0."""


@dataclasses.dataclass
class Sample:
    """One run. `work` is the CPU time of the task alone where the command reports it, without start and imports."""

    wall: float
    cpu: float
    rss: float  # peak, MB
    work: float | None = None


def arguments(description, runs=5):
    """The options that every script has, and one processor and one thread for it and its children."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, one run: checks the script only")
    parser.add_argument("--runs", type=int, default=runs, help="interleaved runs (default %(default)s)")
    options = parser.parse_args()
    if options.quick:
        options.runs = 1
    DATA.mkdir(exist_ok=True)
    os.environ.update(ONE_THREAD)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return options


def pare_command():
    """The command under test, or None with a line that says so."""
    return _present("PARE", ROOT / "build/bin/pare", "the command")


def pare_library():
    """libpare.so, or None with a line that says so."""
    return _present("PARE_LIBRARY", ROOT / "build/lib/libpare.so", "the library")


def _present(variable, default, what):
    path = shutil.which(os.environ.get(variable) or str(default)) or os.environ.get(variable) or str(default)
    if pathlib.Path(path).is_file():
        return str(pathlib.Path(path).resolve())
    print(f"skipped: pare's half, {what} is not at {path} (set {variable})", file=sys.stderr)
    return None


def has_module(name):
    """Whether the running Python could import `name`, without importing it here."""
    import importlib.util

    return importlib.util.find_spec(name) is not None


@functools.cache
def compile_c(source, output, *flags):
    """Build one C file with $CC (cc), once a process; returns the path of the output."""
    output = DATA / output
    subprocess.run([os.environ.get("CC", "cc"), "-O3", str(HERE / source), *flags, "-o", str(output)], check=True)
    return output


def run(command):
    """Run `command` once; returns (Sample, its standard output). A last line {"work": s} fills Sample.work."""
    launcher = compile_c("measure.c", "measure")
    with tempfile.NamedTemporaryFile("r", dir=DATA) as figures:
        child = subprocess.run([str(launcher), figures.name, *map(str, command)], stdout=subprocess.PIPE, text=True)
        fields = figures.read().split()
    if child.returncode or len(fields) != 5 or fields[0] != "0":
        raise Failed(f"status {fields[0] if fields else child.returncode} from: {' '.join(map(str, command))}")
    wall, user, system, rss = map(float, fields[1:])
    return Sample(wall, user + system, rss / 1024, _reported(child.stdout).get("work")), child.stdout


def _reported(output):
    lines = output.strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        return {}
    try:
        return json.loads(lines[-1])
    except json.JSONDecodeError:
        return {}


def itself(script, *words):
    """The command that runs a benchmark's own file again as a child: peers, generators and checks live beside it."""
    return [sys.executable, "-W", "ignore", str(script), *map(str, words)]


def is_child():
    """True where the file was started through `itself`: its first word names a task, not an option."""
    return len(sys.argv) > 1 and not sys.argv[1].startswith("-")


def contest(contestants, runs, before=None):
    """Run {name: command} interleaved, `before(name)` ahead of each; returns {name: [Sample]} of those that work."""
    samples = {name: [] for name in contestants}
    for _ in range(runs):
        for name, command in contestants.items():
            if name not in samples:
                continue
            if before:
                before(name)
            try:
                samples[name].append(run(command)[0])
            except Failed as failure:
                print(f"failed: {name}: {failure}", file=sys.stderr)
                del samples[name]
    return samples


def median(samples, field):
    """Median of one field over the runs, None where the command does not report it."""
    values = [getattr(sample, field) for sample in samples]
    return None if None in values else statistics.median(values)


def interleave(functions, runs, clock=time.process_time):
    """Time {name: function} in this process, interleaved, after one untimed call each; median seconds by name."""
    times = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(runs):
        for name, function in functions.items():
            begin = clock()
            function()
            times[name].append(clock() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def ratio(ours, peers):
    """'12.3 x' against the best peer, '-' where one side is missing. All are costs: smaller is better."""
    peers = [peer for peer in peers if peer]
    return f"{min(peers) / ours:.1f} x" if ours and peers else "-"


def number(value, digits=2):
    """A figure for a table: '-' for None, text as it is."""
    return "-" if value is None else value if isinstance(value, str) else f"{value:.{digits}f}"


def table(title, header, rows, notes=()):
    """Print a Markdown table and append it to $BENCH_RESULTS if that is set."""
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    line = lambda cells: "| " + " | ".join(str(c).ljust(w) for c, w in zip(cells, widths)) + " |"
    lines = [f"## {title}", "", line(header), line(["-" * w for w in widths]), *map(line, rows)]
    text = "\n".join(lines + (["", *notes] if notes else [])) + "\n"
    print("\n" + text, end="", flush=True)
    if results := os.environ.get("BENCH_RESULTS"):
        with open(results, "a") as file:
            file.write("\n" + text)


def keep(benchmark, **record):
    """Append one JSON line with the time and the machine to data/<benchmark>.jsonl."""
    where = dict(time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), machine=machine(), benchmark=benchmark)
    with open(DATA / f"{benchmark}.jsonl", "a") as file:
        file.write(json.dumps({**where, **record}, default=dataclasses.asdict) + "\n")


def machine():
    """Processor and system in one line."""
    model = platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), model)
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} processors, {platform.system()} {platform.machine()}"


def heading():
    """The head of RESULTS.md: when, where, with what, and how the figures are to be read."""
    from importlib import metadata

    versions = [f"Python {platform.python_version()}"]
    for name in ("numpy", "torch", "safetensors", "onnx", "onnxruntime", "onnxsim"):
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            pass
    quick = "\n**Quick mode: small sizes, one run. These figures check the scripts and measure nothing.**\n"
    print(f"""# Results

{time.strftime("%-d %B %Y", time.gmtime())}, {machine()}. {", ".join(versions)}.
Command: `{" ".join(["Benchmarks/run.sh", *sys.argv[1:]])}`
{quick if "--quick" in sys.argv else ""}
Medians over interleaved runs. CPU time is user and system, on one processor and one thread; peak RSS counts pages of
mapped files. Ratios are the best peer's figure over pare's: above 1, pare costs less.""")


if __name__ == "__main__":
    heading()
