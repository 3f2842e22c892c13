"""Runs the command for the tests, and compares what it says with stored snapshots.

PARE names the command (default build/bin/pare). PARE_SNAPSHOTS=update writes the snapshots anew."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARE = os.path.abspath(os.environ.get("PARE", ROOT / "build/bin/pare"))
DIGITS = ROOT / "examples/digits"
SNAPSHOTS = Path(__file__).parent / "snapshots"

needs_command = pytest.mark.skipif(not os.path.exists(PARE), reason=f"{PARE} is not built")


def clean_environment(**changes):
    environment = {k: v for k, v in os.environ.items() if k not in ("PARE_PLUGIN_PATH", "NO_COLOR", "COLUMNS")}
    environment.update(changes)
    return environment


def pare(*arguments, cwd, rc=0, **options):
    """Runs the command in `cwd` and checks its exit code."""
    options.setdefault("env", clean_environment())
    run = subprocess.run([PARE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120, **options)
    assert run.returncode == rc, f"exit code {run.returncode}, not {rc}\n{run.stdout}\n{run.stderr}"
    if rc > 1:
        assert run.stdout == "", "an error leaves standard output empty"
        assert run.stderr.startswith("pare: error: ")
    return run


def snapshot(name, text):
    """Compares with snapshots/NAME.txt; paths and the version are replaced first."""
    text = text.replace(str(Path(PARE).resolve().parent.parent), "BUILD").replace(str(ROOT), "ROOT")
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("PARE_SNAPSHOTS") == "update":
        file.write_text(text)
    assert file.exists(), f"no snapshot {file.name}; PARE_SNAPSHOTS=update makes it"
    assert text == file.read_text()


@pytest.fixture
def work(tmp_path):
    """A folder with the digits models under short names."""
    shutil.copy(DIGITS / "digits.onnx", tmp_path)
    shutil.copy(DIGITS / "digits.safetensors", tmp_path)
    return tmp_path


def names(folder):
    return sorted(os.listdir(folder))
