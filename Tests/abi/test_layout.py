"""Layouts and exported names do not change within a major version, and C, Swift, ctypes and the headers' text agree.

After an intended change (only members added at the end, only functions added):
    python Tests/abi/headers.py layout > Tests/abi/layout.golden
    python Tests/abi/headers.py symbols > Tests/abi/symbols.golden
"""

import ctypes
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import headers  # noqa: E402

INCLUDE = headers.ROOT / "include"
GOLDEN = (HERE / "layout.golden").read_text().splitlines()


def generate(language, target):
    command = [sys.executable, HERE / "gen_layout.py", language]
    target.write_text(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return target


def output_of(program):
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()


def test_text_agrees():
    lines, holes = headers.layout()
    assert lines == GOLDEN
    assert holes == [], "padding hides members that a size cannot tell apart: add reserved members"


def test_c_agrees(tmp_path):
    source = generate("c", tmp_path / "layout.c")
    program = tmp_path / "layout"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-std=c11", "-Wall", "-Werror", f"-I{INCLUDE}", source, "-o", program], check=True)
    assert output_of(program) == GOLDEN


def test_cxx_accepts_the_headers(tmp_path):
    compiler = shutil.which(os.environ.get("CXX", "c++")) or pytest.skip("no C++ compiler")
    (tmp_path / "a.cpp").write_text("#include <pare/pare.h>\n#include <pare/plugin.h>\nint main() { return 0; }\n")
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", f"-I{INCLUDE}"]
    subprocess.run([compiler, *flags, tmp_path / "a.cpp"], check=True)


@pytest.mark.parametrize("header", headers.header_files(), ids=lambda p: str(p.relative_to(INCLUDE)))
def test_each_header_stands_alone(header, tmp_path):
    (tmp_path / "a.c").write_text(f"#include <{header.relative_to(INCLUDE)}>\n")
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", f"-I{INCLUDE}"]
    subprocess.run([os.environ.get("CC", "cc"), *flags, tmp_path / "a.c"], check=True)


def test_swift_agrees(tmp_path):
    compiler = shutil.which("swiftc") or pytest.skip("no Swift compiler")
    source = generate("swift", tmp_path / "main.swift")
    (tmp_path / "module.modulemap").write_text(f'module CPare {{ umbrella "{INCLUDE}/pare" export * }}\n')
    program = tmp_path / "layout"
    subprocess.run([compiler, "-Onone", "-I", tmp_path, "-Xcc", f"-I{INCLUDE}", source, "-o", program], check=True)
    assert output_of(program) == GOLDEN


SCALARS = {
    "int8_t": ctypes.c_int8, "uint8_t": ctypes.c_uint8, "int16_t": ctypes.c_int16, "uint16_t": ctypes.c_uint16,
    "int32_t": ctypes.c_int32, "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
    "char": ctypes.c_char, "float": ctypes.c_float, "double": ctypes.c_double,
}  # fmt: skip


def test_ctypes_agrees():
    known, made, lines = headers.structs(), {}, {}

    def kind_of(kind):
        kind = kind.replace("const ", "").replace("struct ", "")
        if "*" in kind or kind == "function":
            return ctypes.c_void_p
        return SCALARS[kind] if kind in SCALARS else struct(kind)

    def struct(name):
        if name not in made:
            fields = [(m, kind_of(k) * length if length else kind_of(k)) for m, k, length in known[name]]
            made[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
            places = [(m, getattr(made[name], m)) for m, _ in fields]
            lines[name] = [f"{name}.{m} {p.offset} {p.size}" for m, p in places]
            lines[name].append(f"{name} {ctypes.sizeof(made[name])}")
        return made[name]

    for name in known:
        struct(name)
    assert [line for name in known for line in lines[name]] == GOLDEN


def test_symbols():
    assert headers.functions() == (HERE / "symbols.golden").read_text().split()


def test_library_exports_the_symbols_and_nothing_else():
    library = pathlib.Path(os.environ.get("PARE_LIBRARY", headers.ROOT / "build/lib/libpare.so"))
    if not library.exists():
        pytest.skip("libpare.so is not built")
    listing = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    # Version names are absolute symbols (A).
    exported = {line.split()[-1].split("@")[0] for line in listing.splitlines() if line.split()[-2] in "TDBRVW"}
    assert sorted(exported) == headers.functions()
