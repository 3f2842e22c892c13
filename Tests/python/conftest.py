"""What all Python tests share: where the command, the library and the data are, and how to run the command.

PARE           the command, default build/bin/pare
PARE_LIBRARY   libpare.so, default build/lib/libpare.so
PARE_SHARED    trained models and data for the tests that need them, default ../shared beside the project; these tests
               skip where it is absent
"""

import os
import pathlib
import resource
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = pathlib.Path(os.environ.get("PARE") or ROOT / "build/bin/pare")
LIBRARY = pathlib.Path(os.environ.get("PARE_LIBRARY") or ROOT / "build/lib/libpare.so")
SHARED = pathlib.Path(os.environ.get("PARE_SHARED") or ROOT.parent / "shared")

if not os.environ.get("PARE_INSTALLED"):  # else the installed package is tested
    sys.path.insert(0, str(ROOT / "python"))
if LIBRARY.is_file():
    os.environ.setdefault("PARE_LIBRARY", str(LIBRARY))


# scripts/sanitize.sh: the shadow memory of a sanitizer does not fit any limit, and its runtime replaces malloc and signals.
SANITIZED = "PARE_SANITIZE" in os.environ
not_sanitized = pytest.mark.skipif(SANITIZED, reason="a sanitizer is in the way of what this looks at")


def limited_memory(size):
    """A `preexec_fn` that limits a child's address space to `size` bytes; None under a sanitizer."""
    return None if SANITIZED else lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))


def shared_path(name):
    """A file or folder of the shared data; the test skips where it is not there."""
    path = SHARED / "data" / name
    if not path.exists():
        pytest.skip(f"{path} is not there: this test needs the shared data (set PARE_SHARED)")
    return path


@pytest.fixture(scope="session")
def shared():
    """shared("cifar10_resnet20/resnet20.onnx"): path in the shared data; skips where it is absent."""
    return shared_path


@pytest.fixture(scope="session")
def command():
    """command("prune", model, …): runs the command; returns its CompletedProcess with text output."""
    if not COMMAND.is_file():
        pytest.skip(f"{COMMAND} is not built: make build")

    environment = {name: value for name, value in os.environ.items() if name not in ("PARE_PLUGIN_PATH", "NO_COLOR")}

    def run(*words, timeout=60, **options):
        options.setdefault("env", environment)
        return subprocess.run(
            [str(COMMAND), *map(str, words)], capture_output=True, text=True, timeout=timeout, **options
        )

    return run


@pytest.fixture
def write(tmp_path):
    """write(model): saves an ONNX ModelProto, or its bytes, and returns its path; onnx's checker looks at it first."""

    def save(model, name="model.onnx", check=True):
        path = tmp_path / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        if check:
            pytest.importorskip("onnx").checker.check_model(str(path))
        return path

    return save


# Exit codes of the command (docs/command.md).
ARGUMENT, DATA, RESOURCE, PLUGIN, NOTHING = 2, 3, 4, 5, 6


def listing(folder):
    """Everything below a folder: kind, size and contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        regular = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(folder))] = path.read_bytes() if regular else path.is_dir()
    return found


@pytest.fixture
def refused(command, tmp_path):
    """refused(code, "prune", …, says=[…]): the command fails with this code and these texts, and writes nothing."""

    def run(code, *words, says=(), watch=tmp_path, **options):
        before = listing(watch)
        done = command(*words, cwd=tmp_path, **options)
        assert done.returncode == code, f"exit code {done.returncode}, not {code}\n{done.stdout}{done.stderr}"
        assert done.stdout == ""
        assert done.stderr.startswith("pare: error: ")
        for text in says:
            assert text in done.stderr, f"{text!r} is not in:\n{done.stderr}"
        assert listing(watch) == before, "something was written"
        return done.stderr

    return run


# What a script for `isolated` puts first on its path: the package and the modules beside this file.
PATHS = [str(ROOT / "python"), str(ROOT / "Tests/python")]


def isolated(tmp_path, script):
    """Run Python in a process of its own, so that a crash is a failed test and not the end of all."""
    environment = {**os.environ, "PARE_LIBRARY": str(LIBRARY)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=600, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0 and done.stdout.endswith("done\n"), (
        f"exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    )
