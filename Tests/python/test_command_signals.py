"""Interrupting the command: it stops soon, says so with its exit code, and leaves nothing half-written."""
import json
import signal
import subprocess
import time

import pytest

from command_runner import PARE, clean_environment, names, needs_command, work  # noqa: F401

pytestmark = needs_command

SLOW = """
#include <time.h>
/* Sleeps on real layers only, whatever signals come. */
int slow(const float *w, long units, long elements, float *scores) {
    struct timespec left = {0, %d * 1000000L};
    if (left.tv_nsec >= 1000000000L) { left.tv_sec = left.tv_nsec / 1000000000L; left.tv_nsec %%= 1000000000L; }
    if (units * elements > 200) while (nanosleep(&left, &left) != 0) ;
    for (long u = 0; u < units; u++) scores[u] = (float)u;
    return 0;
}
"""


def start(folder, *arguments):
    return subprocess.Popen(
        [PARE, "prune", *arguments], cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def slow_prune(folder, milliseconds):
    (folder / "slow.c").write_text(SLOW % milliseconds)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "libslow.so", "slow.c"], cwd=folder, check=True)
    arguments = [("weights", "f32*"), ("units", "i64"), ("elements", "i64"), ("scores", "f32*")]
    (folder / "slow.json").write_text(json.dumps({
        "id": "slow", "library": "libslow.so", "symbol": "slow", "arguments": [{"role": r, "type": t} for r, t in arguments],
        "returns": {"type": "i32", "role": "status"}}))
    before = names(folder)
    process = start(folder, "digits.onnx", "-o", "p.onnx", "--sparsity", "0.5", "--criterion", "slow", "--function", "slow.json")
    time.sleep(0.5)
    assert process.poll() is None, process.communicate()
    return process, before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_scoring(work, number):
    process, before = slow_prune(work, 300)
    process.send_signal(number)
    sent = time.monotonic()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and out == "" and err.startswith("pare: error: cancelled")
    assert time.monotonic() - sent < 2
    assert names(work) == before


def test_second_signal_ends_at_once(work):
    process, before = slow_prune(work, 60_000)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 130
    assert names(work) == before


def test_signal_at_any_time(tmp_path):
    """The output is whole or absent, and nothing else is left, whenever the signal comes."""
    np = pytest.importorskip("numpy")
    tensors = pytest.importorskip("safetensors.numpy")
    random = np.random.default_rng(1)
    tensors.save_file({f"layer{i}.weight": random.standard_normal((2048, 2048), np.float32) for i in range(4)}, tmp_path / "m.safetensors")
    outcomes = set()
    for delay in range(10, 500, 35):
        process = start(tmp_path, "m.safetensors", "-o", "p.safetensors", "--sparsity", "0.5")
        time.sleep(delay / 1000)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        outcomes.add(process.returncode)
        assert process.returncode in (0, 130, -signal.SIGINT)
        left = ["m.safetensors", "p.safetensors"] if process.returncode == 0 else ["m.safetensors"]
        assert names(tmp_path) == left
        if process.returncode == 0:
            assert len(tensors.load_file(tmp_path / "p.safetensors")) == 4
            (tmp_path / "p.safetensors").unlink()
    assert 130 in outcomes
