"""Wrong values, options, names and patterns: the exit code and a message that helps; nothing is written."""

import json

import numpy as np
import pytest

from bad_files import F32, HEALTHY, SAFETENSORS, entry, make_onnx, make_safetensors
from conftest import ARGUMENT, DATA, NOTHING, PLUGIN


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["onnx", "safetensors", "npy"])
def test_values_that_are_not_finite(refused, command, tmp_path, kind, value):
    data = np.frombuffer(F32, "<f4").copy()
    data[5] = value
    (tmp_path / f"m.{kind}").write_bytes(HEALTHY[f"m.{kind}"].replace(F32, data.tobytes()))
    words = ["prune", f"m.{kind}", "-o", f"out.{kind}", "--sparsity", "0.5"]
    name = {"onnx": "w", "safetensors": "a.weight", "npy": "m"}[kind]
    for more in ([], ["--allocation", "global"], ["--criterion", "lamp"]):
        refused(DATA, *words, *more, says=[name, "finite"])
    done = command(*words, "--allow-nonfinite", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = np.frombuffer((tmp_path / f"out.{kind}").read_bytes().split(F32[60:])[-2][-60:], "<f4")
    # NaN counts as nothing and goes first, infinity as the largest and stays.
    assert np.count_nonzero(after == 0) == 8 and not np.isnan(after).any()
    assert np.isinf(after).any() == np.isinf(value)


# ---- wrong requests: (words, exit code, texts)


REQUESTS = [
    (["--sparsity", "1.0"], ARGUMENT, ["1.0", "below 1"]),
    (["--sparsity=-0.1"], ARGUMENT, ["-0.1", "at least 0"]),
    (["--sparsity", "nan"], ARGUMENT, ["nan"]),
    (["--sparsity", "inf"], ARGUMENT, ["inf"]),
    (["--sparsity", "1e-400x"], ARGUMENT, ["1e-400x"]),
    (["--sparsity", ""], ARGUMENT, []),
    (["--sparsity", "half"], ARGUMENT, ["half"]),
    (["--sparsity", "50%"], ARGUMENT, ["50%"]),
    (["--sparsity", "4:4"], ARGUMENT, ["4:4", "N < M"]),
    (["--sparsity", "5:4"], ARGUMENT, ["5:4"]),
    (["--sparsity", "0:4"], ARGUMENT, ["0:4"]),
    (["--sparsity", "2:65"], ARGUMENT, ["2:65", "64"]),
    (["--sparsity", "2:99999999999999999999"], ARGUMENT, []),
    (["--sparsity", "block:0x4@0.5"], ARGUMENT, ["block"]),
    (["--sparsity", "block:99999999999x4@0.5"], DATA, ["block", "99999999999"]),
    (["--sparsity", "row@1"], ARGUMENT, ["1"]),
    (["--sparsity", "diagonal@0.5"], ARGUMENT, ["diagonal"]),
    (["--sparsity", "2:3"], DATA, ["w", "2:3", "multiple of 3"]),
    (["--sparsity", "block:3x1@0.5"], DATA, ["w", "multiple"]),
    (["--sparsity", "0.5", "--criterion", "magnitud"], ARGUMENT, ["magnitud", 'did you mean "magnitude"?']),
    (["--sparsity", "0.5", "--criterion", "uniform"], ARGUMENT, ["uniform"]),
    (["--sparsity", "0.5", "--allocation", "erk1"], ARGUMENT, ["erk1", 'did you mean "erk"?']),
    (["--sparsity", "0.5", "--set", "nrom=l1"], ARGUMENT, ["nrom", 'did you mean "norm"?']),
    (["--sparsity", "0.5", "--set", "norm=l3"], ARGUMENT, ["l3", "l1, l2"]),
    (["--sparsity", "0.5", "--set", "norm"], ARGUMENT, ["norm"]),
    (["--sparsity", "0.5", "--set", "norm=l1", "--set", "norm=l2"], ARGUMENT, ["norm"]),
    (["--sparsity", "0.5", "--allocation", "uniform-plus", "--set", "last-max=1.5"], ARGUMENT, ["last-max", "1.5"]),
    (["--sparsity", "0.5", "--allocation", "uniform-plus", "--set", "last-max=nan"], ARGUMENT, ["last-max"]),
    (["--sparsity", "0.5", "--criterion", "random", "--set", "seed=-1"], ARGUMENT, ["seed", "-1"]),
    (["--sparsity", "0.5", "--criterion", "random", "--set", "seed=1.5"], ARGUMENT, ["seed", "1.5"]),
    (["--sparsity", "0.5", "--include", "ww"], ARGUMENT, ['"ww"', 'did you mean "w"?']),
    (["--sparsity", "0.5", "--exclude", "v*"], ARGUMENT, ['"v*"']),
    (["--sparsity", "0.5", "--criterion", "fpgm"], ARGUMENT, ["fpgm", "row"]),
    (["--sparsity", "row@0.5", "--criterion", "norm-scale"], ARGUMENT, ["norm-scale", "w"]),
    (["--sparsity", "0.5", "--threads", "-1"], ARGUMENT, ["threads"]),
    (["--sparsity", "0.5", "--seed", "x"], ARGUMENT, ["seed"]),
    (["--sparsity", "0.5", "--frobnicate"], ARGUMENT, ["frobnicate"]),
    (["--sparsity", "0.5", "--criteron", "magnitude"], ARGUMENT, ["--criterion"]),
    (["--sparsity", "0.5", "--plugin", "none.pare"], ARGUMENT, ["none.pare"]),
    (["--sparsity", "0.5", "--plugin", "m.onnx"], PLUGIN, ["m.onnx"]),
    (["--sparsity", "0.5", "--function", "none.json"], ARGUMENT, ["none.json"]),
    (["--sparsity", "0.5", "--keep-masks", "none.masks"], ARGUMENT, ["none.masks"]),
    (["--sparsity", "0.5", "--keep-masks", "other.safetensors"], DATA, ["other.safetensors"]),
    ([], ARGUMENT, ["--sparsity"]),
    (["--sparsity", "0", "--strict"], NOTHING, ["nothing", "w"]),
    (["--sparsity", "0.01", "--strict"], NOTHING, ["nothing", "w"]),
    (["--sparsity", "2:3", "--remainder", "skip", "--strict"], NOTHING, ["nothing", "w"]),
    (["--sparsity", "0.5", "--exclude", "w", "--strict"], NOTHING, ["excluded"]),
]  # fmt: skip


@pytest.mark.parametrize("words, code, says", REQUESTS, ids=lambda v: " ".join(v)[:60] if isinstance(v, list) else "")
def test_wrong_request(refused, tmp_path, words, code, says):
    (tmp_path / "m.onnx").write_bytes(make_onnx())
    (tmp_path / "other.safetensors").write_bytes(SAFETENSORS)
    refused(code, "prune", "m.onnx", "-o", "out.onnx", *words, says=says)


@pytest.mark.parametrize(
    "words",
    [["--sparsity", "0"], ["--sparsity", "2:3", "--remainder", "skip"], ["--sparsity", "0.5", "--exclude", "w"]],
)
def test_nothing_to_do_without_strict(command, tmp_path, words):
    """Done, but said."""
    (tmp_path / "m.onnx").write_bytes(make_onnx())
    done = command("prune", "m.onnx", "-o", "out.onnx", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert F32 in (tmp_path / "out.onnx").read_bytes()


def test_remainder_is_padded(command, tmp_path):
    (tmp_path / "m.onnx").write_bytes(make_onnx())
    done = command(
        "prune", "m.onnx", "-o", "out.onnx", "--sparsity", "2:3", "--remainder", "pad", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    layer = next(layer for layer in json.loads(done.stdout)["layers"] if layer["name"] == "w")
    # Inputs run down axis 0 of a MatMul: of rows 1…4 the groups are (1 2 3) and (4 + + ).
    assert layer["kept"] == 12 and "pad" in layer["note"]
    after = (tmp_path / "out.onnx").read_bytes()
    assert F32[16:] in after and F32 not in after


def test_no_layers_to_prune(refused, command, tmp_path):
    """A model whose arrays are all of other types."""
    (tmp_path / "m.safetensors").write_bytes(make_safetensors({"a.weight": entry("I32")}))
    words = ["prune", "m.safetensors", "-o", "out.safetensors", "--sparsity", "0.5"]
    refused(NOTHING, *words, "--strict", says=["a.weight"])
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 0 and "a.weight" not in done.stderr
