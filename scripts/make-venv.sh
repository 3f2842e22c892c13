#!/usr/bin/env bash
# make-venv.sh PYTHON VENV   a virtual environment with what the tests need; made again only when the requirements change.
set -euo pipefail
python=$1; venv=$2
requirements=(python/requirements-test.txt)
# Checks on real models and data need the larger packages.
[ -d "${PARE_SHARED:-../shared}/data" ] && requirements+=(python/requirements-data.txt)
stamp="$venv/.made-from"
wanted=$(cat "${requirements[@]}" | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0
"$python" -m venv "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check $(printf -- '-r %s ' "${requirements[@]}")
echo "$wanted" > "$stamp"
