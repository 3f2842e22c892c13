"""What saved files say about their masks, and which of two tensors of one name a sharded model has."""

import json

import numpy as np
import pytest

pare = pytest.importorskip("pare", exc_type=ImportError)

DRAW = np.random.default_rng(5)


def normal(*shape):
    return DRAW.standard_normal(shape).astype(np.float32)


def saved(model, tmp_path):
    model.save(tmp_path / "out.safetensors", overwrite=True)
    return pare.load(tmp_path / "out.safetensors").metadata


def test_masks_that_are_gone_leave_no_provenance(tmp_path):
    model = pare.Model.from_arrays({"a": normal(8, 8)})
    assert saved(model, tmp_path) == {}
    model.prune("magnitude", 0.75)
    assert saved(model, tmp_path)["pare.sparsity"] == "0.75"
    del model.masks["a"]
    assert saved(model, tmp_path) == {}


def test_masks_that_were_changed(tmp_path):
    model = pare.Model.from_arrays({"a": normal(8, 8), "b": normal(8, 8)})
    model.prune("magnitude", pattern="2:4")
    model.masks["a"] = np.ones((8, 8), bool)
    found = saved(model, tmp_path)
    assert found["pare.criterion"].startswith("magnitude")
    assert found["pare.sparsity"] == "0.25" and found["pare.masks"] == "changed after pruning"


def test_applied_masks(command, tmp_path):
    values = normal(8, 8)
    model = pare.Model.from_arrays({"a": values})
    model.save(tmp_path / "in.safetensors")
    model.prune("magnitude", pattern="1:4")
    model.masks.save(tmp_path / "masks")
    assert command("apply", "in.safetensors", "masks", "-o", "out.safetensors", cwd=tmp_path).returncode == 0
    applied = pare.load(tmp_path / "out.safetensors")
    assert (applied.parameters["a"].array == model.parameters["a"].array).all()
    assert applied.metadata["pare.masks"] == "given" and applied.metadata["pare.sparsity"] == "0.75"
    assert applied.metadata["pare.pattern"].startswith("1:4 (1 kept and 3 removed")


def test_the_index_decides_which_shard(tmp_path):
    """A stale tensor of the same name in another shard is no parameter, and stays as it is."""
    save_file = pytest.importorskip("safetensors.numpy").save_file
    first, stale = {"fc.weight": normal(8, 8)}, {"fc.weight": normal(4, 4), "fc2.weight": normal(8, 8)}
    save_file(first, tmp_path / "m1.safetensors")
    save_file(stale, tmp_path / "m2.safetensors")
    index = {"metadata": {}, "weight_map": {"fc.weight": "m1.safetensors", "fc2.weight": "m2.safetensors"}}
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps(index))
    model = pare.load(tmp_path / "m.safetensors.index.json")
    assert {name: model.parameters[name].shape for name in model.parameters} == {
        "fc.weight": (8, 8),
        "fc2.weight": (8, 8),
    }
    assert len(model.parameters) == 2
    model.prune("magnitude", 0.5)
    (tmp_path / "out").mkdir()
    model.save(tmp_path / "out" / "m.safetensors.index.json")
    load_file = pytest.importorskip("safetensors.numpy").load_file
    assert (load_file(tmp_path / "out/m2.safetensors")["fc.weight"] == stale["fc.weight"]).all()
    assert (load_file(tmp_path / "out/m1.safetensors")["fc.weight"] == 0).sum() == 32
