"""Masks and scores against numpy."""

import itertools

import numpy as np
import pytest
from python_support import weights

import pare

SHAPES = [(), (0,), (1,), (7,), (64,), (65,), (3, 5), (8, 16), (4, 3, 3, 3), (2, 0, 3)]


def random_mask(shape, seed):
    return np.random.default_rng(seed).random(shape) < 0.5


@pytest.mark.parametrize("shape", SHAPES)
def test_algebra(shape):
    a, b = random_mask(shape, 1), random_mask(shape, 2)
    p, q = pare.Mask.from_array(a), pare.Mask.from_array(b)
    assert np.array_equal((p & q).numpy(), a & b)
    assert np.array_equal((p | q).numpy(), a | b)
    assert np.array_equal((p ^ q).numpy(), a ^ b)
    assert np.array_equal((p - q).numpy(), a & ~b)
    assert np.array_equal((~p).numpy(), ~a)
    assert np.array_equal(p.numpy(), a), "operands stay as they were"
    assert (p.kept, p.size, p.shape, p.ndim) == (a.sum(), a.size, shape, len(shape))
    assert (p == q) == np.array_equal(a, b) and p == p.copy() and ~~p == p
    assert np.array_equal(np.asarray(p), a)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("view", [lambda a: a, lambda a: a.T, lambda a: a[::-1, ::2]])
def test_from_array(dtype, view):
    array = view(random_mask((6, 10), 3).astype(dtype) * 2)
    assert np.array_equal(pare.Mask.from_array(array).numpy(), array != 0)


def test_refusals():
    with pytest.raises(TypeError):
        pare.Mask.from_array(np.ones(3))
    with pytest.raises(pare.ShapeError):
        pare.Mask.ones((2, 3)) & pare.Mask.ones((3, 2))
    with pytest.raises(pare.PareError):
        pare.Mask.ones((-1, 3))
    with pytest.raises(pare.PareError):
        pare.Mask.ones((2,) * 9)
    with pytest.raises(TypeError):
        pare.Mask.ones(3) & np.ones(3, bool)
    with pytest.raises(TypeError):
        hash(pare.Mask.ones(3))
    with pytest.raises(ValueError):
        np.array(pare.Mask.ones(3), copy=False)


def test_compliance():
    rows = np.zeros((6, 8), bool)
    rows[::2] = True
    mask = pare.Mask.from_array(rows)
    assert mask.complies("row") and not mask.complies("column") and mask.violations("column") == 8
    assert not mask.complies("2:4") and mask.violations("2:4") == 12
    half = pare.Mask.from_array(np.tile([True, False, False, True], (6, 2)))
    assert half.complies("2:4") and not half.complies("1:4") and half.complies("column")
    assert mask.complies("block:1x4") and not mask.complies("block:2x2")


def test_coarsen():
    array = random_mask((8, 12), 4)
    blocks = array.reshape(2, 4, 12, 1)
    for keep, reduce in (("any", np.any), ("all", np.all)):
        expected = np.broadcast_to(reduce(blocks, axis=(1, 3), keepdims=True), blocks.shape).reshape(8, 12)
        assert np.array_equal(pare.Mask.from_array(array).coarsen("block:4x1", keep).numpy(), expected)
    with pytest.raises(pare.ArgumentError):
        pare.Mask.from_array(array).coarsen("row", "most")
    with pytest.raises(pare.PareError):
        pare.Mask.from_array(array).coarsen("2:4")


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.5, 0.77, 0.999])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int32])
def test_select_elements(sparsity, dtype):
    scores = (weights(12, 20, seed=5) * 100).astype(dtype)
    removed = round(sparsity * scores.size)
    order = np.argsort(scores.reshape(-1), kind="stable")
    # Ties go to the lower index: of equal scores the later ones are removed first.
    order = sorted(range(scores.size), key=lambda i: (scores.flat[i], -i))
    expected = np.ones(scores.size, bool)
    expected[order[:removed]] = False
    mask = pare.select(scores, sparsity)
    assert mask.kept == scores.size - removed
    assert np.array_equal(mask.numpy().reshape(-1), expected)


def test_select_patterns():
    scores = weights(8, 16, seed=6)
    groups = scores.reshape(8, 4, 4)
    nm = np.zeros(groups.shape, bool)
    np.put_along_axis(nm, np.argsort(-groups, axis=2)[..., :2], True, axis=2)
    assert np.array_equal(pare.select(scores, pattern="2:4").numpy(), nm.reshape(8, 16))
    rows = pare.select(scores[:, 0], 0.25, "row", shape=(8, 16)).numpy()
    assert np.array_equal(rows.all(axis=1), rows.any(axis=1)) and rows.any(axis=1).sum() == 6
    assert set(np.flatnonzero(~rows.any(axis=1))) == set(np.argsort(scores[:, 0])[:2])
    blocks = pare.select(weights(2, 16, seed=7), 0.5, "block:4x1", shape=(8, 16))
    assert blocks.complies("block:4x1") and blocks.kept == 64


def test_select_refusals():
    with pytest.raises(TypeError):
        pare.select(weights(4, 4))
    with pytest.raises(TypeError):
        pare.select(weights(4), 0.5, "row")
    with pytest.raises(pare.PareError):
        pare.select(weights(4, 4), 1.5)
    with pytest.raises(pare.PareError):
        pare.select(weights(5), 0.5, "row", shape=(4, 4))
    with pytest.raises(pare.PareError):
        pare.select(weights(4, 6), pattern="2:4")
    with pytest.raises(TypeError):
        pare.select(np.array([1j]), 0.5)


def norms(array, norm, pattern):
    matrix = np.abs(array.reshape(array.shape[0], -1).astype(np.float64))
    power = matrix if norm == "l1" else matrix**2
    if pattern == "row":
        sums = power.sum(axis=1)
    elif pattern == "column":
        sums = power.sum(axis=0)
    elif pattern == "channel":
        sums = power.reshape(array.shape[0], array.shape[1], -1).sum(axis=(0, 2))
    else:
        height, width = map(int, pattern[6:].split("x"))
        sums = power.reshape(power.shape[0] // height, height, power.shape[1] // width, width).sum(axis=(1, 3))
    return sums if norm == "l1" else np.sqrt(sums)


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("pattern", ["row", "column", "channel", "block:4x1", "block:2x3", "block:8x12"])
@pytest.mark.parametrize("shape", [(8, 12), (8, 12, 3, 3)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_magnitude(norm, pattern, shape, dtype):
    array = weights(*shape, dtype=dtype)
    scores = pare.score("magnitude", array, pattern, norm=norm)
    expected = norms(array, norm, pattern)
    assert scores.shape == expected.shape
    assert scores.dtype == (np.float64 if dtype is np.float64 else np.float32)
    assert np.allclose(scores, expected, rtol=1e-6)


@pytest.mark.parametrize("view", [lambda a: a, lambda a: a.T, lambda a: a[::-1, ::2], np.asfortranarray])
def test_score_strides_and_elements(view):
    array = view(weights(16, 20))
    assert np.array_equal(pare.score("magnitude", array), np.abs(array))
    assert np.array_equal(pare.score("magnitude", array, "2:4" if array.shape[1] % 4 == 0 else None), np.abs(array))
    assert np.allclose(pare.score("magnitude", array, "row", norm="l1"), np.abs(array).sum(axis=1), rtol=1e-6)


def test_score_large_and_threads_agree():
    array = weights(1024, 1024)
    one, many = pare.Context(threads=1), pare.Context(threads=4)
    results = [pare.score("magnitude", array, "row", context=context) for context in (one, many)]
    assert np.array_equal(*results)
    assert np.allclose(results[0], np.linalg.norm(array.astype(np.float64), axis=1), rtol=1e-6)


def test_score_then_select_is_magnitude_pruning():
    array = weights(32, 64)
    mask = pare.select(pare.score("magnitude", array), 0.9)
    assert pare.mask_for("magnitude", array, 0.9) == mask
    for pattern in ("row", "block:4x2", "2:4"):
        for norm in ("l1", "l2"):
            scores = pare.score("magnitude", array, pattern, norm=norm)
            chosen = pare.select(scores, 0.5, pattern, shape=array.shape)
            assert pare.mask_for("magnitude", array, 0.5, pattern, norm=norm) == chosen and chosen.kept == array.size // 2
    model = pare.Model.from_arrays({"w": array})
    model.prune("magnitude", 0.9)
    assert model.parameters["w"].mask == mask
    assert np.array_equal(model.parameters["w"].array, array * mask.numpy())


def test_patterns_as_text():
    for text in ("element", "2:4", "block:4x1", "row", "column", "channel"):
        assert str(pare.Pattern.parse(text)) == text
    for text in ("", "2;4", "block:4", "block:4x1x2", "rows", "2:4:8", "٢:٤"):
        with pytest.raises(pare.ArgumentError):
            pare.Pattern.parse(text)
    for text in ("4:4", "0:4", "5:4", "1:65", "block:0x4"):
        with pytest.raises(pare.ArgumentError):
            pare.score("magnitude", weights(8, 8), text)
    with pytest.raises(pare.ArgumentError):
        pare.Pattern("row", remainder="keep")
    for remainder, error in (("refuse", pare.ShapeError), ("pad", None)):
        pattern = pare.Pattern.parse("block:3x3", remainder)
        if error:
            with pytest.raises(error):
                pare.score("magnitude", weights(8, 8), pattern)
        else:
            assert pare.score("magnitude", weights(8, 8), pattern).shape == (3, 3)
    assert len(set(itertools.chain([pare.Pattern("row")], [pare.Pattern("row")]))) == 1
