"""Models: reading, pruning, saving, errors."""

import gc
import json
import pickle

import numpy as np
import pytest
from python_support import load_safetensors, save_safetensors, weights

import pare


@pytest.fixture
def arrays():
    return {"a.weight": weights(32, 64), "b.weight": weights(16, 8, 3, 3, seed=1), "b.bias": weights(16, seed=2)}


@pytest.fixture
def path(tmp_path, arrays):
    return save_safetensors(tmp_path / "model.safetensors", arrays)


def test_round_trip(path, arrays, tmp_path):
    model = pare.load(path)
    assert model.format == "safetensors" and model.path == str(path) and model.graph is None
    assert set(model.parameters) == set(arrays) and len(model.parameters) == 3
    assert "a.weight" in model.parameters and "nothing" not in model.parameters
    target = tmp_path / "copy.safetensors"
    model.save(target, provenance=False)
    saved = load_safetensors(target)
    assert all(np.array_equal(saved[name], arrays[name]) for name in arrays) and set(saved) == set(arrays)


def test_prune_and_save(path, arrays, tmp_path):
    model = pare.load(path)
    report = model.prune("magnitude", 0.75)
    assert report.sparsity == 0.75
    pruned = {layer.name: layer for layer in report.layers if layer.pruned}
    assert set(pruned) == {"a.weight", "b.weight"}
    assert pruned["a.weight"].zeros == 1536 and pruned["a.weight"].kept == 512 and pruned["a.weight"].sparsity == 0.75
    data = report.to_dict()
    assert json.loads(json.dumps(data)) == data and data["sparsity"] == 0.75
    assert "a.weight" in repr(report) and "75.00 %" in repr(report)
    target = tmp_path / "pruned.safetensors"
    model.save(target)
    saved = load_safetensors(target)
    for name, array in arrays.items():
        threshold = np.quantile(np.abs(array), 0.75) if name != "b.bias" else 0
        assert np.array_equal(saved[name], np.where(np.abs(array) > threshold, array, 0))
    with pytest.raises(pare.PareError):
        model.save(target)
    model.save(target, overwrite=True)
    with pytest.raises(pare.ArgumentError):
        model.save(path, overwrite=True)
    assert np.array_equal(load_safetensors(path)["a.weight"], arrays["a.weight"])


def test_requests(path):
    model = pare.load(path)
    model.prune("magnitude", 0.5, include="a.*")
    assert list(model.masks) == ["a.weight"]
    del model.masks["a.weight"]
    model.prune("magnitude", 0.5, exclude=["a.*"])
    assert list(model.masks) == ["b.weight"]
    model.masks.clear()
    report = model.prune(pare.criteria.magnitude(norm="l1"), 0.5, pattern="row", allocation=pare.allocators.uniform())
    assert report.to_dict()["options"]["criterion.norm"] == "l1"
    assert model.parameters["a.weight"].mask.complies("row")
    model.prune(pattern="2:4", include="a.weight")
    assert model.parameters["a.weight"].mask.complies("2:4")
    model.masks.clear()
    assert model.prune("magnitude", 0.5, dry_run=True).sparsity >= 0 and not model.masks
    before = model.prune("magnitude", 0.5).sparsity
    assert model.prune("magnitude", 0.8, keep_masks=True).sparsity > before
    for wrong in ({"include": "zzz*"}, {"exclude": "zzz*"}):
        with pytest.raises(pare.RequestError):
            model.prune("magnitude", 0.5, **wrong)
    with pytest.raises(pare.NothingToDoError):
        model.prune("magnitude", 0.0, strict=True)


def test_global_allocation_is_one_threshold(arrays, path):
    model = pare.load(path)
    report = model.prune("magnitude", 0.6, allocation="global")
    pool = np.sort(np.abs(np.concatenate([arrays[name].reshape(-1) for name in ("a.weight", "b.weight")])))
    removed = round(0.6 * pool.size)
    kept = [np.abs(arrays[name])[model.parameters[name].mask.numpy()] for name in ("a.weight", "b.weight")]
    assert np.array_equal(np.sort(np.concatenate(kept)), pool[removed:])
    assert abs(report.sparsity - removed / pool.size) < 1e-12


def test_masks(path, arrays, tmp_path):
    model = pare.load(path)
    assert model.parameters["a.weight"].mask is None and not model.masks
    wanted = arrays["a.weight"] > 0
    model.parameters["a.weight"].mask = wanted
    assert np.array_equal(model.parameters["a.weight"].array, arrays["a.weight"] * wanted)
    model.prune("magnitude", 0.5, include="b.*")
    target = tmp_path / "masks.safetensors"
    model.masks.save(target)
    with pytest.raises(pare.PareError):
        model.masks.save(target)
    other = pare.load(path)
    other.masks.load(target)
    assert {name: other.masks[name] for name in other.masks} == {name: model.masks[name] for name in model.masks}
    model.parameters["a.weight"].mask = None
    assert np.array_equal(model.parameters["a.weight"].array, arrays["a.weight"])
    with pytest.raises(pare.ShapeError):
        model.masks["a.weight"] = np.ones((64, 32), bool)
    with pytest.raises(KeyError):
        model.masks["a.weight"]
    with pytest.raises(pare.PareError):
        pare.Model.from_arrays({"x": weights(2, 2)}).masks.load(target)


def test_measure(path):
    model = pare.load(path)
    model.prune("magnitude", 0.5)
    measured = model.measure("sparsity")
    assert measured["sparsity"] == 0.5
    assert measured.to_dict()["metric"]["id"] == "sparsity"
    assert "sparsity" in repr(measured)
    assert model.measure(pare.metrics.size()).values


def test_from_arrays(tmp_path):
    model = pare.Model.from_arrays({"w": weights(4, 4), "g": np.ones(4)}, roles={"g": "norm-scale"})
    assert model.format == "memory" and model.parameters["g"].role == "norm-scale"
    assert model.parameters["w"].role == "weight" and model.parameters["w"].prunable
    assert not model.parameters["g"].prunable and model.parameters["g"].reason
    with pytest.raises(pare.ArgumentError):
        model.add("x", np.ones(3), "wight")
    with pytest.raises(pare.PareError):
        model.add("w", np.ones(3))
    with pytest.raises(ValueError):
        model.add("a\0b", np.ones(3))
    model.save(tmp_path / "m.safetensors")
    assert np.array_equal(load_safetensors(tmp_path / "m.safetensors")["w"], weights(4, 4))


def test_closing(path, arrays):
    with pare.load(path) as model:
        array = model.parameters["a.weight"].array
        parameter = model.parameters["a.weight"]
    with pytest.raises(pare.StateError):
        model.prune("magnitude", 0.5)
    with pytest.raises(pare.StateError):
        parameter.array
    assert np.array_equal(array, arrays["a.weight"]) and repr(model) == "<Model, closed>"


def test_model_outlives_its_context(path):
    context = pare.Context()
    model = pare.load(path, context)
    del context
    gc.collect()
    assert model.prune("magnitude", 0.5).sparsity == 0.5


def test_metadata(tmp_path):
    from safetensors.numpy import save_file

    save_file({"w": weights(4, 4)}, str(tmp_path / "m.safetensors"), metadata={"format": "pt", "größe": "é"})
    assert pare.load(tmp_path / "m.safetensors").metadata == {"format": "pt", "größe": "é"}


ERRORS = [
    (lambda m, d: pare.load(d / "absent.onnx"), pare.PareError, "absent.onnx"),
    (lambda m, d: pare.load(d / "broken.safetensors"), pare.FormatError, "broken.safetensors"),
    (lambda m, d: pare.load("a\0b"), ValueError, "NUL"),
    (lambda m, d: m.parameters["a.wieght"], pare.NotFoundError, "a.weight"),
    (lambda m, d: m.prune("magnitud", 0.5), pare.NotFoundError, "magnitude"),
    (lambda m, d: m.prune("magnitude", 0.5, allocation="erkk"), pare.NotFoundError, "erk"),
    (lambda m, d: m.measure("sparsty"), pare.NotFoundError, "sparsity"),
    (lambda m, d: m.prune("magnitude", 0.5, nrm="l1"), pare.OptionError, "norm"),
    (lambda m, d: m.prune("magnitude", 0.5, norm="l3"), pare.OptionError, "l1"),
    (lambda m, d: pare.score("magnitude", weights(2, 2), norm="L1"), pare.OptionError, "l1"),
    (lambda m, d: m.prune("magnitude", 1.5), pare.ArgumentError, "1.5"),
    (lambda m, d: m.prune("magnitude", float("nan")), pare.ArgumentError, "nan"),
    (lambda m, d: m.prune("magnitude"), TypeError, "sparsity"),
    (lambda m, d: m.prune("magnitude", 0.5, seed=-1), pare.ArgumentError, "-1"),
    (lambda m, d: m.prune("magnitude", 0.5, pattern=3), TypeError, "int"),
    (lambda m, d: m.prune("magnitude", 0.5, progress="yes"), TypeError, "yes"),
    (lambda m, d: m.prune(pare.allocators.erk(), 0.5), pare.ArgumentError, "allocator"),
    (lambda m, d: m.save(d / "x.onnx", format="onx"), pare.ArgumentError, "onnx"),
    (lambda m, d: m.save(d / "no" / "such" / "folder.safetensors"), pare.PareError, "folder"),
    (lambda m, d: m.parameters[0], TypeError, "int"),
    (lambda m, d: pare.plugin("magnitude", "criterium"), pare.ArgumentError, "criterion"),
    (lambda m, d: pare.plugin("magnitude", "other.kind/7"), pare.NotFoundError, "kind"),
    (lambda m, d: pare.default_context().load(d / "broken.safetensors"), pare.PluginError, "broken"),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors(number, path, tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 40)
    make, kind, says = ERRORS[number]
    model = pare.load(path)
    with pytest.raises(kind) as caught:
        make(model, tmp_path)
    assert says in str(caught.value)
    assert not model.masks and all(p.name != "x.onnx" for p in tmp_path.iterdir()), "nothing was changed"
    if isinstance(caught.value, pare.PareError):
        assert caught.value.status == type(caught.value).status or type(caught.value) is pare.PareError
        assert caught.value.name.startswith("PARE_E_") and "?" not in caught.value.name
        again = pickle.loads(pickle.dumps(caught.value))
        assert (type(again), str(again), again.hint) == (kind_of(caught), str(caught.value), caught.value.hint)


def kind_of(caught):
    return type(caught.value)


def test_nonfinite():
    bad = weights(4, 4)
    bad[1, 2] = np.nan
    model = pare.Model.from_arrays({"w": bad})
    with pytest.raises(pare.NonFiniteError) as caught:
        model.prune("magnitude", 0.5)
    assert "w" in caught.value.where
    assert model.prune("magnitude", 0.5, allow_nonfinite=True).sparsity == 0.5


def test_error_classes_cover_the_statuses():
    from pare import _abi, errors

    for name, status in vars(_abi).items():
        if name.startswith("PARE_E_"):
            found = errors.error_class(status)
            assert found.status == status and found is not pare.PareError
            assert found("text").name == name
    assert errors.error_class(199) is pare.RequestError and errors.error_class(599) is pare.PluginError
    assert errors.error_class(12345) is pare.InternalError and errors.error_class(301) is pare.OutOfMemoryError
    assert issubclass(pare.OutOfMemoryError, MemoryError) and issubclass(pare.NotFoundError, KeyError)


def test_graph(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is needed to make a model with a graph")
    from onnx import TensorProto, helper, numpy_helper

    w = numpy_helper.from_array(weights(8, 3, 3, 3), "conv.weight")
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight"], ["y"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["y"], ["z"], "relu"),
    ]
    value = helper.make_tensor_value_info
    x, z = value("x", TensorProto.FLOAT, [1, 3, 16, 16]), value("z", TensorProto.FLOAT, [1, 8, 16, 16])
    graph = helper.make_graph(nodes, "g", [x], [z], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, str(tmp_path / "m.onnx"))

    loaded = pare.load(tmp_path / "m.onnx")
    assert loaded.format == "onnx"
    conv, relu = loaded.graph.nodes
    assert [node.op for node in loaded.graph.nodes] == ["Conv", "Relu"] and conv.name == "conv" and conv.known
    assert conv.attributes["pads"] == "[1, 1, 1, 1]"
    assert conv.macs == 8 * 3 * 3 * 3 * 16 * 16 and conv.parameters == 216
    assert [v.name for v in conv.inputs] == ["x", "conv.weight"] and conv.outputs[0].name == "y"
    assert conv.outputs[0].readers[0].op == "Relu" and relu.inputs[0].producer.op == "Conv"
    assert conv.inputs[0].shape == (1, 3, 16, 16) and conv.inputs[0].dtype == "float32"
    assert conv.inputs[0].producer is None and conv.inputs[1].parameter == 0
    assert loaded.graph.totals.macs == conv.macs and loaded.graph.totals.unknown_nodes == 0
    assert loaded.graph.nodes[-1].op == "Relu" and len(loaded.graph.nodes[:1]) == 1
    with pytest.raises(IndexError):
        loaded.graph.nodes[2]
    assert loaded.parameters["conv.weight"].readers == 1 and loaded.parameters["conv.weight"].role == "weight"
    loaded.prune("magnitude", 0.5)
    loaded.save(tmp_path / "out.onnx")
    saved = numpy_helper.to_array(onnx.load(str(tmp_path / "out.onnx")).graph.initializer[0])
    assert (saved == 0).sum() == 108


def test_sparsity_in_the_commands_words():
    model = pare.Model.from_arrays({"w": np.arange(1, 33, dtype=np.float32).reshape(4, 8)})
    assert model.prune(sparsity="2:4").sparsity == 0.5 and model.parameters["w"].mask.complies("2:4")
    assert model.prune(sparsity="row@0.25").sparsity == 0.25 and not model.parameters["w"].array[0].any()
    assert model.prune(sparsity="0.5").sparsity == 0.5
    with pytest.raises(pare.ArgumentError):
        model.prune(sparsity="2:4:8")
    with pytest.raises(TypeError, match="own pattern"):
        model.prune(sparsity="2:4", pattern="row")
