"""Wrong input of every kind: the command answers with the right exit code and a message that says what, where, found and
expected, and leaves no trace; the library answers with a status and never crashes."""

import json
import os
import resource
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest

from conftest import COMMAND, LIBRARY, ROOT

ARGUMENT, DATA, RESOURCE, PLUGIN, NOTHING = 2, 3, 4, 5, 6
F32 = np.arange(1, 17, dtype="<f4").tobytes()  # a 4 × 4 weight


# ---- the command, and what it must not do


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


# ---- making files, right and wrong


def varint(number):
    number &= (1 << 64) - 1
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def make_node(op, inputs, outputs, *more):
    return b"".join([text(1, i) for i in inputs] + [text(2, o) for o in outputs] + [text(4, op)] + list(more))


def make_tensor(name="w", dims=(4, 4), kind=1, data=text(9, F32)):
    return b"".join(number(1, d) for d in dims) + number(2, kind) + text(8, name) + data


def make_value(name, dims=(1, 4)):
    shape = b"".join(text(1, number(1, d)) for d in dims)
    return text(1, name) + text(2, text(1, number(1, 1) + text(2, shape)))


MATMUL = make_node("MatMul", ["x", "w"], ["y"])


def make_onnx(tensors=(make_tensor(),), nodes=(MATMUL,), opset=17, graph=b"", inputs=("x",), more=b""):
    body = b"".join(text(1, n) for n in nodes) + text(2, "g") + b"".join(text(5, t) for t in tensors)
    body += b"".join(text(11, make_value(name)) for name in inputs) + text(12, make_value("y")) + graph
    return number(1, 8) + text(7, body) + more + (text(8, number(2, opset)) if opset else b"")


def external(**entries):
    """A weight whose data is in another file."""
    fields = b"".join(text(13, text(1, key) + text(2, str(value))) for key, value in entries.items())
    return make_onnx([make_tensor(data=fields + number(14, 1))])


def make_safetensors(header, data=F32):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def entry(dtype="F32", shape=(4, 4), offsets=(0, 64)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def make_npy(header, data=F32, version=1):
    header = header.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(header)) + header + data


NPY = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 4), }\n"
SAFETENSORS = make_safetensors({"__metadata__": {"k": "v"}, "a.weight": entry()})
HEALTHY = {"m.onnx": make_onnx(), "m.safetensors": SAFETENSORS, "m.npy": make_npy(NPY)}


@pytest.mark.parametrize("name", HEALTHY)
def test_the_healthy_files_are_healthy(command, tmp_path, name):
    """What the tables below spoil is fine before."""
    (tmp_path / name).write_bytes(HEALTHY[name])
    done = command("prune", name, "-o", "out" + name[1:], "--sparsity", "0.5", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len((tmp_path / ("out" + name[1:])).read_bytes()) >= len(HEALTHY[name])


# ---- malformed files: (id, name, bytes, exit code, texts of the message)


def deep_graph(levels):
    """If inside If inside If …"""
    graph = text(2, "g")
    for _ in range(levels):
        branch = text(1, "then_branch") + text(6, graph) + number(20, 5)
        graph = text(2, "g") + text(1, make_node("If", ["c"], ["y"], text(5, branch)))
    return number(1, 8) + text(7, graph) + text(8, number(2, 17))


HEAD = make_node("Relu", ["b"], ["a"])
TAIL = make_node("Relu", ["a"], ["b"])
BIG = 1 << 40

ONNX = [
    ("empty", b"", ["is empty"]),
    ("random", bytes(np.random.default_rng(1).integers(0, 256, 4096, np.uint8)), ["m.onnx"]),
    ("zeros", bytes(4096), ["m.onnx", "byte 0"]),
    ("no-graph", number(1, 8) + text(8, number(2, 17)), ["no graph"]),
    ("no-version", make_onnx()[2:], ["no IR version"]),
    ("no-opset", make_onnx(opset=None), ["operator set"]),
    ("opset-too-old", make_onnx(opset=3), ["opset 3", "convert"]),
    ("opset-unknown", make_onnx(opset=9999), ["opset 9999"]),
    ("two-graphs", make_onnx(more=text(7, b"")), ["two graphs"]),
    ("field-zero", make_onnx(more=b"\x02\x00"), ["byte"]),
    ("group", make_onnx(more=b"\xfb\x3e"), ["byte"]),
    ("endless-varint", make_onnx(more=b"\xf8\x3e" + b"\xff" * 11), ["byte"]),
    ("length-over-end", make_onnx() + b"\xfa\x3e\x7f", ["cut short"]),
    ("length-over-64-bits", make_onnx() + b"\xfa\x3e" + b"\xff" * 9 + b"\x01", ["byte"]),
    ("graph-is-a-number", number(1, 8) + number(7, 5) + text(8, number(2, 17)), ["graph"]),
    ("name-is-not-utf-8", make_onnx([make_tensor(b"\xff\xfe")]), ["UTF-8"]),
    ("negative-dimension", make_onnx([make_tensor(dims=(-4, 4))]), ['"w"', "-4"]),
    ("shape-overflows", make_onnx([make_tensor(dims=(BIG, BIG))]), ['"w"', str(BIG)]),
    ("shape-overflows-bytes", make_onnx([make_tensor(dims=(1 << 62, 2))]), ['"w"']),
    ("zero-times-overflow", make_onnx([make_tensor(dims=(BIG, BIG, 0))]), ['"w"']),
    ("too-little-data", make_onnx([make_tensor(data=text(9, F32[:-4]))]), ['"w"', "60 bytes", "64 bytes"]),
    ("too-much-data", make_onnx([make_tensor(data=text(9, F32 + b"1234"))]), ['"w"', "68 bytes", "64 bytes"]),
    ("no-data", make_onnx([make_tensor(data=b"")]), ['"w"', "0 bytes", "64 bytes"]),
    ("too-few-floats", make_onnx([make_tensor(data=text(4, F32[:32]))]), ['"w"', "32 bytes"]),
    ("half-a-float", make_onnx([make_tensor(data=text(4, F32[:-1]))]), ['"w"']),
    ("half-out-of-range", make_onnx([make_tensor(dims=(1, 2), kind=10, data=text(5, varint(1) + varint(70000)))]), ['"w"', "70000"]),
    ("raw-data-twice", make_onnx([make_tensor(data=text(9, F32) * 2)]), ["twice"]),
    ("one-name-twice", make_onnx([make_tensor(), make_tensor()]), ['"w"']),
    ("two-makers", make_onnx(nodes=(MATMUL, make_node("Relu", ["x"], ["y"]))), ['"y"']),
    ("reads-nothing", make_onnx(nodes=(make_node("MatMul", ["nobody", "w"], ["y"]),)), ['"nobody"']),
    ("cycle", make_onnx(nodes=(MATMUL, HEAD, TAIL)), ["cycle"]),
    ("reads-itself", make_onnx(nodes=(MATMUL, make_node("Relu", ["a"], ["a"]))), ["cycle"]),
    ("deep", deep_graph(3000), ["deep"]),
]  # fmt: skip

EXTERNAL = [
    ("missing", external(location="none.bin"), ["none.bin"]),
    ("no-location", external(offset=0), ["names no file"]),
    ("parent", external(location="../secret.bin"), ["outside"]),
    ("hidden-parent", external(location="a/../../secret.bin"), ["outside"]),
    ("absolute", external(location="/etc/passwd"), ["outside"]),
    ("empty", external(location=""), ["outside", '""']),
    ("offset-behind-end", external(location="w.bin", offset=100, length=64), ["w.bin", "100"]),
    ("length-behind-end", external(location="w.bin", offset=32, length=64), ["w.bin"]),
    ("length-of-another-shape", external(location="w.bin", length=60), ["60 bytes", "64 bytes"]),
    ("offset-overflows", external(location="w.bin", offset=(1 << 63) - 1, length=64), ["w.bin"]),
    ("offset-negative", external(location="w.bin", offset=-8), ["-8"]),
    ("offset-not-a-number", external(location="w.bin", offset="0x10"), ["0x10"]),
    ("a-folder", external(location="folder"), ["model/folder", "a folder"]),
]

KEY = '"a":{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]}'
TENSORS = [
    ("empty", b"", ["is empty"]),
    ("seven-bytes", SAFETENSORS[:7], ["7 bytes"]),
    ("random", bytes(np.random.default_rng(2).integers(0, 256, 4096, np.uint8)), ["m.safetensors"]),
    ("header-of-4-gigabytes", struct.pack("<Q", 1 << 32) + SAFETENSORS[8:], ["too long", str(1 << 32)]),
    ("header-of-2-to-63", struct.pack("<Q", (1 << 64) - 1) + SAFETENSORS[8:], ["too long"]),
    ("header-behind-end", struct.pack("<Q", 5000) + SAFETENSORS[8:], ["cut short", "5000"]),
    ("header-empty", make_safetensors(b""), ["byte 8"]),
    ("header-not-json", make_safetensors(b"hello, world"), ["byte 8", "JSON"]),
    ("header-a-list", make_safetensors(b"[]"), ["byte 8"]),
    ("header-cut", make_safetensors(b'{"a":{"dtype":"F32"'), ["byte"]),
    ("header-with-a-rest", make_safetensors(f"{{{KEY}}} x".encode()), ["byte"]),
    ("header-not-utf-8", make_safetensors(b'{"\xff":1}'), ["byte"]),
    ("header-deep", make_safetensors(b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}"), ["deep"]),
    ("one-key-twice", make_safetensors(f"{{{KEY},{KEY}}}".encode()), ['"a"', "twice"]),
    ("one-member-twice", make_safetensors(f"{{{KEY.replace('shape', 'dtype', 1)}}}".encode()), ["byte"]),
    ("metadata-twice", make_safetensors(f'{{"__metadata__":{{}},"__metadata__":{{}},{KEY}}}'.encode()), ["twice"]),
    ("metadata-not-text", make_safetensors({"__metadata__": {"k": 1}, "a": entry()}), ["metadata"]),
    ("unknown-type", make_safetensors({"a": entry("F31")}), ['"a"', '"F31"', "F32"]),
    ("no-type", make_safetensors({"a": {"shape": [16], "data_offsets": [0, 64]}}), ['"a"']),
    ("no-shape", make_safetensors({"a": {"dtype": "F32", "data_offsets": [0, 64]}}), ['"a"', "shape"]),
    ("no-offsets", make_safetensors({"a": {"dtype": "F32", "shape": [16]}}), ['"a"', "data_offsets"]),
    ("negative-size", make_safetensors({"a": entry(shape=(-4, -4))}), ['"a"']),
    ("fractional-size", make_safetensors(f"{{{KEY.replace('4,4', '4,4.5')}}}".encode()), ['"a"']),
    ("size-of-30-digits", make_safetensors(f"{{{KEY.replace('4,4', '4' * 30)}}}".encode()), ["byte"]),
    ("shape-overflows", make_safetensors({"a": entry(shape=(BIG, BIG))}), ['"a"', "impossible"]),
    ("zero-times-overflow", make_safetensors({"a": entry(shape=(BIG, BIG, 0), offsets=(0, 0))}, b""), ['"a"']),
    ("offsets-overlap", make_safetensors({"a": entry(), "b": entry(shape=(8,), offsets=(32, 64))}), ["overlap", '"b"']),
    ("offsets-with-a-hole", make_safetensors({"a": entry(shape=(8,), offsets=(32, 64))}), ["hole", '"a"']),
    ("offsets-behind-end", make_safetensors({"a": entry(shape=(4, 8), offsets=(0, 128))}), ["cut short", "128"]),
    ("offsets-reversed", make_safetensors({"a": entry(offsets=(64, 0))}), ['"a"', "ascending"]),
    ("offsets-negative", make_safetensors({"a": entry(offsets=(-64, 0))}), ['"a"']),
    ("offsets-three", make_safetensors({"a": entry(offsets=(0, 32, 64))}), ['"a"', "two"]),
    ("offsets-do-not-fit", make_safetensors({"a": entry(shape=(4, 3))}), ["64 bytes", "48 bytes"]),
    ("data-left-over", make_safetensors({"a": entry()}, F32 + b"rest"), ["behind", "4 bytes"]),
]  # fmt: skip

ARRAYS = [
    ("empty", b"", ["is empty"]),
    ("magic-only", b"\x93NUMPY", ["byte"]),
    ("not-npy", b"hello, world", [".npy"]),
    ("version-9", make_npy(NPY, version=9), ["version 9"]),
    ("header-cut", make_npy(NPY)[:30], ["cut short"]),
    ("header-not-a-dictionary", make_npy("import os"), ["byte 10"]),
    ("header-with-a-rest", make_npy(NPY[:-1] + "evil()\n"), ["byte"]),
    ("data-cut", make_npy(NPY, F32[:-1]), ["63 bytes", "64 bytes"]),
    ("data-left-over", make_npy(NPY, F32 + b"1"), ["65 bytes", "64 bytes"]),
    ("shape-overflows", make_npy(NPY.replace("4, 4", f"{BIG}, {BIG}")), [str(BIG)]),
    ("shape-negative", make_npy(NPY.replace("4, 4", "-4, 4")), ["byte"]),
    ("size-of-30-digits", make_npy(NPY.replace("4, 4", "4" * 30)), ["byte"]),
    ("objects", make_npy(NPY.replace("<f4", "|O")), ["|O"]),
    ("structured", make_npy(NPY.replace("'<f4'", "[('a', '<f4')]")), ["byte"]),
    ("big-endian", make_npy(NPY.replace("<f4", ">f4")), [">f4", "little-endian"]),
]

FOREIGN = [
    ("pickle", b"\x80\x02}q\x00.", ["pickle", "safetensors"]),
    ("zip", b"PK\x03\x04" + bytes(40), ["ZIP", "safetensors"]),
    ("gguf", b"GGUF\x03\x00\x00\x00" + bytes(40), ["GGUF"]),
    ("hdf5", b"\x89HDF\r\n\x1a\n" + bytes(40), ["HDF5"]),
    ("git-lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", ["Git LFS", "git lfs pull"]),
    ("image", b"\x89PNG\r\n\x1a\n" + bytes(40), ["ONNX", "safetensors"]),
    ("text", b"hello, world\n", ["ONNX", "safetensors"]),
]

FILES = [
    pytest.param(f"m.{kind}" if kind else "m", data, says, id=f"{kind or 'foreign'}-{name}")
    for kind, table in (("onnx", ONNX), ("safetensors", TENSORS), ("npy", ARRAYS), ("", FOREIGN))
    for name, data, says in table
]


@pytest.mark.parametrize("name, data, says", FILES)
def test_malformed_file(refused, tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    code = ARGUMENT if any(word in FOREIGN_KINDS for word in says) or "convert" in says or "opset 9999" in says else DATA
    refused(code, "prune", name, "-o", "out." + name.split(".")[-1], "--sparsity", "0.5", says=[*says, name])
    refused(code, "inspect", name, says=[*says, name])


FOREIGN_KINDS = {"pickle", "ZIP", "GGUF", "HDF5", "Git LFS"}


@pytest.mark.parametrize("data, says", [pytest.param(d, s, id=i) for i, d, s in EXTERNAL])
def test_malformed_external_data(refused, tmp_path, data, says):
    inner = tmp_path / "model"
    inner.mkdir()
    (inner / "folder").mkdir()
    (inner / "m.onnx").write_bytes(data)
    (inner / "w.bin").write_bytes(F32)
    (tmp_path / "secret.bin").write_bytes(F32)
    code = RESOURCE if "a folder" in says else DATA
    refused(code, "prune", "model/m.onnx", "-o", "out.onnx", "--sparsity", "0.5", says=["m.onnx", *says])


def test_healthy_external_data(command, tmp_path):
    (tmp_path / "m.onnx").write_bytes(external(location="w.bin", offset=0, length=64))
    (tmp_path / "w.bin").write_bytes(F32)
    done = command("prune", "m.onnx", "-o", "out.onnx", "--sparsity", "0.5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def write_shards(folder, where, config="{}"):
    """Two shards with a tensor each, and an index that says `where` tensors are."""
    for name in "ab":
        (folder / f"{name}.safetensors").write_bytes(make_safetensors({f"{name}.weight": entry()}))
    index = where if isinstance(where, str) else json.dumps({"weight_map": where})
    (folder / "model.safetensors.index.json").write_text(index)
    if config is not None:
        (folder / "config.json").write_text(config)


GOOD = {"a.weight": "a.safetensors", "b.weight": "b.safetensors"}
INDEXES = [
    ("missing-shard", {**GOOD, "c.weight": "c.safetensors"}, ["c.safetensors", "missing"]),
    ("missing-tensor", {**GOOD, "c.weight": "a.safetensors"}, ["c.weight", "a.safetensors"]),
    ("outside", {**GOOD, "c.weight": "../c.safetensors"}, ["outside"]),
    ("absolute", {**GOOD, "c.weight": "/tmp/c.safetensors"}, ["outside"]),
    ("not-a-name", {**GOOD, "c.weight": 3}, ["string"]),
    ("no-map", "{}", ["weight_map"]),
    ("map-a-list", '{"weight_map": []}', ["weight_map"]),
    ("not-json", "hello", ["index.json"]),
    ("cut", '{"weight_map": {"a.weight"', ["index.json"]),
    ("twice", '{"weight_map": {"a.weight": "a.safetensors", "a.weight": "b.safetensors"}}', ["twice"]),
]


@pytest.mark.parametrize("where, says", [pytest.param(w, s, id=i) for i, w, s in INDEXES])
def test_malformed_shards(refused, tmp_path, where, says):
    (tmp_path / "m").mkdir()
    write_shards(tmp_path / "m", where)
    refused(DATA, "prune", "m", "-o", "out", "--sparsity", "0.5", says=says)
    refused(DATA, "inspect", "m/model.safetensors.index.json", says=says)


def test_malformed_shard_is_named(refused, tmp_path):
    (tmp_path / "m").mkdir()
    write_shards(tmp_path / "m", GOOD)
    (tmp_path / "m/b.safetensors").write_bytes(SAFETENSORS[:40])
    refused(DATA, "prune", "m", "-o", "out", "--sparsity", "0.5", says=["b.safetensors"])


FOLDERS = [
    ("empty", {}, ["model.safetensors"]),
    ("pickled-weights", {"config.json": b"{}", "pytorch_model.bin": b"\x80\x02."}, ["pickle", "safetensors"]),
    ("no-config", {"model.safetensors": SAFETENSORS}, ["config.json"]),
    ("config-not-json", {"config.json": b"{", "model.safetensors": SAFETENSORS}, ["config.json"]),
    ("weights-cut", {"config.json": b"{}", "model.safetensors": SAFETENSORS[:50]}, ["model.safetensors", "cut short"]),
]


@pytest.mark.parametrize("files, says", [pytest.param(f, s, id=i) for i, f, s in FOLDERS])
def test_malformed_folder(refused, tmp_path, files, says):
    (tmp_path / "m").mkdir()
    for name, data in files.items():
        (tmp_path / "m" / name).write_bytes(data)
    refused(DATA, "prune", "m", "-o", "out", "--sparsity", "0.5", says=says)


def test_paths_that_are_no_files(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    for path in ("pipe.onnx", "/dev/zero", "/dev/null", "/proc/self/mem"):
        for command in (["inspect", path], ["prune", path, "-o", "out.onnx", "--sparsity", "0.5"]):
            done = subprocess.run([COMMAND, *command], cwd=tmp_path, capture_output=True, text=True, timeout=10)
            assert done.returncode in (ARGUMENT, DATA, RESOURCE), (path, done)
            assert done.stderr.startswith("pare: error: ") and path in done.stderr
    for missing in ("no.onnx", "no/way.onnx", "x" * 300 + ".onnx", ""):
        done = subprocess.run([COMMAND, "inspect", missing], cwd=tmp_path, capture_output=True, text=True, timeout=10)
        assert done.returncode in (ARGUMENT, RESOURCE), (missing, done)
        assert done.stderr.startswith("pare: error: ")


def test_external_data_that_is_a_pipe(tmp_path, refused):
    (tmp_path / "m.onnx").write_bytes(external(location="pipe"))
    os.mkfifo(tmp_path / "pipe")
    refused(RESOURCE, "prune", "m.onnx", "-o", "out.onnx", "--sparsity", "0.5", says=["pipe"], timeout=10)


# ---- every prefix, and every byte, of healthy files


SWEEP = """
import sys
sys.path[:0] = {paths!r}
import pare
from test_bad_input import HEALTHY
import random, pathlib
folder = pathlib.Path({folder!r})

def attempt(name, data):
    \"\"\"Status of opening and pruning; 0 if all went well.\"\"\"
    (folder / name).write_bytes(data)
    try:
        with pare.load(folder / name) as model:
            model.prune("magnitude", 0.5, allow_nonfinite=True)
            for parameter in model.parameters.values():
                parameter.array
            graph = model.graph
            for node in graph.nodes if graph else []:
                node.inputs, node.outputs, node.attributes
            model.save(folder / ("out-" + name), overwrite=True)
            pare.load(folder / ("out-" + name)).close()
        return 0
    except pare.PareError as error:
        assert str(error) and 100 <= error.status < 400, repr(error)
        return error.status

for name, data in HEALTHY.items():
    assert attempt(name, data) == 0
    if {prefixes}:
        for length in range(len(data)):
            code = attempt(name, data[:length])
            assert 200 <= code < 300 or code == 104, f"{{name}} cut to {{length}} of {{len(data)}} bytes: {{code}}"
    else:
        draw = random.Random(5)
        for turn in range({turns}):
            spoiled = bytearray(data)
            for _ in range(draw.choice([1, 1, 1, 2, 4])):
                kind, at = draw.randrange(4), draw.randrange(len(spoiled))
                if kind == 0: spoiled[at] ^= 1 << draw.randrange(8)
                elif kind == 1: spoiled[at] = draw.choice([0, 1, 127, 128, 255])
                elif kind == 2: del spoiled[at : at + draw.randrange(1, 9)]
                else: spoiled[at:at] = spoiled[at : at + draw.randrange(1, 9)]
                if not spoiled: spoiled = bytearray(b"x")
            (folder / "last").write_bytes(spoiled)
            attempt(name, bytes(spoiled))
print("done")
"""


def isolated(tmp_path, script):
    """Run Python in a process of its own, so that a crash is a failed test and not the end of all."""
    environment = {**os.environ, "PARE_LIBRARY": str(LIBRARY)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=600, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0 and done.stdout.endswith("done\n"), (
        f"exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    )


PATHS = [str(ROOT / "python"), str(ROOT / "Tests/python")]


@pytest.mark.parametrize("prefixes", [True, False], ids=["cut", "spoiled"])
def test_cut_and_spoiled_files(tmp_path, prefixes):
    if not LIBRARY.is_file():
        pytest.skip(f"{LIBRARY} is not built: make build")
    isolated(tmp_path, SWEEP.format(paths=PATHS, folder=str(tmp_path), prefixes=prefixes, turns=3000))


# ---- wrong values


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["onnx", "safetensors", "npy"])
def test_values_that_are_not_finite(refused, command, tmp_path, kind, value):
    data = np.frombuffer(F32, "<f4").copy()
    data[5] = value
    (tmp_path / f"m.{kind}").write_bytes(HEALTHY[f"m.{kind}"].replace(F32, data.tobytes()))
    words = ["prune", f"m.{kind}", "-o", f"out.{kind}", "--sparsity", "0.5"]
    name = {"onnx": "w", "safetensors": "a.weight", "npy": "m"}[kind]
    for more in ([], ["--allocation", "global"], ["--criterion", "lamp"]):
        refused(DATA, *words, *more, says=[name, "finite"])
    done = command(*words, "--allow-nonfinite", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = np.frombuffer((tmp_path / f"out.{kind}").read_bytes().split(F32[60:])[-2][-60:], "<f4")
    # NaN counts as nothing and goes first, infinity as the largest and stays.
    assert np.count_nonzero(after == 0) == 8 and not np.isnan(after).any()
    assert np.isinf(after).any() == np.isinf(value)


# ---- wrong requests: (words, exit code, texts)


REQUESTS = [
    (["--sparsity", "1.0"], ARGUMENT, ["1.0", "below 1"]),
    (["--sparsity=-0.1"], ARGUMENT, ["-0.1", "at least 0"]),
    (["--sparsity", "nan"], ARGUMENT, ["nan"]),
    (["--sparsity", "inf"], ARGUMENT, ["inf"]),
    (["--sparsity", "1e-400x"], ARGUMENT, ["1e-400x"]),
    (["--sparsity", ""], ARGUMENT, []),
    (["--sparsity", "half"], ARGUMENT, ["half"]),
    (["--sparsity", "50%"], ARGUMENT, ["50%"]),
    (["--sparsity", "4:4"], ARGUMENT, ["4:4", "N < M"]),
    (["--sparsity", "5:4"], ARGUMENT, ["5:4"]),
    (["--sparsity", "0:4"], ARGUMENT, ["0:4"]),
    (["--sparsity", "2:65"], ARGUMENT, ["2:65", "64"]),
    (["--sparsity", "2:99999999999999999999"], ARGUMENT, []),
    (["--sparsity", "block:0x4@0.5"], ARGUMENT, ["block"]),
    (["--sparsity", "block:99999999999x4@0.5"], DATA, ["block", "99999999999"]),
    (["--sparsity", "row@1"], ARGUMENT, ["1"]),
    (["--sparsity", "diagonal@0.5"], ARGUMENT, ["diagonal"]),
    (["--sparsity", "2:3"], DATA, ["w", "2:3", "multiple of 3"]),
    (["--sparsity", "block:3x1@0.5"], DATA, ["w", "multiple"]),
    (["--sparsity", "0.5", "--criterion", "magnitud"], ARGUMENT, ["magnitud", 'did you mean "magnitude"?']),
    (["--sparsity", "0.5", "--criterion", "uniform"], ARGUMENT, ["uniform"]),
    (["--sparsity", "0.5", "--allocation", "erk1"], ARGUMENT, ["erk1", 'did you mean "erk"?']),
    (["--sparsity", "0.5", "--set", "nrom=l1"], ARGUMENT, ["nrom", 'did you mean "norm"?']),
    (["--sparsity", "0.5", "--set", "norm=l3"], ARGUMENT, ["l3", "l1, l2"]),
    (["--sparsity", "0.5", "--set", "norm"], ARGUMENT, ["norm"]),
    (["--sparsity", "0.5", "--set", "norm=l1", "--set", "norm=l2"], ARGUMENT, ["norm"]),
    (["--sparsity", "0.5", "--allocation", "uniform-plus", "--set", "last-max=1.5"], ARGUMENT, ["last-max", "1.5"]),
    (["--sparsity", "0.5", "--allocation", "uniform-plus", "--set", "last-max=nan"], ARGUMENT, ["last-max"]),
    (["--sparsity", "0.5", "--criterion", "random", "--set", "seed=-1"], ARGUMENT, ["seed", "-1"]),
    (["--sparsity", "0.5", "--criterion", "random", "--set", "seed=1.5"], ARGUMENT, ["seed", "1.5"]),
    (["--sparsity", "0.5", "--include", "ww"], ARGUMENT, ['"ww"', 'did you mean "w"?']),
    (["--sparsity", "0.5", "--exclude", "v*"], ARGUMENT, ['"v*"']),
    (["--sparsity", "0.5", "--criterion", "fpgm"], ARGUMENT, ["fpgm", "row"]),
    (["--sparsity", "row@0.5", "--criterion", "norm-scale"], ARGUMENT, ["norm-scale", "w"]),
    (["--sparsity", "0.5", "--threads", "-1"], ARGUMENT, ["threads"]),
    (["--sparsity", "0.5", "--seed", "x"], ARGUMENT, ["seed"]),
    (["--sparsity", "0.5", "--frobnicate"], ARGUMENT, ["frobnicate"]),
    (["--sparsity", "0.5", "--criteron", "magnitude"], ARGUMENT, ["--criterion"]),
    (["--sparsity", "0.5", "--plugin", "none.pare"], ARGUMENT, ["none.pare"]),
    (["--sparsity", "0.5", "--plugin", "m.onnx"], PLUGIN, ["m.onnx"]),
    (["--sparsity", "0.5", "--function", "none.json"], ARGUMENT, ["none.json"]),
    (["--sparsity", "0.5", "--keep-masks", "none.masks"], ARGUMENT, ["none.masks"]),
    (["--sparsity", "0.5", "--keep-masks", "other.safetensors"], DATA, ["other.safetensors"]),
    ([], ARGUMENT, ["--sparsity"]),
    (["--sparsity", "0", "--strict"], NOTHING, ["nothing", "w"]),
    (["--sparsity", "0.01", "--strict"], NOTHING, ["nothing", "w"]),
    (["--sparsity", "2:3", "--remainder", "skip", "--strict"], NOTHING, ["nothing", "w"]),
    (["--sparsity", "0.5", "--exclude", "w", "--strict"], NOTHING, ["excluded"]),
]  # fmt: skip


@pytest.mark.parametrize("words, code, says", REQUESTS, ids=lambda v: " ".join(v)[:60] if isinstance(v, list) else "")
def test_wrong_request(refused, tmp_path, words, code, says):
    (tmp_path / "m.onnx").write_bytes(make_onnx())
    (tmp_path / "other.safetensors").write_bytes(SAFETENSORS)
    refused(code, "prune", "m.onnx", "-o", "out.onnx", *words, says=says)


@pytest.mark.parametrize("words", [["--sparsity", "0"], ["--sparsity", "2:3", "--remainder", "skip"], ["--sparsity", "0.5", "--exclude", "w"]])
def test_nothing_to_do_without_strict(command, tmp_path, words):
    """Done, but said."""
    (tmp_path / "m.onnx").write_bytes(make_onnx())
    done = command("prune", "m.onnx", "-o", "out.onnx", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert F32 in (tmp_path / "out.onnx").read_bytes()


def test_remainder_is_padded(command, tmp_path):
    (tmp_path / "m.onnx").write_bytes(make_onnx())
    done = command("prune", "m.onnx", "-o", "out.onnx", "--sparsity", "2:3", "--remainder", "pad", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    layer = next(layer for layer in json.loads(done.stdout)["layers"] if layer["name"] == "w")
    # Inputs run down axis 0 of a MatMul: of rows 1…4 the groups are (1 2 3) and (4 + + ).
    assert layer["kept"] == 12 and "pad" in layer["note"]
    after = (tmp_path / "out.onnx").read_bytes()
    assert F32[16:] in after and F32 not in after


def test_no_layers_to_prune(refused, command, tmp_path):
    """A model whose arrays are all of other types."""
    (tmp_path / "m.safetensors").write_bytes(make_safetensors({"a.weight": entry("I32")}))
    words = ["prune", "m.safetensors", "-o", "out.safetensors", "--sparsity", "0.5"]
    refused(NOTHING, *words, "--strict", says=["a.weight"])
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 0 and "a.weight" not in done.stderr


# ---- wrong places for the output


@pytest.fixture
def model(tmp_path):
    (tmp_path / "m.onnx").write_bytes(make_onnx())
    return "m.onnx"


class TestOutput:
    """Each of these finds out before or after the work, but never leaves a piece behind."""

    def test_is_the_input(self, refused, model, tmp_path):
        os.link(tmp_path / model, tmp_path / "hard.onnx")
        os.symlink(model, tmp_path / "soft.onnx")
        for target in (model, "./" + model, "hard.onnx", "soft.onnx"):
            for force in ([], ["--force"]):
                refused(ARGUMENT, "prune", model, "-o", target, "--sparsity", "0.5", *force, says=["input"])

    def test_is_a_data_file_of_the_input(self, refused, tmp_path):
        (tmp_path / "m.onnx").write_bytes(external(location="w.bin"))
        (tmp_path / "w.bin").write_bytes(F32)
        refused(ARGUMENT, "prune", "m.onnx", "-o", "w.bin", "--sparsity", "0.5", "--force", says=["w.bin"])

    def test_is_the_folder_of_the_input(self, refused, tmp_path):
        (tmp_path / "m").mkdir()
        write_shards(tmp_path / "m", GOOD)
        for force in ([], ["--force"]):
            refused(ARGUMENT, "prune", "m", "-o", "m/", "--sparsity", "0.5", *force)

    def test_exists(self, refused, command, model, tmp_path):
        (tmp_path / "out.onnx").write_bytes(b"precious")
        words = ["prune", model, "-o", "out.onnx", "--sparsity", "0.5"]
        refused(RESOURCE, *words, says=["out.onnx", "exists", "--force"])
        assert command(*words, "--force", cwd=tmp_path).returncode == 0
        assert (tmp_path / "out.onnx").read_bytes() != b"precious"

    def test_is_a_folder(self, refused, model, tmp_path):
        (tmp_path / "out.onnx").mkdir()
        refused(ARGUMENT, "prune", model, "-o", "out.onnx", "--sparsity", "0.5", "--force", says=["folder"])

    def test_is_a_folder_of_something_else(self, refused, tmp_path):
        """A mistyped folder must not cost other files, --force or not."""
        (tmp_path / "m").mkdir()
        write_shards(tmp_path / "m", GOOD)
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos/1.jpg").write_bytes(b"precious")
        for force in ([], ["--force"]):
            done = refused(
                RESOURCE if not force else ARGUMENT, "prune", "m", "-o", "photos", "--sparsity", "0.5", *force
            )
            assert "photos" in done

    def test_has_no_folder(self, refused, model):
        refused(ARGUMENT, "prune", model, "-o", "no/where/out.onnx", "--sparsity", "0.5", says=["no/where"])

    def test_lies_below_a_file(self, refused, model):
        refused(ARGUMENT, "prune", model, "-o", "m.onnx/out.onnx", "--sparsity", "0.5", says=["m.onnx"])

    def test_has_a_name_that_is_too_long(self, refused, model):
        refused(RESOURCE, "prune", model, "-o", "x" * 300 + ".onnx", "--sparsity", "0.5")

    def test_name_of_the_longest_kind(self, command, model, tmp_path):
        """255 bytes are allowed, so the temporary name must not be longer."""
        for name in ("x" * 250 + ".onnx", "ü" * 125 + ".onnx", "🙂" * 62 + ".onnx"):
            done = command("prune", model, "-o", name, "--sparsity", "0.5", cwd=tmp_path)
            assert done.returncode == 0, done.stderr

    def test_two_outputs_of_one_name(self, refused, model):
        for other in ("--mask-out", "--report"):
            refused(ARGUMENT, "prune", model, "-o", "out", other, "out", "--sparsity", "0.5", says=["out"])
            refused(ARGUMENT, "prune", model, "-o", "out", other, "./out", "--sparsity", "0.5", says=["out"])

    def test_second_output_cannot_be_written(self, refused, model, tmp_path):
        """The model is not written either."""
        (tmp_path / "old").write_bytes(b"precious")
        for other in ("--mask-out", "--report"):
            words = ["prune", model, "-o", "out.onnx", "--sparsity", "0.5", other]
            refused(ARGUMENT, *words, "no/where", says=["no"])
            refused(RESOURCE, *words, "old", says=["old", "exists"])

    def test_is_in_a_read_only_folder(self, refused, model, tmp_path):
        with read_only(tmp_path / "locked"):
            refused(
                RESOURCE, "prune", model, "-o", "locked/out.onnx", "--sparsity", "0.5", says=["locked/out.onnx"],
                watch=tmp_path / "locked",
            )  # fmt: skip

    def test_is_on_a_full_disk(self, refused, tmp_path):
        """Too large for what is free: found out before anything is written."""
        big = make_safetensors({"a.weight": entry(shape=(256, 256), offsets=(0, 262144))}, bytes(262144))
        (tmp_path / "m.safetensors").write_bytes(big)
        with small_disk(tmp_path / "disk"):
            refused(
                RESOURCE, "prune", "m.safetensors", "-o", "disk/out.safetensors", "--sparsity", "0.5",
                says=["disk/out.safetensors", "space"], watch=tmp_path / "disk",
            )  # fmt: skip

    @pytest.mark.parametrize("limit", [0, 100, 200_000])
    def test_grows_over_a_limit(self, refused, tmp_path, limit):
        """The write itself fails half-way, as on a disk that fills up meanwhile."""
        big = make_safetensors({"a.weight": entry(shape=(256, 256), offsets=(0, 262144))}, bytes(262144))
        (tmp_path / "m.safetensors").write_bytes(big)
        refused(
            RESOURCE, "prune", "m.safetensors", "-o", "out.safetensors", "--sparsity", "0.5", "--mask-out", "mask",
            says=["out.safetensors"], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )  # fmt: skip

    @pytest.mark.parametrize("limit", [100, 200_000])
    def test_folder_grows_over_a_limit(self, refused, tmp_path, limit):
        (tmp_path / "m").mkdir()
        big = make_safetensors({"a.weight": entry(shape=(256, 256), offsets=(0, 262144))}, bytes(262144))
        (tmp_path / "m/model.safetensors").write_bytes(big)
        (tmp_path / "m/config.json").write_text("{}")
        refused(
            RESOURCE, "prune", "m", "-o", "out", "--sparsity", "0.5",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )  # fmt: skip

    def test_memory_is_short(self, tmp_path):
        """A header that claims much must not be believed before it is checked."""
        huge = make_onnx([make_tensor(dims=(1 << 30, 4), data=b"")])
        (tmp_path / "m.onnx").write_bytes(huge)
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))  # noqa: E731
        done = subprocess.run([COMMAND, "inspect", "m.onnx"], cwd=tmp_path, capture_output=True, text=True, preexec_fn=limit)
        assert done.returncode == DATA, done


class mounted:
    """A file system of its own in a folder; skips where this user may not mount one."""

    def __init__(self, folder, options):
        self.folder, self.options = folder, options

    def __enter__(self):
        self.folder.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", self.options, "tmpfs", str(self.folder)]
        if os.geteuid() != 0 or not shutil.which("mount") or subprocess.run(words, capture_output=True).returncode:
            pytest.skip("needs the right to mount a tmpfs")
        return self.folder

    def __exit__(self, *_):
        subprocess.run(["umount", str(self.folder)], check=True)


def small_disk(folder):
    return mounted(folder, "size=64k")


class read_only:
    """A folder without the right to write: by permissions, or for root, whom they do not stop, by a read-only mount."""

    def __init__(self, folder):
        self.folder = folder
        self.mount = mounted(folder, "size=64k,ro") if os.geteuid() == 0 else None

    def __enter__(self):
        if self.mount:
            return self.mount.__enter__()
        self.folder.mkdir()
        self.folder.chmod(0o555)

    def __exit__(self, *reason):
        if self.mount:
            return self.mount.__exit__(*reason)
        self.folder.chmod(0o755)


# ---- the C interface: NULL, garbage and stale handles


NULLS = """
import ctypes, sys
sys.path[:0] = {paths!r}
from pare import _abi
from pare._library import lib

def zero(kind):
    return None if kind in (ctypes.c_char_p, ctypes.c_void_p) or hasattr(kind, "contents") else kind(0)

def is_pointer(kind):
    return kind in (ctypes.c_char_p, ctypes.c_void_p) or hasattr(kind, "contents")

plain = {{"pare_version", "pare_abi_version", "pare_status_name", "pare_mask_create", "pare_context_create"}}
for name, (result, kinds) in sorted(_abi.PROTOTYPES.items()):
    function = getattr(lib, name)
    print(name, flush=True)
    takes_error = bool(kinds) and kinds[-1] == ctypes.POINTER(_abi.pare_error)
    answer = function(*[zero(kind) for kind in kinds])
    if takes_error:
        assert 100 <= answer < 200, (name, answer)
        record = _abi.pare_error()
        again = function(*[zero(kind) for kind in kinds[:-1]], ctypes.byref(record))
        assert again == answer == record.code and record.message, (name, again, record.code)
    elif name not in plain:
        assert not answer or answer == -1 or answer != answer, (name, answer)

# Handles that are none: an address in this process, a small number, one that is not aligned, the highest.
block = ctypes.create_string_buffer(4096)
for bad in (ctypes.addressof(block), 1, 16, ctypes.addressof(block) + 1, 2**64 - 1):
    for name, (result, kinds) in sorted(_abi.PROTOTYPES.items()):
        if not kinds or kinds[0] is not ctypes.c_void_p:
            continue
        print(name, bad, flush=True)
        record = _abi.pare_error()
        words = [ctypes.c_void_p(bad)] + [zero(kind) for kind in kinds[1:]]
        if kinds[-1] == ctypes.POINTER(_abi.pare_error):
            words[-1] = ctypes.byref(record)
            assert getattr(lib, name)(*words) == record.code == _abi.PARE_E_ARGUMENT, name
        else:
            answer = getattr(lib, name)(*words)
            assert not answer or answer == -1 or answer != answer, (name, answer)

# Real handles of the wrong kind, with everything else NULL; then the right kind after its end.
def made(function, *words):
    out = ctypes.c_void_p()
    status = function(*words, ctypes.byref(out), None)
    assert status == 0, status
    return out

context = made(lib.pare_context_create, None)
shape = (ctypes.c_int64 * 2)(4, 4)
destroyers = {{}}
for turn in ("alive", "stale"):
    model = made(lib.pare_model_create, context)
    mask = made(lib.pare_mask_create, shape, 2)
    if turn == "stale":
        lib.pare_model_destroy(model), lib.pare_mask_destroy(mask)
    for name, (result, kinds) in sorted(_abi.PROTOTYPES.items()):
        if not kinds or kinds[0] is not ctypes.c_void_p or "destroy" in name:
            continue
        for handle in (context, model, mask):
            print(turn, name, flush=True)
            words = [handle] + [zero(kind) for kind in kinds[1:]]
            getattr(lib, name)(*words)
    # Destroying twice, or with the wrong function, does nothing.
    for destroy in (lib.pare_model_destroy, lib.pare_mask_destroy, lib.pare_report_destroy):
        destroy(model), destroy(mask), destroy(context)
        destroy(model), destroy(mask)
model = made(lib.pare_model_create, context)
lib.pare_context_destroy(context)
lib.pare_context_destroy(context)
assert lib.pare_parameter_count(model) == 0, "a model outlives its context"
record = _abi.pare_error()
request = _abi.pare_prune_request()
assert lib.pare_prune(context, model, ctypes.byref(request), None, ctypes.byref(record)) == _abi.PARE_E_ARGUMENT
assert b"context" in record.message
print("done")
"""

TENSORS_OF_C = """
import ctypes, sys
sys.path[:0] = {paths!r}
from pare import _abi
from pare._library import lib

data = (ctypes.c_float * 16)(*range(16))
limit = 2**63 - 1

def view(data=ctypes.addressof(data), device=1, ndim=2, code=2, bits=32, lanes=1, shape=(4, 4), strides=(4, 1), offset=0):
    keep = (ctypes.c_int64 * max(len(shape), 1))(*shape), (ctypes.c_int64 * max(len(strides), 1))(*strides)
    made = _abi.pare_tensor()
    made.data, made.ndim, made.byte_offset = data, ndim, offset
    made.device.type = device
    made.dtype.code, made.dtype.bits, made.dtype.lanes = code, bits, lanes
    made.shape, made.strides = (ctypes.cast(k, ctypes.POINTER(ctypes.c_int64)) for k in keep)
    made.keep = keep
    return made

def null(member, **more):
    made = view(**more)
    setattr(made, member, None)
    return made

bad = dict(
    no_data=view(data=None), no_shape=null("shape"), no_strides=null("strides"), ndim_negative=view(ndim=-1),
    ndim_large=view(ndim=9, shape=(1,) * 9, strides=(1,) * 9), ndim_huge=view(ndim=2**31 - 1), device=view(device=2),
    code=view(code=3), bits=view(bits=24), lanes=view(lanes=4), no_lanes=view(lanes=0), negative=view(shape=(-4, 4)),
    overflow=view(shape=(2**40, 2**40)), product=view(shape=(2**62, 2)), stride=view(strides=(limit, 1)),
    stride_min=view(strides=(-limit - 1, 1)), offset=view(offset=2**64 - 1),
)
def made(function, *words):
    out = ctypes.c_void_p()
    assert function(*words, ctypes.byref(out), None) == 0
    return out

context = made(lib.pare_context_create, None)
model = made(lib.pare_model_create, context)
good = view()
assert lib.pare_model_add(model, b"good", ctypes.byref(good), 1, None) == 0
for name, tensor in bad.items():
    print(name, flush=True)
    record = _abi.pare_error()
    out = ctypes.c_void_p(77)
    error = ctypes.byref(record)
    scores = view(shape=(4, 4))
    calls = [
        lib.pare_model_add(model, b"bad", ctypes.byref(tensor), 1, error),
        lib.pare_parameter_set(model, 0, ctypes.byref(tensor), error),
        lib.pare_mask_from(ctypes.byref(tensor), ctypes.byref(out), error),
        lib.pare_score(context, b"magnitude", None, ctypes.byref(tensor), None, ctypes.byref(scores), None, error),
        lib.pare_score(context, b"magnitude", None, ctypes.byref(good), None, ctypes.byref(tensor), None, error),
        lib.pare_select(context, b"magnitude", None, ctypes.byref(tensor), None, 0.5, ctypes.byref(out), None, error),
        lib.pare_mask_select(ctypes.byref(tensor), (ctypes.c_int64 * 2)(4, 4), 2, None, 0.5, ctypes.byref(out), error),
    ]
    assert all(100 <= status < 400 for status in calls), (name, calls)
    assert out.value == 77, "an output was changed"
    assert record.message
assert lib.pare_parameter_count(model) == 1

# Shapes and numbers of masks and patterns.
two = (ctypes.c_int64 * 2)(4, 4)
for shape, ndim in (((-1, 4), 2), ((2**40, 2**40), 2), ((4, 4), -1), ((4,) * 9, 9), ((2**62, 1), 2)):
    out = ctypes.c_void_p(77)
    status = lib.pare_mask_create((ctypes.c_int64 * len(shape))(*shape), ndim, ctypes.byref(out), None)
    assert 100 <= status < 400 and out.value == 77, (shape, ndim, status)
mask = made(lib.pare_mask_create, two, 2)
assert lib.pare_mask_dimension(mask, -1) == lib.pare_mask_dimension(mask, 2) == -1
for fields in (
    dict(granularity=-1), dict(granularity=6), dict(granularity=1, n=4, m=4), dict(granularity=1, n=0, m=4),
    dict(granularity=1, n=-1, m=4), dict(granularity=1, n=2, m=65), dict(granularity=1, n=2, m=2**31 - 1),
    dict(granularity=2), dict(granularity=2, block_rows=-1, block_cols=1), dict(granularity=1, n=2, m=3),
    dict(granularity=2, block_rows=2**31 - 1, block_cols=2**31 - 1), dict(granularity=1, n=2, m=4, remainder=3),
):
    print(fields, flush=True)
    pattern = _abi.pare_pattern(**fields)
    out = ctypes.c_void_p(77)
    words = (context, b"magnitude", None, ctypes.byref(good), ctypes.byref(pattern), 0.5, ctypes.byref(out), None, None)
    assert 100 <= lib.pare_select(*words) < 300, fields
    assert out.value == 77
for sparsity in (1.0, -0.1, float("nan"), float("inf"), 2.0):
    out = ctypes.c_void_p(77)
    words = (context, b"magnitude", None, ctypes.byref(good), None, sparsity, ctypes.byref(out), None, None)
    # Of one array all may go; a model is not to lose everything.
    assert sparsity == 1.0 or lib.pare_select(*words) == _abi.PARE_E_ARGUMENT, sparsity
    request = _abi.pare_prune_request(sparsity=sparsity)
    assert lib.pare_prune(context, model, ctypes.byref(request), ctypes.byref(out), None) == _abi.PARE_E_ARGUMENT
    assert out.value == 77
for size in (0, 4, 8):
    request = _abi.pare_prune_request(sparsity=0.5)
    request.struct_size = size
    status = lib.pare_prune(context, model, ctypes.byref(request), None, None)
    assert status == _abi.PARE_E_ARGUMENT, (size, status)
for kind, call in (
    (_abi.pare_context_config, lambda s: lib.pare_context_create(s, ctypes.byref(out), None)),
    (_abi.pare_pattern, lambda s: lib.pare_mask_complies(mask, s, ctypes.byref(ctypes.c_int32()), None, None)),
    (_abi.pare_save_options, lambda s: lib.pare_model_save(model, b"never.safetensors", s, None, None)),
    (_abi.pare_run, lambda s: lib.pare_model_save(model, b"never.safetensors", None, s, None)),
    (_abi.pare_parameter_info, lambda s: lib.pare_parameter_at(model, 0, s, None)),
    (_abi.pare_callback_criterion, lambda s: lib.pare_context_register_criterion(context, s, None)),
):
    short = kind()
    short.struct_size = 4
    assert call(ctypes.byref(short)) == _abi.PARE_E_ARGUMENT, kind
print("done")
"""


@pytest.mark.parametrize("script", [NULLS, TENSORS_OF_C], ids=["handles", "tensors"])
def test_c_interface(tmp_path, script):
    if not LIBRARY.is_file():
        pytest.skip(f"{LIBRARY} is not built: make build")
    isolated(tmp_path, script.format(paths=PATHS))
