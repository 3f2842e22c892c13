"""What the documentation shows is what happens: examples are run, links are followed."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_runner import DIGITS, PARE, ROOT, clean_environment, needs_command
from conftest import LIBRARY

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("plugins/*/README.md")])
CC = os.environ.get("CC", "cc")
C11 = [CC, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}"]


def blocks(page, language):
    """Code blocks of a language, each with the plain block that follows it at once, or None."""
    text = (ROOT / page).read_text()
    found = re.findall(r"```(\w*)\n(.*?)```(?=\n(?:```\n(.*?)```)?)", text, flags=re.S)
    return [(code, shown or None) for name, code, shown in found if name == language]


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like a checkout to an example."""
    (tmp_path / "build").mkdir()
    shutil.copytree(DIGITS, tmp_path / "examples/digits")
    return tmp_path


def run(command, folder, **environment):
    return subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=120,
        env=clean_environment(**environment))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), f"{target} is not there"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(), flags=re.M)
            assert anchor in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]


@needs_command
def test_shell_example(checkout):
    text = (ROOT / "README.md").read_text()
    shown = re.search(r"```\n(\$ pare prune.*?)```", text, flags=re.S)[1]
    for session in re.split(r"^\$ ", shown, flags=re.M)[1:]:
        command, expected = session.split("\n", 1)
        done = run(["bash", "-c", command.replace("pare", PARE, 1)], checkout)
        assert (done.returncode, done.stderr) == (0, "")
        lines = iter(done.stdout.splitlines())
        for line in expected.splitlines():
            assert line == "…" or line in lines, f"not in the output, or not in this order: {line}"


@pytest.mark.skipif(not LIBRARY.is_file(), reason="libpare is not built")
def test_c_example(checkout):
    code, _ = blocks("README.md", "c")[0]
    (checkout / "example.c").write_text(code)
    subprocess.run([*C11, "example.c", "-o", "example", f"-L{LIBRARY.parent}", "-lpare", f"-Wl,-rpath,{LIBRARY.parent}"],
                   cwd=checkout, check=True)
    first, second = run(["./example"], checkout), run(["./example"], checkout)
    assert (first.returncode, second.returncode) == (0, 1)
    session = re.search(r"\$ ./example\n(.*\n)\$ ./example\n(.*\n)", (ROOT / "README.md").read_text())
    assert (first.stdout, second.stdout) == session.groups()


@pytest.mark.skipif(not LIBRARY.is_file(), reason="libpare is not built")
@pytest.mark.parametrize("page", ["README.md", "docs/python.md", "docs/plugins.md"])
def test_python_examples(page, checkout):
    """The blocks of a page are one program; each must print what is shown behind it."""
    mark = "\x1e"
    program = f"\nprint({mark!r})\n".join(code for code, _ in blocks(page, "python"))
    path = [] if os.environ.get("PARE_INSTALLED") else [str(ROOT / "python")]
    done = run([sys.executable, "-c", program], checkout, PYTHONPATH=os.pathsep.join(path), PARE_LIBRARY=str(LIBRARY))
    assert done.returncode == 0, done.stderr
    printed = [text.lstrip("\n") for text in done.stdout.split(mark)]
    assert printed == [shown or "" for _, shown in blocks(page, "python")]


@needs_command
def test_c_plugin_example(tmp_path):
    code, _ = blocks("docs/plugins.md", "c")[0]
    (tmp_path / "spread.c").write_text(code)
    subprocess.run([*C11, "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "spread.c", "-o", "spread.pare", "-lm"],
                   cwd=tmp_path, check=True)
    done = run([PARE, "validate", "spread.pare"], tmp_path)
    assert done.returncode == 0 and " 0 warned" in done.stdout, done.stdout


@needs_command
def test_plain_function_example(tmp_path):
    page = "docs/plain-functions.md"
    (tmp_path / "rms.c").write_text(blocks(page, "c")[0][0])
    (tmp_path / "rms.json").write_text(blocks(page, "json")[0][0])
    (tmp_path / "abs.json").write_text(blocks(page, "json")[1][0])
    subprocess.run([CC, "-O2", "-shared", "-fPIC", "rms.c", "-o", "librms.so", "-lm"], cwd=tmp_path, check=True)
    shown = run([PARE, "plugins", "show", "rms", "--function", "rms.json"], tmp_path)
    assert shown.stdout in (ROOT / page).read_text()
    for id in ("rms", "abs"):
        masks = [tmp_path / f"{name}.safetensors" for name in (id, "magnitude")]
        for file, criterion in zip(masks, (id, "magnitude")):
            done = run([PARE, "prune", DIGITS / "digits.onnx", "--function", f"{id}.json", "--criterion", criterion,
                        "--sparsity", "0.5", "--mask-out", file, "--force"], tmp_path)
            assert done.returncode == 0, done.stderr
        # Both are |w| where a unit is one weight.
        assert masks[0].read_bytes() == masks[1].read_bytes()
