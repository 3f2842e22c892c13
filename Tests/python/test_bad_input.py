"""Malformed files of every kind: the command says what is wrong and where, with exit code 3, and leaves no trace."""

import os
import struct
import subprocess

import numpy as np
import pytest

from bad_files import (
    F32,
    GOOD,
    HEALTHY,
    MATMUL,
    NPY,
    SAFETENSORS,
    entry,
    external,
    make_node,
    make_npy,
    make_onnx,
    make_safetensors,
    make_tensor,
    number,
    text,
    varint,
    write_shards,
)
from conftest import ARGUMENT, COMMAND, DATA, RESOURCE


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
    ("half-out-of-range", make_onnx([make_tensor(dims=(1,), kind=10, data=text(5, varint(70000)))]), ['"w"', "70000"]),
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

UNSUPPORTED = {"pickle", "ZIP", "GGUF", "HDF5", "Git LFS", "opset 3", "opset 9999"}

FILES = [
    pytest.param(f"m.{kind}" if kind else "m", data, says, id=f"{kind or 'foreign'}-{name}")
    for kind, table in (("onnx", ONNX), ("safetensors", TENSORS), ("npy", ARRAYS), ("", FOREIGN))
    for name, data, says in table
]


@pytest.mark.parametrize("name, data, says", FILES)
def test_malformed_file(refused, tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    # A sound file of a kind that is not offered is a wrong request, PARE_E_UNSUPPORTED.
    code = ARGUMENT if UNSUPPORTED & set(says) else DATA
    refused(code, "prune", name, "-o", "out." + name.split(".")[-1], "--sparsity", "0.5", says=[*says, name])
    refused(code, "inspect", name, says=[*says, name])


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
