"""The command: help, plugins, inspect, measure, and how it answers wrong arguments."""
import json
import os
import pty
import subprocess

import pytest

from command_runner import DIGITS, PARE, clean_environment, names, needs_command, pare, snapshot, work  # noqa: F401

pytestmark = needs_command


@pytest.mark.parametrize("command", ["", "plugins", "plugins show", "inspect", "prune", "apply", "diff", "measure"])
def test_help(tmp_path, command):
    run = pare(*command.split(), "--help", cwd=tmp_path)
    snapshot("help-" + (command.replace(" ", "-") or "pare"), run.stdout)
    assert run.stderr == ""


def test_version(tmp_path):
    run = pare("--version", cwd=tmp_path)
    assert run.stdout.startswith("pare ") and run.stdout.count(".") == 2 and run.stdout.count("\n") == 1


def test_no_arguments_shows_help(tmp_path):
    assert pare(cwd=tmp_path).stdout == pare("--help", cwd=tmp_path).stdout


def test_plugins(tmp_path):
    snapshot("plugins", pare("plugins", cwd=tmp_path).stdout)


def test_plugins_of_a_kind(tmp_path):
    listed = json.loads(pare("plugins", "--kind", "allocator", "--json", cwd=tmp_path).stdout)
    assert {"uniform", "global", "erk"} <= {p["id"] for p in listed}
    assert {p["kind"] for p in listed} == {"allocator"}


def test_plugins_show(tmp_path):
    snapshot("plugins-show", pare("plugins", "show", "magnitude", cwd=tmp_path).stdout)


def test_plugins_show_json(tmp_path):
    (shown,) = json.loads(pare("plugins", "show", "magnitude", "--json", cwd=tmp_path).stdout)
    assert shown["kind"] == "criterion" and os.path.exists(shown["file"])
    (norm,) = [o for o in shown["options"] if o["key"] == "norm"]
    assert norm["choices"] == ["l1", "l2"] and norm["default"] in norm["choices"]


def test_plugins_are_found_through_path(tmp_path):
    environment = clean_environment(PATH=os.path.dirname(PARE) + ":" + os.environ["PATH"])
    run = subprocess.run([os.path.basename(PARE), "plugins"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "magnitude" in run.stdout


def test_plugins_are_found_through_a_link(tmp_path):
    os.symlink(PARE, tmp_path / "linked")
    run = subprocess.run(["./linked", "plugins"], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True)
    assert "magnitude" in run.stdout


def test_broken_plugin_in_the_search_path_is_a_warning(tmp_path):
    (tmp_path / "broken.pare").write_text("not a library")
    run = pare("plugins", cwd=tmp_path, env=clean_environment(PARE_PLUGIN_PATH=str(tmp_path)))
    assert run.stderr.startswith("pare: warning: ") and "broken.pare" in run.stderr
    assert run.stdout.startswith("No plugins found")


def test_inspect(work):
    snapshot("inspect", pare("inspect", "digits.onnx", cwd=work).stdout)


def test_inspect_all(work):
    snapshot("inspect-all", pare("inspect", "digits.onnx", "--all", cwd=work).stdout)


def test_inspect_without_graph(work):
    snapshot("inspect-safetensors", pare("inspect", "digits.safetensors", cwd=work).stdout)


def test_inspect_json_agrees_with_onnx(work):
    onnx = pytest.importorskip("onnx")
    seen = json.loads(pare("inspect", "digits.onnx", "--json", cwd=work).stdout)
    told = {i.name: list(i.dims) for i in onnx.load(work / "digits.onnx").graph.initializer}
    assert {p["name"]: p["shape"] for p in seen["parameters"]} == told
    assert seen["elements"] == sum(p["elements"] for p in seen["parameters"])


def test_names_cannot_steer_the_terminal(work):
    numpy = pytest.importorskip("safetensors.numpy")
    np = pytest.importorskip("numpy")
    numpy.save_file({"a\x1b[31m\nb.weight": np.ones((4, 4), np.float32), "重み.weight": np.ones((4, 4), np.float32)}, work / "odd.safetensors")
    out = pare("inspect", "odd.safetensors", "--all", cwd=work).stdout
    assert "\x1b" not in out and "a\\u{1b}[31m\\u{a}b.weight" in out


def test_measure(work):
    pare("prune", "digits.onnx", "-o", "p.onnx", "--sparsity", "2:4", "--remainder", "skip", cwd=work)
    snapshot("measure", pare("measure", "p.onnx", "sparsity", "--pattern", "2:4", cwd=work).stdout)


def test_measure_agrees_with_inspect(work):
    total = json.loads(pare("measure", "digits.onnx", "size", "--json", cwd=work).stdout)
    seen = json.loads(pare("inspect", "digits.onnx", "--json", cwd=work).stdout)
    values = {v["name"]: v["value"] for v in total["values"] if v["layer"] is None}
    assert values["params"] == seen["elements"] and values["macs"] == seen["macs"]


TYPOS = {
    "subcommand": (["prun"], "did you mean 'pare prune'?"),
    "nested subcommand": (["plugins", "shw"], "did you mean 'pare plugins show'?"),
    "option": (["prune", "digits.onnx", "--dry-run", "--sparsty", "0.5"], "Did you mean '--sparsity'?"),
    "plugin": (["plugins", "show", "magnitud"], 'did you mean "magnitude"?'),
    "criterion": (["prune", "digits.onnx", "--dry-run", "--sparsity", "0.5", "--criterion", "magnitud"], 'did you mean "magnitude"?'),
    "allocation": (["prune", "digits.onnx", "--dry-run", "--sparsity", "0.5", "--allocation", "gloabl"], 'did you mean "global"?'),
    "option key": (["prune", "digits.onnx", "--dry-run", "--sparsity", "0.5", "--set", "nrom=l1"], 'did you mean "norm"?'),
    "parameter": (
        ["prune", "digits.onnx", "--dry-run", "--sparsity", "0.5", "--include", "stem.conv.wieght"], 'did you mean "stem.conv.weight"?'),
    "pattern": (["prune", "digits.onnx", "--dry-run", "--sparsity", "rwo"], "did you mean row?"),
    "metric": (["measure", "digits.onnx", "sparsty"], 'did you mean "sparsity"?'),
}


@pytest.mark.parametrize("typo", TYPOS)
def test_typo(work, typo):
    arguments, hint = TYPOS[typo]
    assert hint in pare(*arguments, cwd=work, rc=2).stderr


WRONG = {
    "missing-model": (["inspect"], 2),
    "no-such-model": (["inspect", "nothing.onnx"], 2),
    "unknown-kind": (["plugins", "--kind", "criterium"], 2),
    "unknown-remainder": (["prune", "digits.onnx", "--dry-run", "--sparsity", "2:4", "--remainder", "drop"], 2),
    "no-sparsity": (["prune", "digits.onnx", "-o", "p.onnx"], 2),
    "no-output": (["prune", "digits.onnx", "--sparsity", "0.5"], 2),
    "dry-run-with-output": (["prune", "digits.onnx", "--sparsity", "0.5", "--dry-run", "-o", "p.onnx"], 2),
    "percent": (["prune", "digits.onnx", "--dry-run", "--sparsity", "50%"], 2),
    "nm-with-ratio": (["prune", "digits.onnx", "--dry-run", "--sparsity", "2:4@0.5"], 2),
    "set-without-value": (["prune", "digits.onnx", "--dry-run", "--sparsity", "0.5", "--set", "norm"], 2),
    "set-twice": (["prune", "digits.onnx", "--dry-run", "--sparsity", "0.5", "--set", "norm=l1", "--set", "norm=l2"], 2),
    "option-value": (["prune", "digits.onnx", "--dry-run", "--sparsity", "0.5", "--set", "norm=l3"], 2),
    "does-not-divide": (["prune", "digits.onnx", "--dry-run", "--sparsity", "2:4"], 3),
    "malformed-model": (["inspect", "malformed.onnx"], 3),
    "empty-model": (["inspect", "empty.onnx"], 3),
    "wrong-mask": (["apply", "digits.onnx", "digits.safetensors", "-o", "p.onnx"], 3),
    "not-a-plugin": (["prune", "digits.onnx", "--dry-run", "--sparsity", "0.5", "--plugin", "malformed.onnx"], 5),
    "nothing-to-do": (["prune", "digits.onnx", "--dry-run", "--sparsity", "0", "--include", "classifier.weight", "--strict"], 6),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_and_data(work, case):
    (work / "malformed.onnx").write_bytes(b"\x08\x08\x3a\xff\xff\xff\xff\x0fnot a model")
    (work / "empty.onnx").write_bytes(b"")
    before = names(work)
    arguments, rc = WRONG[case]
    snapshot("error-" + case, pare(*arguments, cwd=work, rc=rc).stderr)
    assert names(work) == before


def test_full_device_is_a_resource_error(work):
    with open("/dev/full", "w") as full:
        run = subprocess.run([PARE, "inspect", "digits.onnx"], cwd=work, stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 4 and "standard output" in run.stderr


def test_reader_that_goes_away_is_no_error(work):
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run([PARE, "inspect", "digits.onnx"], cwd=work, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert run.returncode == 0 and run.stderr == ""


def on_terminal(arguments, cwd, **environment):
    """What the command writes when all its streams are a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execve(PARE, [PARE, *arguments], clean_environment(TERM="xterm", **environment))
    out = b""
    try:
        while chunk := os.read(terminal, 4096):
            out += chunk
    except OSError:
        pass
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), out.decode()


def test_colour_on_a_terminal_only(work):
    rc, out = on_terminal(["inspect", "digits.onnx"], work)
    assert rc == 0 and "\x1b[1m" in out
    assert "\x1b" not in on_terminal(["inspect", "digits.onnx"], work, NO_COLOR="1")[1]
    assert "\x1b" not in pare("inspect", "digits.onnx", cwd=work).stdout


def test_completion(tmp_path):
    for shell in ("bash", "zsh", "fish"):
        assert "pare" in pare("--generate-completion-script", shell, cwd=tmp_path).stdout
    run = pare("---completion", "prune", "--", "--criterion", "3", "2", "pare", "prune", "--criterion", "ma", cwd=tmp_path)
    assert run.stdout == "magnitude\n"
