"""Makes small model files byte by byte, right ones and wrong ones, without any library."""

import json
import struct

import numpy as np

F32 = np.arange(1, 17, dtype="<f4").tobytes()  # a 4 × 4 weight


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


def write_shards(folder, where, config="{}"):
    """Two shards with a tensor each, and an index that says `where` tensors are."""
    for name in "ab":
        (folder / f"{name}.safetensors").write_bytes(make_safetensors({f"{name}.weight": entry()}))
    index = where if isinstance(where, str) else json.dumps({"weight_map": where})
    (folder / "model.safetensors.index.json").write_text(index)
    if config is not None:
        (folder / "config.json").write_text(config)


GOOD = {"a.weight": "a.safetensors", "b.weight": "b.safetensors"}
