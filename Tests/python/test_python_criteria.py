"""Criteria that are Python functions."""

import gc
import sys
import weakref

import numpy as np
import pytest
from python_support import Refused, model_of, weights

import pare


@pytest.fixture
def context():
    return pare.Context()


def test_criterion(context):
    seen = []

    @context.criterion("mine", summary="row sums")
    def mine(weights, name):
        seen.append((weights.shape, weights.dtype, weights.flags.writeable, weights.flags.c_contiguous, name))
        return np.abs(weights).sum(axis=1)

    array = weights(6, 10)
    assert np.allclose(pare.score("mine", array.T, "row", context=context), np.abs(array).sum(axis=0))
    assert seen == [((10, 6), np.float32, False, True, seen[0][4])]
    seen.clear()
    model = model_of("a", "b")
    report = model.prune("mine", 0.5, pattern="row", context=context)
    assert report.sparsity == 0.5 and {entry[4] for entry in seen} == {"a", "b"}
    assert context.plugin("mine").summary == "row sums" and callable(mine)


def test_criterion_equals_the_plugin(context):
    context.criterion("abs")(lambda w: np.abs(w[:, 0]))
    one, two = model_of("a", "b"), model_of("a", "b")
    one.prune("abs", 0.7, allocation="global", context=context)
    two.prune("magnitude", 0.7, allocation="global")
    assert all(one.masks[name] == two.masks[name] for name in ("a", "b"))


def test_raising(context):
    original = Refused("cannot score")

    @context.criterion("raising")
    def raising(weights):
        raise original

    model = model_of("a", "b")
    with pytest.raises(Refused) as caught:
        model.prune("raising", 0.5, context=context)
    assert caught.value is original
    assert any(entry.name == "raising" for entry in caught.traceback), "the traceback leads into the criterion"
    if sys.version_info >= (3, 11):
        assert "in criterion 'raising' on parameter 'a'" in original.__notes__
    assert not model.masks
    with pytest.raises(Refused):
        pare.score("raising", weights(3, 4), context=context)


@pytest.mark.parametrize(
    "answer, error, says",
    [
        (lambda w: np.full(len(w), np.nan), ValueError, "finite"),
        (lambda w: np.where(np.arange(len(w)) == 3, np.inf, 0), ValueError, "unit 3"),
        (lambda w: np.full(len(w), 1e300), ValueError, "finite"),
        (lambda w: np.zeros(len(w) + 1), ValueError, "shape (16,)"),
        (lambda w: np.zeros((len(w), 2)), ValueError, "shape (16,)"),
        (lambda w: 1.0, ValueError, "shape (16,)"),
        (lambda w: None, TypeError, "NoneType"),
        (lambda w: np.zeros(len(w), complex), TypeError, "complex"),
        (lambda w: ["a"] * len(w), TypeError, "real numbers"),
        (lambda w: w.__setitem__(0, 0), ValueError, "read-only"),
    ],
)
def test_wrong_answers(context, answer, error, says):
    context.criterion("wrong")(answer)
    model = model_of("w")
    with pytest.raises(error) as caught:
        model.prune("wrong", 0.5, pattern="row", context=context)
    assert says in str(caught.value) and not model.masks


@pytest.mark.parametrize(
    "answer",
    [lambda w: list(range(len(w))), lambda w: np.arange(len(w), dtype=np.int8), lambda w: np.arange(len(w)) > 8,
     lambda w: np.arange(len(w), dtype=np.float16)[::1]],
)  # fmt: skip
def test_answers_are_converted(context, answer):
    context.criterion("fine")(answer)
    scores = pare.score("fine", weights(16, 4), "row", context=context)
    assert np.array_equal(scores, np.asarray(answer(np.zeros((16, 4)))).astype(np.float32))


def test_names(context):
    context.criterion("mine")(lambda w: w[:, 0])
    with pytest.raises(pare.DuplicatePluginError):
        context.criterion("mine")(lambda w: w[:, 0])
    with pytest.raises(pare.DuplicatePluginError):
        context.criterion("magnitude")(lambda w: w[:, 0])
    with pytest.raises(pare.DuplicatePluginError):
        context.criterion("magnitude", replace=True)(lambda w: w[:, 0])
    context.criterion("mine", replace=True)(lambda w: np.full(len(w), 7))
    assert (pare.score("mine", weights(4, 4), "row", context=context) == 7).all()
    with pytest.raises(pare.PareError):
        context.criterion("Not an id")(lambda w: w[:, 0])
    with pytest.raises(ValueError):
        context.criterion("nul\0")(lambda w: w[:, 0])
    for wrong in (lambda: 0, lambda a, b, c: 0, lambda *, w: 0):
        with pytest.raises(TypeError):
            context.criterion("uncallable")(wrong)
    with pytest.raises(pare.NotFoundError):
        pare.score("mine", weights(4, 4)), "another context has no such criterion"


def test_criterion_lives_as_long_as_its_context():
    class Callable:
        def __call__(self, weights):
            return np.abs(weights).sum(axis=1)

    function, context = Callable(), pare.Context(plugin_path="")
    gone = weakref.ref(function)
    context.criterion("object")(function)
    assert [plugin.id for plugin in context.plugins()] == ["object"]
    del function
    gc.collect()
    assert np.allclose(pare.score("object", np.ones((4, 4)), "row", context=context), 4)
    del context
    gc.collect()
    assert gone() is None


def test_criterion_may_keep_its_argument(context):
    kept = []
    context.criterion("keeper")(lambda w: kept.append(w) or w[:, 0])
    array = weights(64, 64)
    pare.score("keeper", array, context=context)
    gc.collect()
    assert np.array_equal(np.concatenate(kept).reshape(64, 64), array)


def test_criterion_cannot_use_the_model_being_pruned(context):
    model = model_of("w")
    context.criterion("reentrant")(lambda w: model.parameters["w"].array[:, 0])
    with pytest.raises(pare.StateError, match="callback"):
        model.prune("reentrant", 0.5, pattern="row", context=context)
    other = model_of("w")
    context.criterion("other")(lambda w: pare.score("magnitude", other.parameters["w"].array, "row"))
    assert model.prune("other", 0.5, pattern="row", context=context).sparsity == 0.5


def test_empty_weights(context):
    context.criterion("any")(lambda w: np.zeros(len(w)))
    for shape in ((0, 4), (4, 0), (0, 0)):
        assert pare.score("any", np.empty(shape, np.float32), "row", context=context).shape == (shape[0],)


def test_a_column_is_one_score_per_unit(context):
    @pare.criterion("column", context=context)
    def column(units):
        return np.abs(units)

    array = weights(3, 4)
    assert np.array_equal(pare.score("column", array, context=context), np.abs(array))
