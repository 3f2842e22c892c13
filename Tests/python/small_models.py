"""Small models for the tests of formats, made with onnx and safetensors, and what these libraries read back."""

import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("safetensors")
pare = pytest.importorskip("pare", exc_type=ImportError)

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

DRAW = np.random.default_rng(7)
FLOAT = TensorProto.FLOAT


def normal(*shape, dtype=np.float32):
    return DRAW.standard_normal(shape).astype(dtype)


def tensor(name, array, **fields):
    made = numpy_helper.from_array(np.ascontiguousarray(array), name)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def build(nodes, initializers, inputs, outputs, opset=17, **more):
    graph = helper.make_graph(nodes, "net", inputs, outputs, initializers)
    imports = [helper.make_opsetid("", opset), *more.pop("domains", [])]
    model = helper.make_model(graph, opset_imports=imports, **more)
    model.ir_version = min(model.ir_version, 10)
    return model


def linear(weight, opset=17, **more):
    """y = x W for a weight [in, out]."""
    w = weight if isinstance(weight, onnx.TensorProto) else tensor("w", weight)
    kind = w.data_type
    nodes = [helper.make_node("MatMul", ["x", w.name], ["y"])]
    return build(nodes, [w], [value("x", ["N", w.dims[0]], kind)], [value("y", ["N", w.dims[1]], kind)], opset, **more)


def stored(path):
    model = onnx.load(str(path))
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def run(path, **inputs):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, inputs)


def prune(path, sparsity=0.5, target=None, provenance=False, check=True, **options):
    """Prune by magnitude into a file beside the source. Returns (report, path)."""
    target = target or path.with_name("pruned-" + path.name)
    with pare.load(path) as model:
        report = model.prune("magnitude", sparsity, **options)
        model.save(target, provenance=provenance)
    if check and target.suffix == ".onnx":
        onnx.checker.check_model(str(target), full_check=True)
    return report, target


def pruned_names(report):
    return [layer.name for layer in report.layers if layer.pruned]


def assert_halved(before, after):
    """Half of the values are zero, the smaller half; the others are the same to the bit."""
    assert before.dtype == after.dtype and before.shape == after.shape
    mask = after != 0
    assert np.count_nonzero(~mask) == before.size // 2
    assert before[mask].tobytes() == after[mask].tobytes()
    assert np.abs(before[~mask].astype(np.float64)).max() <= np.abs(before[mask].astype(np.float64)).min()


def assert_unchanged_save(path, target):
    with pare.load(path) as model:
        model.save(target)
    assert target.read_bytes() == path.read_bytes()


def half(name):
    """numpy's type for a name; bfloat16 comes from ml_dtypes."""
    return pytest.importorskip("ml_dtypes").bfloat16 if name == "bfloat16" else np.dtype(name).type


def raw_safetensors(path, entries, metadata=None):
    """A safetensors file from (dtype, shape, bytes) by name, for types that numpy lacks."""
    header, at = ({"__metadata__": metadata} if metadata else {}), 0
    for name, (dtype, shape, data) in entries.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data for _, _, data in entries.values()))


def read_raw(path):
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:end])
    entries.pop("__metadata__", None)
    return {
        name: (e["dtype"], tuple(e["shape"]), data[end + e["data_offsets"][0] : end + e["data_offsets"][1]])
        for name, e in entries.items()
    }
