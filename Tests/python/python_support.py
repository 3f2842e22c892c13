"""What the tests of the Python package share. Importing it makes `import pare` find the checkout's package, unless
PARE_INSTALLED is set: then the installed one is tested."""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
if not os.environ.get("PARE_INSTALLED"):
    sys.path.insert(0, str(ROOT / "python"))

import numpy as np  # noqa: E402


def weights(*shape, seed=0, dtype=np.float32):
    """Normal numbers without ties or zeros."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def save_safetensors(path, arrays):
    """A model file written by a library that is not ours."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, str(path))
    return path


def load_safetensors(path):
    from safetensors.numpy import load_file

    return load_file(str(path))


def mappings(path):
    """Address ranges at which this process has a file mapped."""
    ranges = []
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(str(pathlib.Path(path).resolve())):
            first, last = line.split()[0].split("-")
            ranges.append(range(int(first, 16), int(last, 16)))
    return ranges


def address(array):
    return array.__array_interface__["data"][0]
