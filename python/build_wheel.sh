#!/bin/sh
# build_wheel.sh [FOLDER]   build a wheel from build/lib (run `make build` first) into FOLDER, python/dist by default.
# PYTHON chooses the interpreter; the wheel fits every Python 3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/dist}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
# What an earlier build left would come along.
rm -rf "$here/build"
"${PYTHON:-python3}" -m pip wheel --disable-pip-version-check --no-deps --wheel-dir "$folder" "$here"
