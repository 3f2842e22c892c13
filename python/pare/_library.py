"""Finds and opens libpare, and declares its functions to ctypes."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import List, Tuple

from ._abi import PARE_ABI_MAJOR, PROTOTYPES

_PACKAGE = Path(__file__).resolve().parent


def candidates() -> List[Tuple[str, Path]]:
    """Where libpare is looked for, in order, each with the reason. PARE_LIBRARY alone counts where it is set."""
    named = os.environ.get("PARE_LIBRARY")
    if named:
        return [("PARE_LIBRARY", Path(named))]
    return [
        ("this package", _PACKAGE / "_lib" / "libpare.so"),
        ("the source checkout", _PACKAGE.parent.parent / "build" / "lib" / "libpare.so"),
    ]


def find() -> Path:
    """Path of the library. Raises ImportError naming every place that was tried."""
    for _, path in candidates():
        if path.is_file():
            return path
    tried = "\n".join(f"  {path} ({reason})" for reason, path in candidates())
    raise ImportError(
        f"libpare.so was not found. Tried:\n{tried}\n"
        "Run `make build` in a source checkout, install a wheel, or set PARE_LIBRARY to the file."
    )


def load() -> ctypes.CDLL:
    """Open the library, check its interface version and declare every function.

    CDLL and not PyDLL: the library calls back from threads of its own, so the GIL must be free during a call.
    """
    path = find()
    try:
        library = ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        raise ImportError(f"{path} cannot be loaded: {error}") from error
    missing = [name for name in PROTOTYPES if not hasattr(library, name)]
    if missing:
        raise ImportError(f"{path} lacks {', '.join(missing)}: it is not the libpare of this package's version")
    for name, (result, arguments) in PROTOTYPES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    major, minor = ctypes.c_uint32(), ctypes.c_uint32()
    library.pare_abi_version(ctypes.byref(major), ctypes.byref(minor))
    if major.value != PARE_ABI_MAJOR:
        raise ImportError(
            f"{path} has interface version {major.value}.{minor.value}, this package needs {PARE_ABI_MAJOR}.x"
        )
    return library


path = find()
lib = load()
