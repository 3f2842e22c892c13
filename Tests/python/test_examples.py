"""The C examples do what they say: each is run and its output compared with numpy's, and one is run under valgrind.

PARE_EXAMPLES   folder of the built examples, default build/examples (make examples)
"""

import os
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

from command_runner import DIGITS, PARE, clean_environment
from conftest import LIBRARY, ROOT
from python_support import load_safetensors

EXAMPLES = pathlib.Path(os.environ.get("PARE_EXAMPLES") or ROOT / "build/examples").resolve()
SOURCES = sorted(path.stem for path in (ROOT / "examples-c").glob("*.c"))
MODEL = DIGITS / "digits.safetensors"
BUFFER = np.array(
    [[0.1, -2, 0.3, 1.5, -0.2, 0.9], [0, 0.1, -0.1, 0.2, 0, 0.1], [3, -3, 2.5, 0.5, 1, -1], [-0.7, 0.6, 0.5, -0.4, 0.3, 0.2]],
    np.float32,
)

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"{EXAMPLES} is not there: make examples")


def run(name, *words, rc=0):
    done = subprocess.run(
        [EXAMPLES / name, *map(str, words)], env=clean_environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == rc, f"exit code {done.returncode}, not {rc}\n{done.stdout}\n{done.stderr}"
    return done


def zeros(path):
    return sum(int((array == 0).sum()) for array in load_safetensors(path).values())


def weights(path):
    """What is pruned of the digits network: its matrices and kernels."""
    return {name: array for name, array in load_safetensors(path).items() if array.ndim >= 2}


def test_every_example_is_built():
    built = {path.stem for path in EXAMPLES.iterdir()}
    assert built >= set(SOURCES) and len(SOURCES) >= 7


def test_list_plugins():
    lines = run("01-list-plugins").stdout.splitlines()
    assert re.fullmatch(r"Pare \d+\.\d+\.\d+, interface 1\.0, \d+ plugins", lines[0])
    listed = [tuple(line.split()[:2]) for line in lines if line.startswith("  pare.")]
    files = {path.stem for path in (LIBRARY.parent / "pare").glob("*.pare")}
    assert {name for _, name in listed} == files and listed[0][0] == "pare.criterion/1"
    assert lines[0].endswith(f" {len(listed)} plugins")
    assert "not loaded" not in "".join(lines)


def test_list_plugins_of_a_folder(tmp_path):
    (tmp_path / "broken.pare").write_text("no library")
    output = run("01-list-plugins", f"{EXAMPLES}:{tmp_path}").stdout
    assert "interface 1.0, 1 plugins" in output and "org.example.range" in output and "power" in output
    assert re.search(r"not loaded: .*broken\.pare: .*not an ELF shared library", output)


def test_prune_a_file(tmp_path):
    out = tmp_path / "out.safetensors"
    output = run("02-prune-a-file", MODEL, out, 0.75).stdout
    dense, pruned = weights(MODEL), weights(out)
    every = np.concatenate([np.abs(array).ravel() for array in dense.values()])
    removed = sum(int((array == 0).sum()) for array in pruned.values())
    assert removed == round(0.75 * every.size)
    # Ranked over the whole network: nothing that stays is smaller than what went.
    threshold = np.sort(every)[removed - 1]
    for name, array in pruned.items():
        assert (np.abs(dense[name][array == 0]) <= threshold).all() and (np.abs(array[array != 0]) >= threshold).all()
    said = re.search(r"sparsity of the pruned layers: (\S+)", output).group(1)
    assert float(said) == pytest.approx(removed / every.size, abs=1e-6)
    assert run("02-prune-a-file", MODEL, out, 0.75, rc=1).stderr.startswith(f"{out}: exists already")
    assert "usage" in run("02-prune-a-file", rc=2).stderr


def test_score_a_buffer():
    lines = run("03-score-a-buffer").stdout.splitlines()
    rows = [float(line.split(": ")[1]) for line in lines[:4]]
    assert rows == pytest.approx(np.linalg.norm(BUFFER, axis=1).tolist(), abs=5e-5)
    groups = np.abs(BUFFER).reshape(4, 2, 3)
    best = np.zeros_like(groups, dtype=bool)
    np.put_along_axis(best, groups.argmax(axis=2)[:, :, None], True, axis=2)
    kept = np.array([[letter == "1" for letter in line] for line in lines[5:9]])
    assert lines[4] == "kept 8 of 24" and (kept.reshape(4, 2, 3).sum(axis=2) == 1).all()
    # Where two are largest, either may stay.
    assert (groups[kept.reshape(4, 2, 3)] == groups[best]).all()


def test_criterion_plugin(tmp_path):
    environment = clean_environment(PARE_PLUGIN_PATH=f"{EXAMPLES}:{LIBRARY.parent / 'pare'}")
    out = tmp_path / "out.safetensors"
    command = [PARE, "prune", MODEL, "-o", out, "--criterion", "org.example.range", "--set", "power=2", "--sparsity", "0.5"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    dense = weights(MODEL)
    for name, array in weights(out).items():
        whole = np.abs(dense[name]).reshape(len(array), -1).astype(np.float64)
        scores = (whole / whole.max(axis=1, keepdims=True)) ** 2
        gone = (array == 0).reshape(len(array), -1)
        assert gone.sum() == round(0.5 * array.size)
        assert scores[gone].max() <= scores[~gone].min() + 1e-6, name


def test_callback_criterion():
    lines = run("05-callback-criterion").stdout.splitlines()
    rows = [[float(word) for word in line.split()] for line in lines[:4]]
    # Spreads are 2, 0, 8 and 0.1: the two smallest go.
    assert rows == [[1, 2, 3], [0, 0, 0], [-4, 0, 4], [0, 0, 0]]
    assert lines[4] == "asked: yes, told of the end: yes"


def test_progress(tmp_path):
    out = tmp_path / "out.safetensors"
    done = run("06-progress-and-cancel", MODEL, out, 0.5)
    assert done.stdout == f"written: {out}\n" and zeros(out) > zeros(MODEL)
    fractions = [float(word) for word in re.findall(r"(\d+\.\d) %", done.stderr)]
    # Pruning, then saving: twice from nothing to all, never back.
    falls = [index for index in range(1, len(fractions)) if fractions[index] < fractions[index - 1]]
    assert len(falls) == 1 and fractions[falls[0] - 1] == fractions[-1] == 100


def test_cancelled(tmp_path):
    out = tmp_path / "out.safetensors"
    done = run("06-progress-and-cancel", MODEL, out, 0.5, 0.3, rc=3)
    assert done.stdout == "cancelled; the model is as it was and nothing was written\n"
    assert list(tmp_path.iterdir()) == []


def test_errors():
    output = run("07-errors").stdout
    assert re.findall(r"^  \d+ (PARE_E_\w+)$", output, re.M) == [
        "PARE_E_NOT_FOUND", "PARE_E_NOT_FOUND", "PARE_E_OPTION", "PARE_E_SHAPE", "PARE_E_ARGUMENT"]
    assert 'did you mean "magnitude"?' in output and "was expected" not in output


@pytest.mark.skipif("PARE_SANITIZE" in os.environ, reason="valgrind cannot run what a sanitizer has instrumented")
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
@pytest.mark.parametrize("name", ["02-prune-a-file", "03-score-a-buffer", "07-errors"])
def test_valgrind_finds_nothing(name, tmp_path):
    log = tmp_path / "valgrind.log"
    # What the Swift runtime keeps until the process ends can still be reached and is no leak.
    prefix = ["valgrind", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=9", f"--log-file={log}"]
    words = [MODEL, tmp_path / "out.safetensors", 0.5] if name.startswith("02") else []
    done = subprocess.run(
        [*prefix, EXAMPLES / name, *map(str, words)], env=clean_environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, log.read_text()[-4000:]
    assert "ERROR SUMMARY: 0 errors" in log.read_text()
