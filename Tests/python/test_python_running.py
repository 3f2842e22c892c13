"""Long calls: progress, cancelling, Ctrl-C, threads."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from python_support import Refused, model_of, weights

import pare


@pytest.fixture
def context():
    return pare.Context()


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


def start(code):
    """A process that runs `code` with this one's modules in reach."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # A shell that runs this in the background has interrupts ignored, and children inherit that.
    heed = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, preexec_fn=heed, **pipes)


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
    process = start(INTERRUPTED)
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
    process = start(INTERRUPTED_IN_C)
    assert process.stdout.readline() == "started\n"
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("interrupted\n", "")


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
    assert start(code).communicate(timeout=60) == ("1\n", "")
