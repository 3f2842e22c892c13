#!/usr/bin/env python3
"""Runs every suite and prints one closing line, `N passed, N failed`, over all of them.

Suites: the Swift tests of the core, and the pytest suites (command, Python package, C examples, ABI, real models).
Exit status 0 only if nothing failed and every suite ran."""
import os, re, subprocess, sys, xml.etree.ElementTree as xml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")


def swift():
    """(passed, failed, skipped) of `swift test`; a build that fails counts as one failure."""
    report = os.path.join(BUILD, "swift-tests.xml")
    produced = report.replace(".xml", "-swift-testing.xml")
    for stale in (report, produced):
        if os.path.exists(stale):
            os.remove(stale)
    run = subprocess.run(["swift", "test", "--parallel", "--xunit-output", report], cwd=ROOT)
    found = produced if os.path.exists(produced) else report
    if not os.path.exists(found):
        return 0, 1, 0
    passed, failed, skipped = junit(found)
    return passed, failed + (1 if run.returncode and not failed else 0), skipped


def pytest():
    report = os.path.join(BUILD, "pytest.xml")
    if os.path.exists(report):
        os.remove(report)
    environment = dict(os.environ, PARE=os.path.join(BUILD, "bin/pare"), PARE_LIBRARY=os.path.join(BUILD, "lib/libpare.so"),
                       PYTHONPATH=os.path.join(ROOT, "python"))
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rs", "--junitxml", report, "Tests/python", "Tests/abi"],
                         cwd=ROOT, env=environment)
    if not os.path.exists(report):
        return 0, 1, 0
    passed, failed, skipped = junit(report)
    return passed, failed + (1 if run.returncode not in (0, 1) else 0), skipped


def junit(path):
    passed = failed = skipped = 0
    for case in xml.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main():
    totals = [0, 0, 0]
    for name, suite in (("swift", swift), ("pytest", pytest)):
        print(f"== {name}", flush=True)
        counts = suite()
        print(f"== {name}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped", flush=True)
        if not counts[0] and not counts[1]:
            counts = (0, 1, 0)  # a suite that ran nothing is a failure
        totals = [a + b for a, b in zip(totals, counts)]
    print(f"{totals[0]} passed, {totals[1]} failed")
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
