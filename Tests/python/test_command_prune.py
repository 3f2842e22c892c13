"""pare prune, apply and diff: what they write, what they say, and what they refuse."""
import json
import os
import shutil
import subprocess
import tempfile

import pytest

from command_runner import DIGITS, PARE, clean_environment, names, needs_command, pare, snapshot, work  # noqa: F401

pytestmark = needs_command

np = pytest.importorskip("numpy")
tensors = pytest.importorskip("safetensors.numpy")


def prune(cwd, *arguments, rc=0):
    return pare("prune", *arguments, cwd=cwd, rc=rc)


@pytest.mark.parametrize(
    "name, arguments",
    {
        "global": ["--sparsity", "0.9", "--allocation", "global"],
        "nm": ["--sparsity", "2:4", "--remainder", "skip"],
        "row-default": ["--sparsity", "row", "--include", "block?.*"],
        "block": ["--sparsity", "block:4x1@0.8", "--exclude", "classifier.*", "--set", "norm=l1"],
    }.items())
def test_report(work, name, arguments):
    snapshot("prune-" + name, prune(work, "digits.onnx", "-o", "p.onnx", *arguments).stdout)


def test_dry_run_writes_nothing(work):
    before = names(work)
    snapshot("prune-dry-run", prune(work, "digits.safetensors", "--dry-run", "--sparsity", "0.5").stdout)
    assert names(work) == before


def test_zeros_are_the_smallest(work):
    prune(work, "digits.safetensors", "-o", "p.safetensors", "--sparsity", "0.75", "--quiet")
    before, after = (tensors.load_file(work / f) for f in ("digits.safetensors", "p.safetensors"))
    weight = before["block1.conv1.weight"].ravel()
    kept = after["block1.conv1.weight"].ravel()
    threshold = np.sort(np.abs(weight))[round(0.75 * weight.size)]
    expected = np.where(np.abs(weight) < threshold, 0, weight)
    assert np.array_equal(kept, expected)
    assert np.array_equal(after["classifier.bias"], before["classifier.bias"])


def test_nm_keeps_n_of_m(work):
    prune(work, "digits.safetensors", "-o", "p.safetensors", "--sparsity", "1:4", "--include", "pointwise.conv.weight", "--quiet")
    kept = tensors.load_file(work / "p.safetensors")["pointwise.conv.weight"].reshape(96, 16, 4)
    assert ((kept != 0).sum(-1) == 1).all()


def test_accuracy_of_the_pruned_network(work):
    """What the README shows: the network stays useful at 50 %."""
    onnxruntime = pytest.importorskip("onnxruntime")
    prune(work, "digits.onnx", "-o", "p.onnx", "--sparsity", "0.5", "--allocation", "global", "--quiet")
    data = np.load(DIGITS / "digits_test.npz")
    session = onnxruntime.InferenceSession(str(work / "p.onnx"))
    (logits,) = session.run(None, {session.get_inputs()[0].name: data["images"][:, None].astype(np.float32) / 16})
    assert (logits.argmax(1) == data["labels"]).mean() > 0.97


def test_report_file_json_and_numbers_agree(work):
    run = prune(work, "digits.onnx", "-o", "p.onnx", "--sparsity", "0.8", "--report", "r.json", "--json")
    printed, stored = json.loads(run.stdout), json.loads((work / "r.json").read_text())
    assert printed == stored
    assert stored["bytes_in"] == os.path.getsize(work / "digits.onnx")
    assert stored["bytes_out"] == os.path.getsize(work / "p.onnx")
    diff = json.loads(pare("diff", "digits.onnx", "p.onnx", "--json", cwd=work, rc=1).stdout)
    assert sum(p["changed"] for p in diff["parameters"]) == stored["removed"]


def test_quiet_prints_nothing(work):
    run = prune(work, "digits.onnx", "-o", "p.onnx", "--sparsity", "0.5", "--quiet")
    assert run.stdout == run.stderr == ""


def test_no_progress_in_a_pipe(work):
    assert prune(work, "digits.onnx", "-o", "p.onnx", "--sparsity", "0.5").stderr == ""


def test_seed_is_repeatable(work):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        prune(work, "digits.onnx", "-o", f"{name}.onnx", "--sparsity", "0.5", "--criterion", "random", "--seed", seed)
    assert (work / "a.onnx").read_bytes() == (work / "b.onnx").read_bytes()
    assert (work / "a.onnx").read_bytes() != (work / "c.onnx").read_bytes()


def test_mask_file_does_the_same(work):
    prune(work, "digits.onnx", "-o", "p.onnx", "--sparsity", "0.9", "--mask-out", "m.mask")
    snapshot("apply", pare("apply", "digits.onnx", "m.mask", "-o", "q.onnx", cwd=work).stdout)
    snapshot("diff-equal", pare("diff", "p.onnx", "q.onnx", cwd=work).stdout)


def test_mask_alone(work):
    prune(work, "digits.onnx", "--mask-out", "m.mask", "--sparsity", "0.9")
    assert names(work) == ["digits.onnx", "digits.safetensors", "m.mask"]


def test_kept_masks_only_grow(work):
    prune(work, "digits.safetensors", "-o", "a.safetensors", "--mask-out", "m.mask", "--sparsity", "0.3", "--criterion", "random")
    prune(work, "digits.safetensors", "-o", "b.safetensors", "--keep-masks", "m.mask", "--sparsity", "0.6")
    a, b = (tensors.load_file(work / f) for f in ("a.safetensors", "b.safetensors"))
    for name in ("block1.conv1.weight", "classifier.weight"):
        assert (b[name][a[name] == 0] == 0).all()
        assert abs((b[name] == 0).mean() - 0.6) < 0.01


def test_conversion_by_suffix(work):
    prune(work, "digits.onnx", "-o", "p.safetensors", "--sparsity", "0.5")
    assert (tensors.load_file(work / "p.safetensors")["classifier.weight"] == 0).mean() == 0.5
    prune(work, "digits.safetensors", "-o", "p.onnx", "--sparsity", "0.5", rc=2)


def test_nonfinite_weights_are_refused_or_scored(work):
    broken = tensors.load_file(work / "digits.safetensors")
    broken["classifier.weight"][0, 0] = np.nan
    tensors.save_file(broken, work / "nan.safetensors")
    assert "classifier.weight" in prune(work, "nan.safetensors", "--dry-run", "--sparsity", "0.5", rc=3).stderr
    prune(work, "nan.safetensors", "--dry-run", "--sparsity", "0.5", "--allow-nonfinite")


def test_plain_c_function(work):
    (work / "score.c").write_text("float size(const float *w, long n) { float s = 0; for (long i = 0; i < n; i++) s += w[i] * w[i]; return s; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", "libscore.so", "score.c"], cwd=work, check=True)
    (work / "score.json").write_text(json.dumps({
        "id": "size", "library": "libscore.so", "symbol": "size", "local": True,
        "arguments": [{"role": "weights", "type": "f32*"}, {"role": "elements", "type": "i64"}],
        "returns": {"type": "f32", "role": "score"}}))
    prune(work, "digits.onnx", "-o", "c.onnx", "--sparsity", "row@0.5", "--criterion", "size", "--function", "score.json")
    prune(work, "digits.onnx", "-o", "m.onnx", "--sparsity", "row@0.5")
    pare("diff", "c.onnx", "m.onnx", cwd=work)


# Outputs

def test_existing_output_needs_force(work):
    (work / "p.onnx").write_text("precious")
    snapshot("error-exists", prune(work, "digits.onnx", "-o", "p.onnx", "--sparsity", "0.5", rc=4).stderr)
    assert (work / "p.onnx").read_text() == "precious"
    prune(work, "digits.onnx", "-o", "p.onnx", "--sparsity", "0.5", "--force")
    assert (work / "p.onnx").stat().st_size > 400_000


@pytest.mark.parametrize("option", ["--report", "--mask-out"])
def test_existing_side_output_needs_force(work, option):
    (work / "side").write_text("precious")
    prune(work, "digits.onnx", "-o", "p.onnx", "--sparsity", "0.5", option, "side", rc=4)
    assert (work / "side").read_text() == "precious" and not (work / "p.onnx").exists()


@pytest.mark.parametrize("output", ["digits.onnx", "./digits.onnx", "link.onnx", "hard.onnx"])
def test_output_that_is_the_input(work, output):
    os.symlink("digits.onnx", work / "link.onnx")
    os.link(work / "digits.onnx", work / "hard.onnx")
    before = (work / "digits.onnx").read_bytes()
    assert "input" in prune(work, "digits.onnx", "-o", output, "--sparsity", "0.5", "--force", rc=2).stderr
    assert (work / "digits.onnx").read_bytes() == before


def test_two_outputs_of_one_name(work):
    prune(work, "digits.onnx", "-o", "p", "--report", "p", "--sparsity", "0.5", rc=2)
    assert not (work / "p").exists()


def test_output_that_is_a_folder(work):
    (work / "folder").mkdir()
    prune(work, "digits.onnx", "-o", "folder", "--sparsity", "0.5", "--force", rc=2)


def test_missing_folder(work):
    snapshot("error-no-folder", prune(work, "digits.onnx", "-o", "no/p.onnx", "--sparsity", "0.5", rc=2).stderr)


def test_read_only_folder(work):
    """As an ordinary user: root may write anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        shutil.copy(work / "digits.onnx", folder)
        user = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
        run = subprocess.run(
            [PARE, "prune", "digits.onnx", "-o", "p.onnx", "--sparsity", "0.5"], cwd=folder, env=clean_environment(),
            capture_output=True, text=True, **user)
        assert run.returncode == 4, run.stderr
        assert "cannot be written" in run.stderr and names(folder) == ["digits.onnx"]


# Differences

def test_diff(work):
    prune(work, "digits.onnx", "-o", "p.onnx", "--sparsity", "0.9", "--allocation", "global")
    snapshot("diff", pare("diff", "digits.onnx", "p.onnx", cwd=work, rc=1).stdout)


def test_diff_of_a_model_with_itself(work):
    pare("diff", "digits.onnx", "digits.onnx", cwd=work)


def test_diff_across_formats(work):
    assert "all equal" in pare("diff", "digits.onnx", "digits.safetensors", cwd=work).stdout


def test_diff_of_everything_that_can_differ(work):
    a = {"same": np.arange(4, dtype=np.float32), "gone": np.ones(3, np.float32), "shape": np.ones((2, 3), np.float32),
         "type": np.ones(2, np.float32), "values": np.array([0, 1, 2, np.nan], np.float64), "sign": np.array([0.0], np.float32),
         "whole": np.array([1, 2, 3], np.int64)}
    b = {"same": a["same"], "shape": np.ones((3, 2), np.float32), "type": np.ones(2, np.float16),
         "values": np.array([0, 1.5, 0, 3], np.float64), "sign": np.array([-0.0], np.float32), "whole": np.array([1, 0, 3], np.int64),
         "new": np.ones(5, np.float32)}
    tensors.save_file(a, work / "a.safetensors")
    tensors.save_file(b, work / "b.safetensors")
    run = pare("diff", "a.safetensors", "b.safetensors", "--all", cwd=work, rc=1)
    snapshot("diff-all", run.stdout)
    rows = {p["name"]: p for p in json.loads(pare("diff", "a.safetensors", "b.safetensors", "--json", cwd=work, rc=1).stdout)["parameters"]}
    assert rows["values"]["changed"] == 3 and rows["values"]["largest"] == 2 and rows["values"]["nonfinite"] == 1
    assert rows["sign"]["changed"] == 1 and rows["sign"]["largest"] == 0
    assert {rows[n]["outcome"] for n in ("gone",)} == {"missing"} and rows["new"]["outcome"] == "added"
