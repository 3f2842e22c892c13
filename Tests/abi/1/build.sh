#!/bin/sh
# build.sh OUTFILE — the plugin of interface version 1.0 from its own frozen copy of the headers.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
${CC:-cc} -std=c11 -O2 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden -I"$here/include" "$here/plugin.c" \
    -o "${1:?usage: build.sh OUTFILE}" -lm
