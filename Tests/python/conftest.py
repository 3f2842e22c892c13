"""What all Python tests share: where the command, the library and the data are, and how to run the command.

PARE           the command, default build/bin/pare
PARE_LIBRARY   libpare.so, default build/lib/libpare.so
PARE_SHARED    trained models and data for the tests that need them, default ../shared beside the project; these tests
               skip where it is absent
"""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = pathlib.Path(os.environ.get("PARE") or ROOT / "build/bin/pare")
LIBRARY = pathlib.Path(os.environ.get("PARE_LIBRARY") or ROOT / "build/lib/libpare.so")
SHARED = pathlib.Path(os.environ.get("PARE_SHARED") or ROOT.parent / "shared")

sys.path.insert(0, str(ROOT / "python"))
if LIBRARY.is_file():
    os.environ.setdefault("PARE_LIBRARY", str(LIBRARY))


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

    def run(*words, timeout=60, **options):
        return subprocess.run(
            [str(COMMAND), *map(str, words)], capture_output=True, text=True, timeout=timeout, **options
        )

    return run
