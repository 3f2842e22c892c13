#!/usr/bin/env bash
# Installs the Debian packages that the build and the tests need and that are not there yet. Needs root only if one is missing.
set -euo pipefail
command -v swift >/dev/null || { echo "pare: a Swift 6.3 toolchain is needed (swift.org/install)" >&2; exit 1; }
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need cc gcc
need make make
need patchelf patchelf
need valgrind valgrind
[ -f /usr/include/ffi.h ] || ls /usr/include/*/ffi.h >/dev/null 2>&1 || missing+=(libffi-dev)
need pkg-config pkg-config
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -eq 0 ] && exit 0
echo "pare: installing ${missing[*]}"
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get install -y -q "${missing[@]}" >/dev/null 2>&1 || { $sudo apt-get update -q >/dev/null; $sudo apt-get install -y -q "${missing[@]}" >/dev/null; }
