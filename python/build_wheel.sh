#!/bin/sh
# Builds python/dist/pare-*.whl from build/lib (run `make build` first). PYTHON chooses the interpreter.
set -eu
cd "$(dirname "$0")"
"${PYTHON:-python3}" -m pip wheel --no-deps --wheel-dir dist .
ls -l dist
