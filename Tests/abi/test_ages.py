"""Plugins from other times and plugins that are broken, in a host that shares no code with Pare; and plugins of today in the
host of an earlier version. What Pare itself says about them is tested where the loader and the validator are.
"""

import os
import pathlib
import subprocess

import pytest
from test_plugins import CC, ROOT, call, plugin, Refused

HERE = pathlib.Path(__file__).resolve().parent
KIT = ["magnitude", "norm-scale", "fpgm", "lamp", "uniform", "uniform-plus", "global", "erk", "sparsity", "size"]
NUMBERS = "1 -2 3 4 5 -6"


def compile_program(name, include, target):
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{include}"]
    subprocess.run([CC, *flags, HERE / f"{name}.c", "-o", target, "-ldl", "-lm"], check=True)
    return target


@pytest.fixture(scope="session", params=["include", "Tests/abi/1/include"], ids=["today", "version-1"])
def host(request, tmp_path_factory):
    return compile_program("harness", ROOT / request.param, tmp_path_factory.mktemp("host") / "harness")


@pytest.fixture(scope="session")
def fixtures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fixtures")
    subprocess.run([HERE / "build_fixtures.sh", folder], check=True)
    return folder


def test_frozen_plugin_gives_the_same_scores(host, tmp_path):
    file = tmp_path / "frozen.pare"
    subprocess.run([HERE / "1/build.sh", file], check=True)
    run = lambda *words: [float(x) for x in call(host, file, "score", "org.pare.frozen-1", *words, data=NUMBERS).split()]
    assert run("2,3", 1) == [14, 77]
    assert run("2,3", 2, "power=1") == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("name", KIT)
def test_plugins_of_today_run_in_every_host(host, name):
    assert f" {name} 1.0.0 " in call(host, plugin(name), "list")


@pytest.mark.parametrize("case", ["future", "degrades", "lean"])
def test_other_ages_run(host, fixtures, case):
    assert call(host, fixtures / f"{case}.pare", "score", "org.example.age", "2,3", 1, data=NUMBERS).split() == ["6", "15"]


def test_too_new_is_refused_with_both_numbers(host, fixtures):
    with pytest.raises(AssertionError, match="needs host minor 99, this host has 0"):
        call(host, fixtures / "demanding.pare", "list")


def test_missing_service_is_named(host, fixtures):
    with pytest.raises(Refused, match=r"104 pare\.telepathy/1"):
        call(host, fixtures / "needs-service.pare", "score", "org.example.age", "2,3", 1, data=NUMBERS)


def test_the_good_fixture_is_good(host, fixtures):
    words = ["score", "org.example.fixture", "2,3", 2]
    assert call(host, fixtures / "good.pare", *words, data=NUMBERS).split() == ["1", "2", "3", "4", "5", "6"]


SEEN = {
    "entry-missing": "no entry", "entry-null": "returned NULL", "entry-unstable": "second call",
    "module-magic": "wrong magic", "module-major": "another major", "module-size": "no get_factory",
    "factory-any-kind": "unknown kind", "id-unknown": "unknown id", "instance-descriptor": "another descriptor",
    "instance-null": "without a table", "instance-null-table": "without a table", "score-nan": "not finite",
    "score-infinite": "not finite", "score-unfilled": "not filled", "score-overrun": "outside the scores",
    "score-underrun": "outside the scores", "score-writes-weights": "changed the weights",
    "score-random": "second call", "score-history": "second call", "leak-score": "not released",
    "leak-instance": "not released",
}  # fmt: skip


@pytest.mark.parametrize("case", SEEN)
def test_broken_plugins_are_seen(host, fixtures, case):
    words = ["score", "org.example.fixture", "2,3", 2]
    # Some leak on purpose, and the host is to say so itself: a leak checker, if there is one, keeps out of it.
    environment = dict(os.environ, LSAN_OPTIONS="detect_leaks=0")
    done = subprocess.run(
        [host, fixtures / f"{case}.pare", *map(str, words)], input=NUMBERS, capture_output=True, text=True, env=environment)
    assert done.returncode == 3 and SEEN[case] in done.stdout


@pytest.mark.parametrize("name", KIT)
def test_nothing_from_the_host_is_taken_on_trust(name, tmp_path):
    program = compile_program("abuse", ROOT / "include", tmp_path / "abuse")
    done = subprocess.run([program, plugin(name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", KIT)
def test_plugins_export_their_entry_alone(name):
    listing = subprocess.run(["nm", "-D", "--defined-only", plugin(name)], check=True, capture_output=True, text=True).stdout
    exported = [line.split()[-1] for line in listing.splitlines() if line.split()[-2] in "TDBRVW"]
    assert exported == ["pare_plugin_entry"]
    needed = subprocess.run(["readelf", "-d", plugin(name)], check=True, capture_output=True, text=True).stdout
    assert "libpare" not in needed.replace(f"libpare-{name}", "") and "Foundation" not in needed and "NODELETE" in needed


@pytest.mark.parametrize("example", sorted((ROOT / "examples-c").glob("*.c")), ids=lambda p: p.stem)
def test_examples_compile_without_warnings(example):
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", f"-I{ROOT}/include"]
    subprocess.run([os.environ.get("CC", "cc"), *flags, example], check=True)
    assert len(example.read_text().splitlines()) <= 150


def test_example_plugin_runs(host, tmp_path):
    file = tmp_path / "range.pare"
    flags = ["-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", f"-I{ROOT}/include"]
    subprocess.run([CC, *flags, ROOT / "examples-c/04-criterion-plugin.c", "-o", file, "-lm"], check=True)
    found = call(host, file, "score", "org.example.range", "2,3", 2, data="1 -2 4 3 0 -6").split()
    assert found == ["0.25", "0.5", "1", "0.5", "0", "1"]
