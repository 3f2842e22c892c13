"""The wheel holds all it needs and loads where nothing of the checkout or the toolchain can be found."""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from python_support import ROOT

pytest.importorskip("setuptools", minversion="70.1", reason="setuptools is needed to build a wheel without a network")
BUILT = ROOT / "build" / "lib"

USE = """
import numpy as np, pare
model = pare.Model.from_arrays({"w": np.ones((4, 4), np.float32)})
assert model.prune("magnitude", 0.5, allocation="erk").sparsity == 0.5
print(*{line.split()[-1] for line in open("/proc/self/maps") if "/" in line}, sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if not (BUILT / "libpare.so").is_file():
        pytest.skip(f"{BUILT}/libpare.so is not built")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "python"
    shutil.copytree(ROOT / "python", source, ignore=shutil.ignore_patterns("build", "dist", "*.egg-info", "__pycache__"))
    run = build(source, folder, PARE_BUILD_LIB=str(BUILT))
    assert run.returncode == 0, run.stdout + run.stderr
    (made,) = folder.glob("*.whl")
    return made


def build(source, folder, **environment):
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", folder, source]
    return subprocess.run(pip, env={**os.environ, **environment}, capture_output=True, text=True)


def test_tag(wheel):
    assert re.fullmatch(r"pare-[\d.]+-py3-none-manylinux_2_\d+_\w+\.whl", wheel.name)


def test_contents(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    plugins = {path.name for path in (BUILT / "pare").glob("*.pare")}
    assert "pare/_lib/libpare.so" in names and "pare/py.typed" in names
    assert {name.rpartition("/")[2] for name in names if name.endswith(".pare")} == plugins


def test_libraries_look_beside_themselves_only(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    libraries = [path for path in (tmp_path / "pare/_lib").rglob("*") if path.is_file()]
    for library in libraries:
        listing = subprocess.run(["readelf", "-dW", library], check=True, capture_output=True, text=True).stdout
        entries = [e for line in re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]", listing) for e in line.split(":")]
        assert all(entry.startswith("$ORIGIN") for entry in entries), library


def test_loads_alone(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    numpy_home = os.path.dirname(os.path.dirname(np.__file__))
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join([str(tmp_path), numpy_home])}
    run = subprocess.run([sys.executable, "-c", USE], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    ours = [path for path in run.stdout.split() if re.search(r"swift|libpare|\.pare$", path)]
    assert len(ours) >= 4
    assert all(path.startswith(str(tmp_path)) for path in ours)


def test_nothing_built(tmp_path):
    source = tmp_path / "python"
    shutil.copytree(ROOT / "python", source, ignore=shutil.ignore_patterns("build", "dist", "*.egg-info", "__pycache__"))
    run = build(source, tmp_path, PARE_BUILD_LIB=str(tmp_path / "nothing"))
    assert run.returncode != 0 and "make build" in run.stdout + run.stderr
