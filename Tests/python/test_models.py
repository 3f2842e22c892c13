"""Pruning trained networks: masks against numpy, files against onnx and safetensors, results against onnxruntime. Needs
the shared data; skips where it is absent."""

import json
import math

import numpy as np
import pytest

import references as reference
from conftest import shared_path

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("safetensors")
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


# Floors of the accuracy on 1000 test images after one-shot pruning, a little under what was measured; 0.915 dense.
FLOORS = {
    "uniform": {0.3: 0.90, 0.5: 0.87, 0.7: 0.45},
    "uniform-plus": {0.3: 0.90, 0.5: 0.88, 0.7: 0.50},
    "erk": {0.3: 0.90, 0.5: 0.84, 0.7: 0.45},
    "global": {0.3: 0.90, 0.5: 0.89, 0.7: 0.65},
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
        for sparsity in (0.3, 0.5, 0.7, 0.9):
            report, target = prune(path, "magnitude", sparsity, allocation=allocation)
            if allocation == "global":
                masks = reference.together(scores, sparsity)
            else:
                quotas = getattr(reference, allocation.replace("-", "_"))(shapes, sparsity)
                masks = reference.separately(scores, quotas)
            reference.assert_pruned_as(arrays(path), arrays(target), masks)
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

    @pytest.mark.parametrize("n, m, floor", [(2, 4, 0.70), (4, 8, 0.78)])
    def test_n_of_m(self, path, weights, cifar, prune, n, m, floor, record_property):
        names = {name: weight for name, weight in weights.items() if weight.shape[1] % m == 0}
        assert set(weights) - set(names) == {"conv1.weight"}, "three input channels"
        with pytest.raises(pare.ShapeError, match="conv1.weight"):
            prune(path, "magnitude", pattern=f"{n}:{m}")
        report, target = prune(path, "magnitude", pattern=pare.Pattern.parse(f"{n}:{m}", remainder="skip"))
        reference.assert_pruned_as(
            arrays(path), arrays(target), {k: reference.keep_n_of_m(w, n, m) for k, w in names.items()}
        )
        assert report.sparsity == 1 - n / m
        measured = accuracy(target, cifar)
        record_property("accuracy", measured)
        print(f"\n{n}:{m}: {measured}")
        assert measured >= floor

    @pytest.mark.parametrize(
        "pattern, sparsity, floor", [("block:4x1", 0.5, 0.48), ("row", 0.1, 0.3), ("column", 0.3, 0.3)]
    )
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
        reference.assert_pruned_as(arrays(path), arrays(target), masks)
        measured = accuracy(target, cifar)
        record_property("accuracy", measured)
        print(f"\n{pattern} {sparsity}: {measured}")
        assert measured >= floor

    def test_lamp(self, path, weights, cifar, prune, record_property):
        scores = {name: reference.lamp(weight) for name, weight in weights.items()}
        _, target = prune(path, "lamp", 0.7, allocation="global")
        reference.assert_pruned_as(arrays(path), arrays(target), reference.together(scores, 0.7))
        measured = accuracy(target, cifar)
        record_property("accuracy", measured)
        print(f"\nlamp 0.7: {measured}")
        assert measured >= 0.5

    def test_fpgm(self, path, weights, prune):
        scores = {name: reference.fpgm(weight) for name, weight in weights.items()}
        masks = reference.separately(scores, reference.uniform(scores, 0.25))
        masks = {
            name: np.broadcast_to(mask.reshape(-1, *[1] * (weights[name].ndim - 1)), weights[name].shape)
            for name, mask in masks.items()
        }
        _, target = prune(path, "fpgm", 0.25, pattern="row")
        reference.assert_pruned_as(arrays(path), arrays(target), masks)

    def test_norm_scale(self, path, weights, prune):
        stored = arrays(path)
        scores = {name: np.abs(stored[name.replace("conv", "bn")]) for name in weights if "conv" in name}
        masks = reference.separately(scores, reference.uniform(scores, 0.25))
        masks = {name: np.broadcast_to(mask[:, None, None, None], weights[name].shape) for name, mask in masks.items()}
        _, target = prune(path, "norm-scale", 0.25, pattern="row", exclude="linear.weight")
        reference.assert_pruned_as(stored, arrays(target), masks)
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
        assert reference.same_bits(np.where(mask, a, np.float32(0)), b)
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
        assert reference.same_bits(np.where(mask, old, old.dtype.type(0)), after[name])
        assert not mask.all() or name not in pruned
        assert name in pruned or reference.same_bits(old, after[name])


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
