"""`pare validate`: plugins that keep to the rules pass, and each broken one is caught by the check made for it."""

import json
import os
import pathlib
import subprocess

import pytest

from conftest import LIBRARY, SANITIZED, not_sanitized

ROOT = pathlib.Path(__file__).resolve().parents[2]
CC = os.environ.get("CC", "cc")
BUILT = sorted((LIBRARY.parent / "pare").glob("*.pare"))

# Broken plugin of Tests/abi/fixtures.c → the check that has to catch it. "crash" is a result of its own; options-effective
# warns only, because an option may rightly make no difference here.
FIXTURES = {
    "constructor-crash": "open", "entry-missing": "file-exports-entry", "exports-extra": "file-exports-nothing-else",
    "entry-null": "entry-returns", "entry-crash": "entry-returns", "entry-slow": "entry-fast",
    "entry-unstable": "entry-repeatable", "module-magic": "module-magic", "module-major": "module-version",
    "module-size": "module-size", "module-null-id": "module-texts", "module-null-get-factory": "module-factories",
    "init-fails": "init-succeeds", "factory-any-kind": "factory-unknown-kind",
    "factory-null-descriptor": "factory-lists", "factory-null-create": "factory-tables",
    "factory-count": "factory-tables", "descriptor-past-end": "factory-past-end",
    "descriptor-null-summary": "descriptor-texts", "descriptor-kind": "descriptor-kind",
    "descriptor-needs": "descriptor-bits", "id-duplicate": "id-unique", "id-taken": "id-namespace",
    "id-spelling": "id-spelling", "id-unknown": "create-unknown-id", "instance-descriptor": "instance-descriptor",
    "instance-null": "create-defaults", "instance-null-table": "create-defaults",
    "instance-null-score": "instance-table", "schema-default": "schema-defaults",
    "schema-duplicate-key": "schema-keys", "schema-duplicate-choice": "schema-choices", "schema-type": "schema-types",
    "schema-null": "schema-entries", "option-ignored": "options-effective", "option-crash": "options-accepted",
    "print-stdout": "silent", "score-crash": "call-plain", "score-abort": "call-plain", "score-exit": "call-plain",
    "score-throw": "call-plain", "score-fails": "call-plain", "score-status": "call-plain",
    "score-nan": "score-complete", "score-infinite": "score-complete", "score-unfilled": "score-complete",
    "score-overrun": "score-bounds", "score-underrun": "score-bounds", "score-writes-weights": "weights-read-only",
    "score-contiguous": "score-strides", "score-float32": "score-dtypes", "score-empty": "score-empty",
    "score-random": "call-repeatable", "score-history": "call-repeatable", "score-not-local": "score-subrange",
    "score-not-invariant": "score-scale", "score-not-thread-safe": "call-parallel", "score-slow": "call-speed",
    "leak-score": "call-leaks", "leak-instance": "create-leaks", "demanding": "module-version",
}  # fmt: skip
CRASHES = {
    "constructor-crash", "entry-crash", "option-crash", "score-crash", "score-abort", "score-exit", "score-throw",
}  # fmt: skip

# Case of validate_kinds.c → the check that has to catch it.
KINDS = {
    "SCORE_BROADCAST": "score-broadcast", "SCORE_BYTE_OFFSET": "score-byte-offset",
    "SCORE_STALE_MEMORY": "score-complete", "SCORE_OVERREAD": "weights-in-bounds",
    "SCORE_NAN_INDEX": "score-nonfinite", "REQUEST_SIZE": "call-larger-host", "INPUT_UNDECLARED": "inputs-declared",
    "INPUT_MISSING": "inputs-missing", "CANCEL_STATUS": "cancel-each-poll", "CANCEL_IGNORED": "cancel-each-poll",
    "PROGRESS_BACK": "cancel-each-poll", "SCORE_RANK": "score-ranks", "SCORE_GRANULARITY": "score-granularities",
    "OPTION_CALL": "call-options", "OPTION_REFUSED": "options-accepted", "MEMORY_UNCHECKED": "call-memory-refused",
    "MEMORY_LOST": "call-memory-refused", "MEMORY_SIZE": "call-leaks", "MEMORY_OVERRUN": "call-leaks",
    "MEMORY_TWICE": "call-leaks", "SCORE_THREADS": "call-threads", "SCORE_ROUNDS": "score-rounds",
    "ALLOCATE_EMPTY": "allocate-empty", "ALLOCATE_REFUSAL": "allocate-refusal", "ALLOCATE_LIMIT": "allocate-refusal",
    "ALLOCATE_SHAPE": "allocate-range", "ALLOCATE_RANGE": "allocate-range", "ALLOCATE_TARGET": "allocate-target",
    "ALLOCATE_NAN": "allocate-range", "ALLOCATE_POOL": "allocate-range", "ALLOCATE_OVERRUN": "allocate-range",
    "METRIC_HIDDEN": "metric-hidden", "METRIC_DTYPE": "metric-dtypes", "METRIC_WRITES": "metric-read-only",
    "METRIC_PATTERN": "metric-patterns", "METRIC_EMPTY": "metric-empty", "METRIC_NAN": "metric-finite",
    "METRIC_NAMELESS": "metric-emits", "METRIC_LAYER": "metric-emits", "METRIC_TWICE": "metric-once",
    "METRIC_SILENT": "metric-emits", "PENALTY_NULL_VALUE": "instance-table", "HEAP": "create-repeated",
    "EXTENSION_ANY": "extension-unknown", "ID_PREFIX": "create-unknown-id", "RECORD_NULL": "error-record",
    "RECORD_OVERRUN": "error-record", "SERVICE_UNCHECKED": "call-empty-host", "INIT_ONCE": "init-counted",
}  # fmt: skip
WARNINGS = {"option-ignored", "INPUT_UNDECLARED", "CANCEL_IGNORED", "OPTION_REFUSED"}


@pytest.fixture(scope="session")
def validate(command):
    def run(*words):
        done = command("validate", *words, "--json", "--seed", "1", timeout=300)
        assert done.stdout, done.stderr
        report = json.loads(done.stdout)
        failed = any(r["result"] in ("fail", "crash") for f in report["files"] for r in f["results"])
        assert done.returncode == (1 if failed else 0), done.stderr
        return report["files"][0]["results"]

    return run


@pytest.fixture(scope="session")
def fixtures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fixtures")
    subprocess.run([ROOT / "Tests/abi/build_fixtures.sh", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def kind_plugin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused", "-fPIC", "-shared", "-fvisibility=hidden"]

    def build(case):
        target = folder / f"{case.lower()}.pare"
        source = pathlib.Path(__file__).with_name("validate_kinds.c")
        subprocess.run([CC, *flags, f"-I{ROOT}/include", f"-DCASE_{case}", source, "-o", target, "-lm"], check=True)
        return target

    return build


def failures(results):
    return {r["check"]: r["result"] for r in results if r["result"] in ("warn", "fail", "crash")}


@pytest.mark.parametrize("path", BUILT, ids=lambda p: p.stem)
def test_own_plugins_pass(validate, path):
    results = validate(path)
    assert failures(results) == {}
    assert sum(r["seconds"] for r in results) < 10
    assert sum(r["result"] == "pass" for r in results) > 50


@pytest.mark.parametrize("case", sorted(FIXTURES))
def test_broken_fixtures_are_caught(validate, fixtures, case):
    found = failures(validate(fixtures / f"{case}.pare"))
    wanted = "warn" if case in WARNINGS else "crash" if case in CRASHES else "fail"
    assert found.get(FIXTURES[case]) == wanted, found


@pytest.mark.parametrize("case, check", [("entry-hang", "entry-returns"), ("score-hang", "call-plain")])
def test_hangs_are_ended(validate, fixtures, case, check):
    results = validate(fixtures / f"{case}.pare", "--timeout", "0.5")
    assert failures(results) == {check: "crash"}
    assert sum(r["seconds"] for r in results) < 10


def test_late_answers_to_cancelling_are_caught(validate, fixtures):
    found = failures(validate(fixtures / "score-ignores-cancel.pare", "--include", "cancel-in-time"))
    assert found == {"cancel-in-time": "fail"}


def test_all_fixtures_are_in_the_table(fixtures):
    fine = {"good", "future", "degrades", "needs-service", "lean", "entry-hang", "score-hang", "score-ignores-cancel"}
    assert {p.stem for p in fixtures.glob("*.pare")} == set(FIXTURES) | fine


@pytest.mark.parametrize("name", ["good", "future", "degrades", "lean", "needs-service"])
def test_sound_plugins_of_all_ages_pass(validate, fixtures, name):
    found = failures(validate(fixtures / f"{name}.pare"))
    assert set(found.values()) <= {"warn"}
    assert name != "good" or not found


def test_a_sound_module_of_four_kinds_passes(validate, kind_plugin):
    results = validate(kind_plugin("NONE"))
    assert failures(results) == {}
    left_out = [r["plugin"]["kind"] for r in results if r["check"] == "kind-calls" and r["result"] == "skip"]
    assert left_out == ["penalty"]


@pytest.mark.parametrize("case", sorted(KINDS))
def test_broken_kinds_are_caught(validate, kind_plugin, case):
    if case == "HEAP" and SANITIZED:
        pytest.skip("the check counts what malloc has given out, and a sanitizer replaces malloc")
    found = failures(validate(kind_plugin(case)))
    assert KINDS[case] in found, found
    assert (found[KINDS[case]] == "warn") == (case in WARNINGS), found


def test_what_builds_on_a_failure_is_skipped(validate, fixtures):
    results = validate(fixtures / "score-nan.pare")
    assert failures(results) == {"score-complete": "fail"}
    skipped = [r["what"] for r in results if r["result"] == "skip"]
    assert any("score-complete" in why for why in skipped)


def test_the_list_the_docs_and_the_results_agree(command, validate, kind_plugin):
    listed = [line.split()[0] for line in command("validate", "--list").stdout.splitlines() if not line.startswith(" ")]
    assert len(set(listed)) == len(listed) > 70
    assert {r["check"] for r in validate(kind_plugin("NONE"))} == set(listed)
    documented = (ROOT / "docs/validate.md").read_text()
    assert [name for name in listed if f"`{name}`" not in documented] == []


def test_filters_and_seed(command, validate):
    results = validate(BUILT[0], "--include", "schema-*", "--exclude", "*-keys")
    names = {r["check"] for r in results}
    assert "schema-defaults" in names and "schema-keys" not in names
    assert all(n.startswith("schema-") for n in names)
    assert "seed 7\n" in command("validate", BUILT[0], "--include", "open", "--seed", "7").stdout
    done = command("validate", BUILT[0], "--include", "schema-keyz")
    assert done.returncode == 2 and 'did you mean "schema-keys"?' in done.stderr


@not_sanitized
def test_in_process(command, fixtures):
    done = command("validate", fixtures / "good.pare", "--in-process")
    assert done.returncode == 0 and "0 failed" in done.stdout
    done = command("validate", fixtures / "score-crash.pare", "--in-process")
    assert done.returncode < 0 or done.returncode > 128  # the debugger's business


def test_text_names_rule_and_reason(command, fixtures):
    done = command("validate", fixtures / "module-magic.pare")
    assert done.returncode == 1
    assert "fail   module-magic" in done.stdout and "expected: 0x3145524150454c42" in done.stdout
    assert "pass   file-elf" not in done.stdout
    assert "pass   file-elf" in command("validate", fixtures / "module-magic.pare", "--all").stdout


@pytest.mark.parametrize("size", [0, 3, 4, 63, 64, 200, 4096, 9000])
def test_broken_files_fail_politely(validate, fixtures, tmp_path, size):
    broken = tmp_path / "cut.pare"
    broken.write_bytes((fixtures / "good.pare").read_bytes()[:size])
    assert "file-elf" in failures(validate(broken))


def test_flipped_bytes_never_bring_it_down(validate, fixtures, tmp_path):
    whole = (fixtures / "good.pare").read_bytes()
    broken = tmp_path / "flipped.pare"
    for at in range(16, 64, 3):
        broken.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        validate(broken, "--timeout", "1")


def test_what_cannot_be_read(command, tmp_path):
    assert command("validate", tmp_path / "none.pare").returncode == 2
    assert command("validate", tmp_path).returncode == 5
    assert command("validate").returncode == 2
    assert command("validate", tmp_path / "x", "--timeout", "0").returncode == 2
    text = tmp_path / "text.pare"
    text.write_text("not a plugin")
    assert command("validate", text).returncode == 1


def test_installed_plugins_by_name(command):
    done = command("validate", "magnitude", "--include", "open")
    assert done.returncode == 0 and "lib/pare/magnitude.pare" in done.stdout
