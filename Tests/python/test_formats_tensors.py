"""Files without a graph (safetensors, shards, folders, .npy), mask files, ties and the bits of zeros."""

import json

import numpy as np
import pytest

import references as reference
from small_models import (
    DRAW,
    assert_halved,
    assert_unchanged_save,
    build,
    half,
    linear,
    normal,
    pare,
    prune,
    pruned_names,
    stored,
    tensor,
    value,
)

from onnx import helper
from safetensors import safe_open
from safetensors.numpy import load_file, save_file


class TestSafetensors:
    def test_metadata_and_order(self, tmp_path):
        path = tmp_path / "m.safetensors"
        arrays = {"z.weight": normal(8, 8), "a.weight": normal(8, 4), "a.bias": normal(8), "n": np.array(3)}
        save_file(arrays, path, metadata={"format": "pt", "ünï": "cödé", "pare": "mine"})
        report, target = prune(path, provenance=True)
        assert sorted(pruned_names(report)) == ["a.weight", "z.weight"]
        with safe_open(path, "np") as old, safe_open(target, "np") as new:
            assert list(old.keys()) == list(new.keys())
            metadata = dict(new.metadata())
            assert metadata["format"] == "pt" and metadata["ünï"] == "cödé"
            assert any(key.startswith("pare.") for key in metadata)
        for name in ("a.bias", "n"):
            assert load_file(target)[name].tobytes() == arrays[name].tobytes()

    def test_unchanged(self, tmp_path):
        path = tmp_path / "m.safetensors"
        save_file({"a.weight": normal(3, 3), "e": np.zeros((0, 2), np.float32)}, path, metadata={"k": "v"})
        assert_unchanged_save(path, tmp_path / "same.safetensors")

    def test_empty_file_of_no_tensors(self, tmp_path):
        path = tmp_path / "m.safetensors"
        save_file({}, path)
        with pare.load(path) as model:
            assert len(model.parameters) == 0
            report = model.prune("magnitude", 0.5)
            assert report.notes
        assert_unchanged_save(path, tmp_path / "same.safetensors")

    def shards(self, folder):
        """Three shards, one of them in a subfolder, and an index as transformers writes it."""
        arrays = {f"layer{i}.weight": normal(16, 8) for i in range(6)}
        names = [f"model-0000{k + 1}-of-00003.safetensors" for k in range(3)]
        where = {}
        for k, shard in enumerate(names):
            part = {name: arrays[name] for name in list(arrays)[2 * k : 2 * k + 2]}
            save_file(part, folder / shard, metadata={"format": "pt"})
            where |= {name: shard for name in part}
        index = folder / "model.safetensors.index.json"
        index.write_text(json.dumps({"metadata": {"total_size": 3072}, "weight_map": where}, indent=2))
        return index, arrays, names

    def test_three_shards(self, tmp_path):
        source, target = tmp_path / "in", tmp_path / "out"
        source.mkdir(), target.mkdir()
        index, arrays, names = self.shards(source)
        with pare.load(index) as model:
            assert model.format == "sharded" and set(model.parameters) == set(arrays)
            report = model.prune("magnitude", 0.5, include=["layer0.*", "layer5.*"])
            model.save(target / index.name, provenance=False)
        assert pruned_names(report) == ["layer0.weight", "layer5.weight"]
        assert sorted(p.name for p in target.iterdir()) == sorted([*names, index.name])
        assert (target / index.name).read_bytes() == index.read_bytes()
        assert (target / names[1]).read_bytes() == (source / names[1]).read_bytes()
        after = {name: array for shard in names for name, array in load_file(target / shard).items()}
        for name, old in arrays.items():
            if name in pruned_names(report):
                assert_halved(old, after[name])
            else:
                assert old.tobytes() == after[name].tobytes()

    def test_a_folder_of_shards(self, tmp_path):
        source = tmp_path / "in"
        source.mkdir()
        index, arrays, names = self.shards(source)
        (source / "config.json").write_text('{"model_type": "llama"}')
        (source / "tokenizer.json").write_text("{}")
        (source / "notes").mkdir()
        (source / "notes" / "README.md").write_text("hello")
        with pare.load(source) as model:
            assert model.format == "hugging-face"
            model.prune("magnitude", 0.5)
            model.save(tmp_path / "out")
        old = {p.relative_to(source): p.read_bytes() for p in source.rglob("*") if p.is_file()}
        new = {p.relative_to(tmp_path / "out"): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
        assert old.keys() == new.keys()
        assert all(new[name] == data for name, data in old.items() if "safetensors" not in name.name)
        meta = json.loads(new[index.relative_to(source)])
        assert meta["metadata"]["total_size"] == 3072, "a number stays a number"
        for shard in names:
            for name, array in load_file(tmp_path / "out" / shard).items():
                assert_halved(arrays[name], array)

    def test_one_file_of_shards(self, tmp_path):
        index, arrays, _ = self.shards(tmp_path)
        with pare.load(index) as model:
            model.prune("magnitude", 0.5)
            model.save(tmp_path / "one.safetensors", format="safetensors")
        after = load_file(tmp_path / "one.safetensors")
        assert set(after) == set(arrays)
        for name, old in arrays.items():
            assert_halved(old, after[name])


class TestNpy:
    @pytest.mark.parametrize("order", "CF")
    @pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2"])
    def test_prune(self, tmp_path, order, dtype):
        weight = np.asarray(normal(8, 6), dtype=dtype, order=order)
        path = tmp_path / "w.npy"
        np.save(path, weight)
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert_halved(np.ascontiguousarray(weight), np.load(target))

    def test_big_endian_is_refused(self, tmp_path):
        np.save(tmp_path / "w.npy", normal(8, 6).astype(">f4"))
        with pytest.raises(pare.DTypeError, match=">f4"):
            pare.load(tmp_path / "w.npy")

    def test_unchanged(self, tmp_path):
        for version in ((1, 0), (2, 0), (3, 0)):
            path = tmp_path / f"w{version[0]}.npy"
            with open(path, "wb") as file:
                np.lib.format.write_array(file, normal(5, 4), version=version)
            assert_unchanged_save(path, tmp_path / f"same{version[0]}.npy")

    def test_converts_to_safetensors(self, tmp_path):
        weight = normal(5, 4)
        np.save(tmp_path / "w.npy", weight)
        with pare.load(tmp_path / "w.npy") as model:
            (name,) = model.parameters
            model.save(tmp_path / "w.safetensors", format="safetensors")
        assert load_file(tmp_path / "w.safetensors")[name].tobytes() == weight.tobytes()


class TestMasks:
    def test_save_load_apply(self, write):
        path = write(TestMasks.network())
        masks, direct, applied = (path.with_name(name) for name in ("m.safetensors", "direct.onnx", "applied.onnx"))
        with pare.load(path) as model:
            model.prune("magnitude", 0.6, allocation="global")
            kept = {name: model.masks[name].numpy() for name in model.masks}
            model.masks.save(masks)
            model.save(direct, provenance=False)
        with pare.load(path) as model:
            model.masks.load(masks)
            assert {name: model.masks[name].kept for name in model.masks} == {k: m.sum() for k, m in kept.items()}
            model.save(applied, provenance=False)
        assert direct.read_bytes() == applied.read_bytes()
        # Any safetensors reader opens the file (docs/mask-file.md).
        with safe_open(masks, "np") as file:
            assert sorted(file.keys()) == sorted(kept)
            for name, mask in kept.items():
                assert json.loads(file.metadata()["shape:" + name]) == list(mask.shape)
                bits = np.unpackbits(file.get_tensor(name), bitorder="little")
                assert np.array_equal(bits[: mask.size].reshape(mask.shape).astype(bool), mask)
                assert not bits[mask.size :].any()

    @staticmethod
    def network():
        nodes = [
            helper.make_node("Conv", ["x", "c"], ["a"]),
            helper.make_node("Flatten", ["a"], ["f"]),
            helper.make_node("Gemm", ["f", "g", "b"], ["y"], transB=1),
        ]
        tensors = [tensor("c", normal(5, 3, 3, 3)), tensor("g", normal(7, 20)), tensor("b", normal(7))]
        return build(nodes, tensors, [value("x", ["N", 3, 4, 4])], [value("y", ["N", 7])])

    def test_masks_of_another_model_are_refused_whole(self, write, tmp_path):
        path = write(self.network())
        other = write(linear(normal(6, 6)), "other.onnx")
        with pare.load(path) as model:
            model.prune("magnitude", 0.5)
            model.masks.save(tmp_path / "m.safetensors")
        with pare.load(other) as model:
            with pytest.raises(pare.PareError):
                model.masks.load(tmp_path / "m.safetensors")
            assert not len(model.masks)

    def test_kept_masks_only_grow(self, write):
        path = write(self.network())
        with pare.load(path) as model:
            model.prune("magnitude", 0.5)
            first = {name: model.masks[name].numpy() for name in model.masks}
            model.prune("random", 0.8, keep_masks=True)
            for name, mask in first.items():
                assert not (model.masks[name].numpy() & ~mask).any()
                assert model.masks[name].sparsity == pytest.approx(0.8, abs=0.02)

    def test_detaching_shows_the_original(self, write):
        path = write(self.network())
        with pare.load(path) as model:
            before = model.parameters["g"].array.copy()
            model.prune("magnitude", 0.9)
            assert np.count_nonzero(model.parameters["g"].array) < before.size
            del model.masks["g"]
            assert model.parameters["g"].array.tobytes() == before.tobytes()


class TestTies:
    """Of equal scores the lower flat index of the stored array is kept, whatever the type."""

    @pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
    @pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.77])
    def test_element(self, write, name, sparsity):
        weight = DRAW.choice([-2, -1, 1, 2], (24, 20)).astype(half(name))
        path = write(linear(weight))
        _, target = prune(path, sparsity)
        mask = reference.remove(np.abs(weight).astype(np.float64), round(sparsity * weight.size))
        assert np.array_equal(stored(target)["w"] != 0, mask)

    def test_across_layers(self, write):
        """In one ranking of all layers the earlier layer counts as lower."""
        a, b = np.ones((6, 6), np.float32), np.ones((6, 4), np.float32)
        nodes = [helper.make_node("MatMul", ["x", "a"], ["h"]), helper.make_node("MatMul", ["h", "b"], ["y"])]
        path = write(build(nodes, [tensor("a", a), tensor("b", b)], [value("x", ["N", 6])], [value("y", ["N", 4])]))
        _, target = prune(path, 0.5, allocation="global")
        flat = np.concatenate([stored(target)[name].ravel() for name in "ab"])
        assert flat.tolist() == [1] * 30 + [0] * 30

    def test_n_of_m(self, write):
        _, target = prune(write(linear(np.ones((8, 3), np.float32))), None, pattern="2:4")
        assert stored(target)["w"].T.tolist() == [[1, 1, 0, 0, 1, 1, 0, 0]] * 3

    def test_close_doubles(self, write):
        """Scores of magnitude are float32 (plugins/magnitude/README.md): doubles that are equal there tie."""
        weight = np.full((4, 4), 1.0) + np.arange(16).reshape(4, 4)[::-1] * 1e-12
        _, target = prune(write(linear(weight)), 0.5)
        assert (stored(target)["w"] != 0).ravel().tolist() == [True] * 8 + [False] * 8


class TestNegativeZero:
    def test_bits_of_kept_values_survive(self, tmp_path):
        """-0.0 that is kept stays -0.0; what is removed becomes +0.0; denormals stay."""
        weight = np.array([[-0.0, 1e-45, -2.0, 3.0], [-4.0, 5.0, -6.0, 7.0]], np.float32)
        np.save(tmp_path / "w.npy", weight)
        _, target = prune(tmp_path / "w.npy", 0.25)
        after = np.load(target)
        assert after.view(np.uint32)[0, 0] == 0 and after.view(np.uint32)[0, 1] == 0
        assert after.ravel()[2:].tobytes() == weight.ravel()[2:].tobytes()
        _, target = prune(tmp_path / "w.npy", 1 / 8, target=tmp_path / "less.npy")
        after = np.load(target)
        assert after.view(np.uint32)[0, 0] == 0 and after[0, 1] == np.float32(1e-45)
