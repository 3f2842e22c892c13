"""Numbers of reports against the arrays that come out: zeros of their own, padded edges, masks that stay, huge costs."""

import numpy as np
import pytest

pare = pytest.importorskip("pare", exc_type=ImportError)

DRAW = np.random.default_rng(11)


def with_zeros(*shape):
    values = DRAW.standard_normal(shape).astype(np.float32)
    values.reshape(-1)[DRAW.choice(values.size, values.size // 12 + 1, replace=False)] = 0
    return values


def check(model, report):
    for layer in report.layers:
        now = model.parameters[layer.name].array
        assert layer.zeros == (now == 0).sum(), layer
        if layer.pruned:
            kept = model.masks[layer.name].numpy()
            assert layer.kept == kept.sum(), layer


PATTERNS = ["element", "1:2", "row", "column", "channel", "block:2x2", "block:4x1", "block:8x10"]


@pytest.mark.parametrize("allocation", ["uniform", "global", "erk"])
@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("criterion", ["magnitude", "random", "lamp"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_zeros_of_the_weights_themselves(pattern, criterion, sparsity, allocation):
    """Also where scores are held from an earlier reading, and where no score is asked for at all."""
    arrays = {"a": with_zeros(8, 10), "b": with_zeros(16, 4, 3, 3), "c": with_zeros(8, 10).T}
    model = pare.Model.from_arrays(arrays)
    rule = pare.Pattern.parse(pattern, "skip")
    check(model, model.prune(criterion, sparsity, pattern=rule, allocation=allocation))


@pytest.mark.parametrize("allocation", ["uniform", "global"])
@pytest.mark.parametrize("block", [(2, 16), (3, 4), (16, 16), (9, 1), (1, 11), (8, 11)])
def test_padding_is_no_zero(block, allocation):
    """Zeros of the padding lie behind the end of the weight's own elements."""
    model = pare.Model.from_arrays({"a": with_zeros(8, 10), "b": DRAW.standard_normal((8, 10)).astype(np.float32)})
    rule = pare.Pattern("block", block=block, remainder="pad")
    check(model, model.prune("magnitude", 0.5, pattern=rule, allocation=allocation))


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
@pytest.mark.parametrize("criterion", ["magnitude", "random", "lamp"])
@pytest.mark.parametrize("pattern", ["element", "row", "block:2x2", "1:2"])
def test_not_a_number_is_refused_by_every_way(pattern, criterion, sparsity):
    values = DRAW.standard_normal((8, 10)).astype(np.float32)
    values[3, 3] = np.nan
    model = pare.Model.from_arrays({"a": values})
    with pytest.raises(pare.NonFiniteError, match="unit|NaN"):
        model.prune(criterion, sparsity, pattern=pattern)
    if criterion != "lamp":  # lamp cannot rank them
        model.prune(criterion, sparsity, pattern=pattern, allow_nonfinite=True)


@pytest.mark.parametrize(
    ("pattern", "sparsity"), [("element", 0.2), ("element", 0.7), ("row", 0.25), ("block:2x2", 0.5), ("1:2", None)]
)
def test_what_was_removed_stays_removed(pattern, sparsity):
    """Whole units that stay, and targets below what is removed already, bring nothing back."""
    values = DRAW.standard_normal((8, 10)).astype(np.float32)
    model = pare.Model.from_arrays({"a": values})
    model.prune("magnitude", 0.5)
    before = model.masks["a"].numpy()
    check(model, model.prune("magnitude", sparsity, pattern=pattern, keep_masks=True))
    after = model.masks["a"].numpy()
    assert not (after & ~before).any()
    if pattern == "element":
        assert after.sum() == 80 - max(40, round(80 * sparsity))


def test_costs_that_do_not_fit(command, tmp_path):
    """Declared sizes whose costs add up past 64 bits: totals end at the largest number."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = [onnx.numpy_helper.from_array(np.ones((4096, 2), np.float32), f"w{i}") for i in range(4)]
    nodes = [helper.make_node("MatMul", ["x", f"w{i}"], [f"y{i}"]) for i in range(4)]
    outputs = [helper.make_tensor_value_info(f"y{i}", kind, None) for i in range(4)]
    x = helper.make_tensor_value_info("x", kind, [1, 1 << 48, 4096])
    graph = helper.make_graph(nodes, "g", [x], outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    for words in (["inspect"], ["inspect", "--json"], ["prune", "--sparsity", "0.5", "--dry-run"]):
        done = command(words[0], tmp_path / "m.onnx", *words[1:])
        assert done.returncode == 0, done
        assert "-" not in next(line for line in done.stdout.splitlines() if line.lstrip(' "').lower().startswith("macs"))
