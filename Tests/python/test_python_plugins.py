"""Plugins, their schemas, criteria in Python, progress, cancelling, threads."""

import gc
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
import weakref

import numpy as np
import pytest
from python_support import ROOT, weights

import pare


@pytest.fixture
def context():
    return pare.Context()


def model_of(*names, shape=(16, 32)):
    return pare.Model.from_arrays({name: weights(*shape, seed=i) for i, name in enumerate(names or ("w",))})


# Schemas


def test_listing():
    found = pare.plugins()
    assert {"magnitude", "uniform", "global", "erk", "sparsity"} <= {plugin.id for plugin in found}
    assert [p.id for p in pare.plugins("criterion")] == sorted(p.id for p in pare.plugins("criterion"))
    assert {plugin.kind for plugin in pare.plugins("allocator")} == {"allocator"}
    for plugin in found:
        assert plugin.summary and plugin.version and plugin.license


def test_magnitude_schema():
    plugin = pare.plugin("magnitude")
    (option,) = plugin.options
    assert (option.key, option.type, option.default, option.choices) == ("norm", "choice", "l2", ("l1", "l2"))
    assert "deterministic" in plugin.flags and plugin.needs == ("weight",)
    assert str(inspect.signature(plugin)) == "(*, norm: str = 'l2') -> pare.plugins.Choice"
    function = pare.criteria.magnitude
    assert inspect.signature(function) == inspect.signature(plugin) and function.__name__ == "magnitude"
    assert "arXiv:1506.02626" in function.__doc__ and "norm (choice, one of 'l1', 'l2', default 'l2')" in function.__doc__
    assert repr(function(norm="l1")) == "magnitude(norm='l1')"
    with pytest.raises(TypeError):
        function(nrm="l1")
    with pytest.raises(AttributeError, match="magnitude"):
        pare.criteria.magnitud
    assert "magnitude" in dir(pare.criteria) and "erk" in repr(pare.allocators)


@pytest.mark.parametrize("plugin", pare.plugins(), ids=lambda plugin: f"{plugin.kind}-{plugin.id}")
def test_every_schema_is_documented(plugin):
    signature = inspect.signature(plugin.function())
    assert list(signature.parameters) == [option.keyword for option in plugin.options]
    for option in plugin.options:
        assert option.help and f"    {option.keyword} (" in plugin.doc
        if not option.required:
            parameter = signature.parameters[option.keyword]
            assert parameter.default == option.default
            if option.type in ("int", "float"):
                assert isinstance(option.default, (int, float)) and option.minimum <= option.default <= option.maximum


def test_defaults_given_explicitly_change_nothing():
    array = weights(16, 32)
    for plugin in pare.plugins("criterion"):
        if plugin.needs in ((), ("weight",)) and plugin.path:
            defaults = {option.keyword: option.default for option in plugin.options if not option.required}
            pattern = "row" if "row" in plugin.granularities else None
            explicit = pare.score(plugin(**defaults), array, pattern)
            assert np.array_equal(explicit, pare.score(plugin.id, array, pattern), equal_nan=True)


# Criteria in Python


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


class Refused(Exception):
    pass


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
        (lambda w: np.zeros((len(w), 1)), ValueError, "shape (16,)"),
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


# Progress and cancelling


@pytest.mark.parametrize("where", ["main", "thread"])
def test_progress(where):
    seen = []
    model = model_of("a", "b", "c")

    def work():
        model.prune("magnitude", 0.5, progress=lambda fraction, text: seen.append((fraction, text)))

    run_there(where, work)
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1 and min(fractions) >= 0
    assert any("a" in text for _, text in seen)


def run_there(where, work):
    if where == "main":
        return work()
    caught = []

    def guarded():
        try:
            work()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]


@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("calls", [1, 2, 5])
def test_cancel(where, calls, tmp_path):
    model = model_of("a", "b", "c", "d")
    model.prune("magnitude", 0.1)
    before = {name: mask.numpy() for name, mask in model.masks.items()}
    count = iter(range(1000))
    with pytest.raises(pare.Cancelled) as caught:
        run_there(where, lambda: model.prune("magnitude", 0.9, progress=lambda f, t: next(count) < calls - 1))
    assert caught.value.status == 401
    assert all(np.array_equal(model.masks[name].numpy(), mask) for name, mask in before.items())
    with pytest.raises(pare.Cancelled):
        model.save(tmp_path / "m.safetensors", progress=lambda f, t: False)
    assert not list(tmp_path.iterdir())
    with pytest.raises(pare.Cancelled):
        pare.score("magnitude", weights(2048, 2048), progress=lambda f, t: False)


@pytest.mark.parametrize("where", ["main", "thread"])
def test_raising_progress(where):
    original = Refused("enough")

    def progress(fraction, text):
        raise original

    model = model_of("a", "b")
    with pytest.raises(Refused) as caught:
        run_there(where, lambda: model.prune("magnitude", 0.5, progress=progress))
    assert caught.value is original and not model.masks
    model.prune("magnitude", 0.5)


def test_progress_bars(monkeypatch, capsys):
    model = model_of("a", "b")
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    model.prune("magnitude", 0.5, progress=True)
    assert "100 %" in capsys.readouterr().err
    monkeypatch.undo()
    pytest.importorskip("tqdm", reason="tqdm is needed to check its bar")
    model.prune("magnitude", 0.6, progress=True)
    assert "100%" in capsys.readouterr().err


INTERRUPTED = """
import sys, threading, time, numpy as np, pare
model = pare.Model.from_arrays({f"w{i}": np.ones((64, 64), np.float32) for i in range(200)})
started = threading.Event()

@pare.criterion("slow")
def slow(weights):
    started.set()
    time.sleep(0.05)
    return np.arange(len(weights))

def interrupt():
    started.wait()
    print("started", flush=True)

threading.Thread(target=interrupt).start()
begin = time.monotonic()
try:
    model.prune("slow", 0.5, pattern="row")
except KeyboardInterrupt:
    print("interrupted", len(model.masks), time.monotonic() - begin < 5, flush=True)
else:
    print("finished", flush=True)
print(model.prune("magnitude", 0.5).sparsity)
"""


def test_ctrl_c():
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout.readline() == "started\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (out, err) == ("interrupted 0 True\n0.5\n", "")


INTERRUPTED_IN_C = """
import numpy as np, pare
model = pare.Model.from_arrays({f"w{i}": np.ones((256, 256), np.float32) for i in range(60)})
print("started", flush=True)
try:
    while True:
        model.prune("magnitude", 0.5, allocation="global")
except KeyboardInterrupt:
    print("interrupted")
model.parameters["w0"].array, model.prune("magnitude", 0.5)
"""


@pytest.mark.parametrize("delay", [0.11, 0.17, 0.23])
def test_ctrl_c_outside_python(delay):
    """No Python function is at work, only the library: it stops all the same, and nothing is printed."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED_IN_C], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout.readline() == "started\n"
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("interrupted\n", "")


# Threads


def test_threads_share_a_context(context):
    context.criterion("busy")(lambda w: np.abs(w).sum(axis=1))
    expected = np.abs(weights(64, 64)).sum(axis=1)
    failures = []

    def work(seed):
        try:
            for _ in range(20):
                assert np.allclose(pare.score("busy", weights(64, 64), "row", context=context), expected)
                model = model_of("a", "b")
                model.prune("magnitude", 0.5, context=context)
                assert model.measure("sparsity", context=context)["sparsity"] == 0.5
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_threads_share_a_model():
    model = model_of("a", "b")
    failures = []

    def work(sparsity):
        try:
            for _ in range(20):
                assert model.prune("magnitude", sparsity).sparsity == sparsity
                assert model.parameters["a"].array.shape == (16, 32)
                model.parameters["b"].values = weights(16, 32)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(s,)) for s in (0.25, 0.5, 0.75)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_exceptions_find_their_own_call(context):
    """Criteria that raise on several threads at once: each call gets the exception it caused."""

    @context.criterion("named")
    def named(weights):
        raise Refused(int(weights[0, 0]))

    wrong = []

    def work(number):
        for _ in range(50):
            try:
                pare.score("named", np.full((4, 4), number, np.float32), context=context)
                wrong.append(number)
            except Refused as error:
                if error.args != (number,):
                    wrong.append((number, error.args))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_default_context_is_made_once():
    code = (
        "import threading, pare\nfound = set()\n"
        "threads = [threading.Thread(target=lambda: found.add(id(pare.default_context()))) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\nprint(len(found))"
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stdout == "1\n"


# Contexts and loading


def test_broken_plugins_are_reported(tmp_path):
    (tmp_path / "broken.pare").write_bytes(b"not a library")
    with pytest.warns(pare.PluginWarning, match="broken.pare"):
        context = pare.Context(plugin_path=[tmp_path])
    assert len(context.problems) == 1 and context.plugins() == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pare.Context(plugin_path="").plugins() == []
    with pytest.raises(pare.ArgumentError):
        pare.Context(threads=-1)


def test_load_one_plugin():
    path = pare.plugin("magnitude").path
    context = pare.Context(plugin_path="")
    context.load(path)
    context.load(path)
    assert [plugin.id for plugin in context.plugins()] == ["magnitude"]
    with pytest.raises(pare.NotFoundError):
        context.load("/no/such/plugin.pare")


def test_plain_function(context):
    description = {
        "id": "absolute",
        "summary": "|w|",
        "library": "libm.so.6",
        "function": "fabsf",
    }
    with pytest.raises(pare.PareError):
        context.register_function({**description, "library": "/no/such/library.so"})
    with pytest.raises(pare.PareError):
        context.register_function("{not json")


def test_missing_library_says_where_it_looked(tmp_path):
    environment = dict(os.environ, PARE_LIBRARY=str(tmp_path / "libpare.so"), PYTHONPATH=os.pathsep.join(sys.path))
    run = subprocess.run([sys.executable, "-c", "import pare"], env=environment, capture_output=True, text=True)
    assert run.returncode == 1 and "ImportError" in run.stderr and str(tmp_path / "libpare.so") in run.stderr
    assert "make build" in run.stderr
    (tmp_path / "libpare.so").write_bytes(b"\x7fELF")
    run = subprocess.run([sys.executable, "-c", "import pare"], env=environment, capture_output=True, text=True)
    assert "ImportError" in run.stderr and "cannot be loaded" in run.stderr


def test_version():
    text = (ROOT / "python" / "pyproject.toml").read_text()
    assert f'version = "{pare.__version__}"' in text
