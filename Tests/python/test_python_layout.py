"""The package's ctypes structs and prototypes are those of the headers."""

import ctypes
import re

import pytest
from python_support import ROOT

from pare import _abi
from pare._library import lib

GOLDEN = [line.split() for line in (ROOT / "Tests/abi/layout.golden").read_text().splitlines()]
SYMBOLS = (ROOT / "Tests/abi/symbols.golden").read_text().split()
HEADERS = {path.name: path.read_text() for path in (ROOT / "include/pare").rglob("*.h")}

# What only plugins see. The package has no use for these.
PLUGIN_SIDE = {"allocator.h", "criterion.h", "estimator.h", "metric.h", "penalty.h", "recipe.h", "solver.h", "plugin.h",
               "services.h"}  # fmt: skip


def golden_structs():
    found = {}
    for name, *numbers in GOLDEN:
        struct, _, member = name.partition(".")
        found.setdefault(struct, []).append((member, *map(int, numbers)))
    return found


@pytest.mark.parametrize("name", golden_structs())
def test_struct(name):
    struct = getattr(_abi, name, None)
    if struct is None:
        owners = {header for header, text in HEADERS.items() if re.search(rf"^struct {name} {{|^}} {name};", text, re.M)}
        assert owners and owners <= PLUGIN_SIDE, f"{name} of {owners} is missing in pare._abi"
        return
    places = [(field[0], getattr(struct, field[0]).offset, getattr(struct, field[0]).size) for field in struct._fields_]
    assert [*places, ("", ctypes.sizeof(struct))] == golden_structs()[name]


def test_symbols():
    assert sorted(_abi.PROTOTYPES) == SYMBOLS
    for name in SYMBOLS:
        assert getattr(lib, name).argtypes is not None


@pytest.mark.parametrize("name", SYMBOLS)
def test_prototype(name):
    """Result and number and kind of arguments, against the text of the header."""
    text = re.sub(r"/\*.*?\*/", "", "\n".join(HEADERS.values()), flags=re.S)
    result, arguments = re.search(rf"PARE_API ([\w \*]+?)\b{name}\(([^;]*)\);", text, re.S).groups()
    arguments = [] if arguments.strip() == "void" else [argument.strip() for argument in arguments.split(",")]
    made_result, made = _abi.PROTOTYPES[name]
    assert kind(result.strip() + " ") == kind_of(made_result)
    assert [kind(argument) for argument in arguments] == [kind_of(argument) for argument in made]


def kind(declaration):
    if "*" in declaration or "_fn " in declaration:
        return "pointer"
    return declaration.replace("const ", "").split()[0]


def kind_of(made):
    if made is None:
        return "void"
    if made in (ctypes.c_void_p, ctypes.c_char_p) or hasattr(made, "contents"):
        return "pointer"
    scalars = {ctypes.c_int32: "int32_t", ctypes.c_uint32: "uint32_t", ctypes.c_int64: "int64_t",
               ctypes.c_double: "double"}  # fmt: skip
    return scalars[made]


@pytest.mark.parametrize("macro", sorted(name for name in vars(_abi) if re.match(r"PARE_[A-Z_]+$", name)))
def test_constant(macro):
    found = re.findall(rf"#define {macro} (\d+)u?\b", "\n".join(HEADERS.values()))
    if macro == "PARE_DEVICE_CPU":
        assert "type 1 = CPU" in HEADERS["tensor.h"]
    else:
        assert found == [str(getattr(_abi, macro))]


@pytest.mark.parametrize(
    "prefix, names, values",
    [
        ("PARE_ROLE_", _abi.ROLES, range(100)),
        ("PARE_GRANULARITY_", _abi.GRANULARITIES, range(100)),
        ("PARE_REMAINDER_", _abi.REMAINDERS, range(100)),
        ("PARE_NEED_", _abi.NEEDS, [1 << bit for bit in range(32)]),
        ("PARE_FLAG_", _abi.FLAGS, [1 << bit for bit in range(32)]),
    ],
)
def test_names(prefix, names, values):
    found = re.findall(rf"#define {prefix}(\w+) (\d+)u?\b", "\n".join(HEADERS.values()))
    assert [(name.lower().replace("_", "-"), int(value)) for name, value in found] == list(zip(names, values))


def test_formats_and_kinds():
    text = "\n".join(HEADERS.values())
    formats = {int(value): name.lower().replace("_", "-") for name, value in re.findall(r"#define PARE_FORMAT_(\w+) (\d+)", text)}
    assert _abi.FORMATS == {0: "memory", **formats}
    assert re.findall(r'#define PARE_KIND_\w+ "pare\.(\w+)/1"', text) == [
        "criterion", "allocator", "penalty", "solver", "recipe", "metric", "estimator"
    ]  # fmt: skip
    assert set(_abi.KINDS) == set(re.findall(r'"pare\.(\w+)/1"', HEADERS["plugin.h"]))
