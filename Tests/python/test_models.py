"""Pruning trained networks: masks against numpy, files against onnx and safetensors, results against onnxruntime and
transformers. Needs the shared data; skips where it is absent."""

import json
import math

import numpy as np
import pytest

import references as reference
from conftest import SHARED, shared_path

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
safetensors = pytest.importorskip("safetensors")
pare = pytest.importorskip("pare", exc_type=ImportError)

from onnx import numpy_helper  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402

RESNET = "cifar10_resnet20/resnet20.onnx"
ONNX_MODELS = [
    "cifar10_densenet_bc_46/densenet_bc_46.onnx",
    "cifar10_mobile_ds/mobile_ds.onnx",
    RESNET,
    "cifar10_resnet56/resnet56.onnx",
    "cifar10_resnet8/resnet8.onnx",
    "cifar10_vgg_small/vgg_small.onnx",
    "cifar10_vit_d128/vit_d128.onnx",
    "mnist_lenet300/lenet300.onnx",
    "mnist_lenet5/lenet5.onnx",
    "speech_fsdd_tdnn/tdnn.onnx",
]


def arrays(path):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer}


def weights_in_order(path):
    """Weights of convolutions and linear layers as the nodes come, rows first; for networks of Conv and Gemm."""
    model = onnx.load(str(path))
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type == "Gemm":
            assert [a.i for a in node.attribute if a.name == "transB"] == [1]
        if node.op_type in ("Conv", "Gemm"):
            found[node.input[1]] = stored[node.input[1]]
    return found


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def assert_pruned_as(before, after, masks):
    """Removed weights are +0.0, all others and all other tensors are the same to the bit."""
    assert before.keys() == after.keys()
    for name, old in before.items():
        expected = np.where(masks[name], old, old.dtype.type(0)) if name in masks else old
        assert same_bits(expected, after[name]), (
            f"{name}: {np.count_nonzero(expected != after[name])} of {old.size} values differ"
        )


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def cifar():
    """The 1000 lossless test images as the networks want them, and their labels."""
    data = np.load(shared_path("cifar10/test_first1000.npz"))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    images = ((data["x"] / 255 - mean) / deviation).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images, np.float32), data["y"]


def accuracy(path, cifar):
    images, labels = cifar
    runtime = session(path)
    return float(np.mean(runtime.run(None, {runtime.get_inputs()[0].name: images})[0].argmax(1) == labels))


@pytest.fixture
def prune(tmp_path):
    """prune(path, …): prunes, saves, checks; returns (report, path of the result)."""

    def run(path, *arguments, **options):
        with pare.load(path) as model:
            report = model.prune(*arguments, **options)
            target = tmp_path / path.name
            model.save(target)
        onnx.checker.check_model(str(target), full_check=True)
        return report, target

    return run


# Floors of the accuracy on 1000 test images after one-shot pruning, a little under what was measured (dense: 0.915).
FLOORS = {
    "uniform": {0.3: 0.89, 0.5: 0.70, 0.7: 0.15, 0.9: 0.05},
    "uniform-plus": {0.3: 0.89, 0.5: 0.70, 0.7: 0.15, 0.9: 0.05},
    "erk": {0.3: 0.90, 0.5: 0.80, 0.7: 0.30, 0.9: 0.05},
    "global": {0.3: 0.90, 0.5: 0.85, 0.7: 0.50, 0.9: 0.05},
}


class TestResNet20:
    """Masks of a CIFAR-10 ResNet-20 equal numpy's; accuracy is what onnxruntime makes of the saved file."""

    @pytest.fixture
    def path(self, shared):
        return shared(RESNET)

    @pytest.fixture
    def weights(self, path):
        return weights_in_order(path)

    @pytest.mark.parametrize("allocation", FLOORS)
    def test_magnitude(self, path, weights, cifar, prune, allocation, record_property):
        shapes = [weight.shape for weight in weights.values()]
        scores = {name: np.abs(weight) for name, weight in weights.items()}
        total = sum(weight.size for weight in weights.values())
        measured = {}
        for sparsity, floor in FLOORS[allocation].items():
            report, target = prune(path, "magnitude", sparsity, allocation=allocation)
            if allocation == "global":
                masks = reference.together(scores, sparsity)
            else:
                quotas = getattr(reference, allocation.replace("-", "_"))(shapes, sparsity)
                masks = reference.separately(scores, quotas)
            target.rename(target.with_name("pruned.onnx"))
            target = target.with_name("pruned.onnx")
            assert_pruned_as(arrays(path), arrays(target), masks)
            removed = sum(int((~mask).sum()) for mask in masks.values())
            assert removed == round(sparsity * total)
            assert report.sparsity == pytest.approx(removed / total, abs=1e-12)
            zeros = {layer.name: layer.zeros for layer in report.layers if layer.pruned}
            assert zeros == {name: int((~mask).sum()) for name, mask in masks.items()}
            measured[sparsity] = accuracy(target, cifar)
            target.unlink()
        record_property("accuracy", json.dumps(measured))
        print(f"\n{allocation}: {measured}")
        for sparsity, floor in FLOORS[allocation].items():
            assert measured[sparsity] >= floor
        falling = list(measured.values())
        assert all(later <= earlier + 0.02 for earlier, later in zip(falling, falling[1:]))

    @pytest.mark.parametrize("n, m, floor", [(2, 4, 0.70), (4, 8, 0.75)])
    def test_n_of_m(self, path, weights, cifar, prune, n, m, floor, record_property):
        names = {name: weight for name, weight in weights.items() if weight.shape[1] % m == 0}
        assert set(weights) - set(names) == {"conv1.weight"}, "three input channels"
        with pytest.raises(pare.ShapeError, match="conv1.weight"):
            prune(path, "magnitude", pattern=f"{n}:{m}")
        report, target = prune(path, "magnitude", pattern=pare.Pattern.parse(f"{n}:{m}", remainder="skip"))
        assert_pruned_as(
            arrays(path), arrays(target), {k: reference.keep_n_of_m(w, n, m) for k, w in names.items()}
        )
        assert report.sparsity == 1 - n / m
        record_property("accuracy", accuracy(target, cifar))
        print(f"\n{n}:{m}: {accuracy(target, cifar)}")
        assert accuracy(target, cifar) >= floor

    @pytest.mark.parametrize("pattern, sparsity, floor", [("block:4x1", 0.5, 0.3), ("row", 0.1, 0.3), ("column", 0.3, 0.3)])
    def test_structures(self, path, weights, cifar, prune, pattern, sparsity, floor, record_property):
        options = {}
        if pattern.startswith("block"):
            options["exclude"] = "linear.weight"  # ten rows
            weights = {name: weight for name, weight in weights.items() if name != "linear.weight"}
        scores, expand = {}, {}
        for name, weight in weights.items():
            matrix = reference.rows(weight)
            if pattern == "row":
                scores[name] = reference.norms(matrix, 1)
                expand[name] = lambda mask, w=weight: np.broadcast_to(mask[:, None], reference.rows(w).shape)
            elif pattern == "column":
                scores[name] = reference.norms(matrix, 0)
                expand[name] = lambda mask, w=weight: np.broadcast_to(mask[None], reference.rows(w).shape)
            else:
                scores[name] = reference.norms(matrix.reshape(-1, 4, matrix.shape[1]), 1)
                expand[name] = lambda mask, w=weight: np.repeat(mask, 4, axis=0)
        masks = reference.separately(scores, reference.uniform(scores, sparsity))
        masks = {name: expand[name](mask).reshape(weights[name].shape) for name, mask in masks.items()}
        _, target = prune(path, "magnitude", sparsity, pattern=pattern, **options)
        assert_pruned_as(arrays(path), arrays(target), masks)
        record_property("accuracy", accuracy(target, cifar))
        print(f"\n{pattern} {sparsity}: {accuracy(target, cifar)}")
        assert accuracy(target, cifar) >= floor

    def test_lamp(self, path, weights, cifar, prune):
        scores = {name: reference.lamp(weight) for name, weight in weights.items()}
        _, target = prune(path, "lamp", 0.7, allocation="global")
        assert_pruned_as(arrays(path), arrays(target), reference.together(scores, 0.7))
        print(f"\nlamp 0.7: {accuracy(target, cifar)}")
        assert accuracy(target, cifar) >= 0.5

    def test_fpgm(self, path, weights, prune):
        scores = {name: reference.fpgm(weight) for name, weight in weights.items()}
        masks = reference.separately(scores, reference.uniform(scores, 0.25))
        masks = {
            name: np.broadcast_to(mask.reshape(-1, *[1] * (weights[name].ndim - 1)), weights[name].shape)
            for name, mask in masks.items()
        }
        _, target = prune(path, "fpgm", 0.25, pattern="row")
        assert_pruned_as(arrays(path), arrays(target), masks)

    def test_norm_scale(self, path, weights, prune):
        stored = arrays(path)
        scores = {
            name: np.abs(stored[name.replace("conv", "bn")]) for name in weights if "conv" in name
        }
        masks = reference.separately(scores, reference.uniform(scores, 0.25))
        masks = {
            name: np.broadcast_to(mask[:, None, None, None], weights[name].shape) for name, mask in masks.items()
        }
        _, target = prune(path, "norm-scale", 0.25, pattern="row", exclude="linear.weight")
        assert_pruned_as(stored, arrays(target), masks)
        with pytest.raises(pare.UnsupportedError, match="linear.weight"):
            prune(path, "norm-scale", 0.25, pattern="row")

    def test_random_follows_its_seed(self, path, weights, prune):
        masks = []
        for seed in (1, 1, 2):
            _, target = prune(path, "random", 0.5, seed=seed)
            masks.append({name: after != 0 for name, after in arrays(target).items() if name in weights})
            target.unlink()
        assert all(np.array_equal(masks[0][name], masks[1][name]) for name in weights)
        assert not any(np.array_equal(masks[0][name], masks[2][name]) for name in weights)
        for name, weight in weights.items():
            assert masks[0][name].sum() == weight.size / 2
        # Draws are fair: in 36,864 weights half are kept in each half, give or take five deviations.
        large = masks[0]["layer3.1.conv1.weight"].ravel()
        assert abs(large[: large.size // 2].mean() - 0.5) < 5 * 0.5 / math.sqrt(large.size)

    def test_threads_do_not_matter(self, path, prune):
        results = []
        for threads in (1, 5):
            with pare.load(path, pare.Context(threads=threads)) as model:
                model.prune("lamp", 0.8, allocation="global")
                results.append({name: model.masks[name].numpy() for name in model.masks})
        assert results[0].keys() == results[1].keys()
        assert all(np.array_equal(results[0][name], results[1][name]) for name in results[0])


def feed(runtime):
    """Made-up inputs of the right shapes."""
    draw = np.random.default_rng(0)
    return {
        value.name: draw.standard_normal([d if isinstance(d, int) else 2 for d in value.shape]).astype(np.float32)
        for value in runtime.get_inputs()
    }


@pytest.mark.parametrize("name", ONNX_MODELS, ids=lambda name: name.split("/")[0])
def test_half_of_every_model(name, shared, prune):
    path = shared(name)
    report, target = prune(path, "magnitude", 0.5)
    pruned = {layer.name: layer for layer in report.layers if layer.pruned}
    before, after = onnx.load(str(path)), onnx.load(str(target))
    old, new = ({t.name: t for t in m.graph.initializer} for m in (before, after))
    assert list(old) == list(new)
    changed = [name for name in old if old[name].SerializeToString() != new[name].SerializeToString()]
    assert changed == [name for name in old if name in pruned]
    for name in changed:
        a, b = numpy_helper.to_array(old[name]), numpy_helper.to_array(new[name])
        mask = b != 0
        assert same_bits(np.where(mask, a, np.float32(0)), b)
        assert np.abs(a)[~mask].max() <= np.abs(a)[mask].min()
        assert np.count_nonzero(b == 0) == pruned[name].zeros >= round(0.5 * a.size) - 1
    # Everything else is equal, field by field, but for the note on how it was pruned.
    for model in (before, after):
        del model.graph.initializer[:]
        del model.metadata_props[:]
    assert before.SerializeToString(deterministic=True) == after.SerializeToString(deterministic=True)

    dense, sparse = session(path), session(target)
    assert [(o.name, o.shape, o.type) for o in dense.get_outputs()] == [
        (o.name, o.shape, o.type) for o in sparse.get_outputs()
    ]
    inputs = feed(dense)
    for a, b in zip(dense.run(None, inputs), sparse.run(None, inputs)):
        assert a.shape == b.shape and np.isfinite(b).all() and not np.array_equal(a, b)


@pytest.mark.parametrize("name", ONNX_MODELS, ids=lambda name: name.split("/")[0])
def test_saving_unchanged_is_byte_identical(name, shared, tmp_path):
    path = shared(name)
    for source in (path, path.with_suffix(".safetensors")):
        with pare.load(source) as model:
            model.save(tmp_path / source.name)
        assert (tmp_path / source.name).read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", ONNX_MODELS, ids=lambda name: name.split("/")[0])
def test_safetensors_of_every_model(name, shared, tmp_path):
    path = shared(name).with_suffix(".safetensors")
    with pare.load(path) as model:
        report = model.prune("magnitude", 0.5)
        model.save(tmp_path / path.name)
    pruned = {layer.name for layer in report.layers if layer.pruned}
    before, after = load_file(path), load_file(tmp_path / path.name)
    assert before.keys() == after.keys()
    assert pruned
    for name, old in before.items():
        mask = after[name] != 0
        assert same_bits(np.where(mask, old, old.dtype.type(0)), after[name])
        assert not mask.all() or name not in pruned
        assert name in pruned or same_bits(old, after[name])


class TestLeNet300Quotas:
    """Published layer sparsities of LeNet-300-100 (235,200, 30,000 and 1,000 weights)."""

    # Vysogorets & Kempe, arXiv:2107.02306 and its code: ERK at compressions 100 and 10.
    CASES = [
        ("erk", {"repair": "rescale"}, 0.99, (0.992303, 0.977733, 0.816299)),
        ("erk", {"repair": "es"}, 0.9, (0.923032, 0.749431, 0.0)),
        ("uniform", {}, 0.9, (0.9, 0.9, 0.9)),
        ("uniform-plus", {}, 0.9, ((0.9 * 266200 - 800) / 265200,) * 2 + (0.8,)),
    ]

    @pytest.mark.parametrize("allocation, options, sparsity, expected", CASES, ids=lambda v: str(v)[:24])
    def test_quota(self, shared, allocation, options, sparsity, expected):
        chosen = pare.plugin(allocation, "allocator")(**options)
        with pare.load(shared("mnist_lenet300/lenet300.onnx")) as model:
            report = model.prune("magnitude", sparsity, allocation=chosen, dry_run=True)
        layers = sorted((layer for layer in report.layers if layer.pruned), key=lambda layer: -layer.elements)
        assert [layer.elements for layer in layers] == [235200, 30000, 1000]
        assert [layer.target for layer in layers] == pytest.approx(expected, abs=1.5e-6)
        assert sum(layer.zeros for layer in layers) == round(sparsity * 266200)
        for layer in layers:
            assert abs(layer.zeros - layer.target * layer.elements) < 1


def linear_names(path, suffixes):
    return [name for name in load_file(path / "model.safetensors") if name.endswith(suffixes)]


class TestLanguageModels:
    """Hugging Face folders keep everything but the weights that go, and load in transformers."""

    @pytest.fixture
    def transformers(self):
        return pytest.importorskip("transformers", reason="transformers is not installed")

    def prune(self, folder, target, *arguments, **options):
        with pare.load(folder) as model:
            assert model.format == "hugging-face"
            report = model.prune(*arguments, **options)
            model.save(target)
        return report

    def assert_same_folder(self, folder, target):
        names = sorted(path.name for path in folder.iterdir())
        assert sorted(path.name for path in target.iterdir()) == names
        for name in names:
            if name != "model.safetensors":
                assert (target / name).read_bytes() == (folder / name).read_bytes(), name

    def assert_loads_as(self, transformers, folder, target, tied):
        """transformers sees the saved values, with the output layer still being the embedding."""
        model = transformers.AutoModelForCausalLM.from_pretrained(str(target)).eval()
        stored = load_file(target / "model.safetensors")
        state = {name: value.numpy() for name, value in model.state_dict().items()}
        for name, value in stored.items():
            assert np.array_equal(state[name], value), name
        output, input = model.get_output_embeddings().weight, model.get_input_embeddings().weight
        assert output.data_ptr() == input.data_ptr()
        before = load_file(folder / "model.safetensors")
        assert same_bits(before[tied], stored[tied])
        with safetensors.safe_open(folder / "model.safetensors", "np") as old:
            with safetensors.safe_open(target / "model.safetensors", "np") as new:
                assert list(old.keys()) == list(new.keys())
                extra = dict(new.metadata() or {})
                assert {key: extra.pop(key) for key in (old.metadata() or {})} == (old.metadata() or {})
                assert extra and all(key.startswith("pare") for key in extra)
        return model

    @pytest.mark.parametrize(
        "options, ceiling", [({"sparsity": 0.5}, 60), ({"pattern": "2:4"}, 200)], ids=["half", "2:4"]
    )
    def test_llama(self, shared, transformers, tmp_path, options, ceiling):
        folder = shared("lm_stories260k")
        target = tmp_path / "pruned"
        self.prune(folder, target, "magnitude", **options)
        self.assert_same_folder(folder, target)
        before, after = (load_file(f / "model.safetensors") for f in (folder, target))
        linear = {name: weight for name, weight in before.items() if "_proj" in name}
        assert len(linear) == 5 * 7
        if "pattern" in options:
            masks = {name: reference.keep_n_of_m(weight, 2, 4) for name, weight in linear.items()}
        else:
            scores = {name: np.abs(weight) for name, weight in linear.items()}
            masks = reference.separately(scores, reference.uniform(scores, 0.5))
        assert_pruned_as(before, after, masks)
        model = self.assert_loads_as(transformers, folder, target, "model.embed_tokens.weight")
        dense = transformers.AutoModelForCausalLM.from_pretrained(str(folder)).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(target))
        stories = shared("text_tinystories/eval.txt").read_text().split("<|endoftext|>")
        stories = [story.strip() for story in stories if story.strip()][:10]
        found = perplexity(dense, tokenizer, stories), perplexity(model, tokenizer, stories)
        print(f"\nllama {options}: perplexity {found[0]:.3f} → {found[1]:.3f}")
        assert 4 < found[0] < 5.5 and found[0] < found[1] < ceiling

    @pytest.mark.parametrize(
        "options, ceiling", [({"sparsity": 0.5}, 12), ({"pattern": "2:4"}, 15)], ids=["half", "2:4"]
    )
    def test_gpt2(self, shared, transformers, tmp_path, options, ceiling):
        """GPT-2 stores [in, out]: N:M groups run along axis 0 of the stored weight."""
        folder = shared("lm_gpt2_char")
        target = tmp_path / "pruned"
        self.prune(folder, target, "magnitude", **options)
        self.assert_same_folder(folder, target)
        before, after = (load_file(f / "model.safetensors") for f in (folder, target))
        suffixes = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
        linear = {name: weight for name, weight in before.items() if name.endswith(suffixes)}
        assert len(linear) == 4 * 4
        if "pattern" in options:
            masks = {name: reference.keep_n_of_m(weight.T, 2, 4).T for name, weight in linear.items()}
        else:
            scores = {name: np.abs(weight) for name, weight in linear.items()}
            masks = reference.separately(scores, reference.uniform(scores, 0.5))
        assert_pruned_as(before, after, masks)
        model = self.assert_loads_as(transformers, folder, target, "transformer.wte.weight")
        dense = transformers.AutoModelForCausalLM.from_pretrained(str(folder)).eval()
        text = shared("text_shakespeare/tinyshakespeare.txt").read_text()
        text = text[int(0.9 * len(text)) :][: 128 * 64]
        found = character_perplexity(dense, folder, text), character_perplexity(model, folder, text)
        print(f"\ngpt2 {options}: perplexity {found[0]:.3f} → {found[1]:.3f}")
        assert 5 < found[0] < 7.5 and found[0] < found[1] < ceiling


def perplexity(model, tokenizer, stories):
    """Per story: the loss of every token after BOS, summed over all stories."""
    import torch

    loss, count = 0.0, 0
    with torch.no_grad():
        for story in stories:
            ids = [1] + tokenizer(story, add_special_tokens=False)["input_ids"]
            ids = torch.tensor([ids[:512]])
            logits = model(ids).logits[0, :-1].log_softmax(-1)
            loss -= logits.gather(1, ids[0, 1:, None]).sum().item()
            count += ids.shape[1] - 1
    return math.exp(loss / count)


def character_perplexity(model, folder, text):
    """Windows of 128 characters, first character not scored."""
    import torch

    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    ids = torch.tensor([vocabulary[c] for c in text]).reshape(-1, 128)
    with torch.no_grad():
        logits = model(ids).logits[:, :-1].log_softmax(-1)
    return math.exp(-logits.gather(2, ids[:, 1:, None]).mean().item())
