"""For Python under a sanitizer (scripts/sanitize.sh). Python itself is not instrumented, so the runtime is preloaded; the programs
that tests start bring their own and must not get a second one. Python's own children go through the wrapper again."""
import os
import sys

os.environ.pop("LD_PRELOAD", None)
if "PARE_SANITIZED_PYTHON" in os.environ:
    sys.executable = sys._base_executable = os.environ["PARE_SANITIZED_PYTHON"]
# Leaks are looked for in the programs, not in the interpreter.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "").replace("detect_leaks=0", "detect_leaks=1")
