#!/bin/sh
# build_fixtures.sh OUTDIR — every case of fixtures.c and ages.c as OUTDIR/<case>.pare: CASE_SCORE_NAN → score-nan.pare
set -eu
[ $# -eq 1 ] || { echo "usage: build_fixtures.sh OUTDIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
include=${PARE_INCLUDE:-$here/../../include}
mkdir -p "$1"
flags="-std=gnu11 -O1 -Wall -Wextra -Werror -Wno-unused -fPIC -shared -fvisibility=hidden -I$include"
for source in fixtures ages; do
    for case in $(grep -o '^ \* CASE_[A-Z0-9_]*' "$here/$source.c" | sed 's/^ \* //'); do
        target=$1/$(echo "${case#CASE_}" | tr 'A-Z_' 'a-z-').pare
        if [ "$case" = CASE_SCORE_THROW ]; then
            ${CC:-cc} $flags -fexceptions -D$case -c "$here/$source.c" -o "$target.o"
            ${CXX:-c++} -O1 -fPIC -shared -fvisibility=hidden "$target.o" "$here/fixture_throw.cpp" -o "$target"
            rm "$target.o"
        else
            ${CC:-cc} $flags -D$case "$here/$source.c" -o "$target" -lm
        fi
    done
done
