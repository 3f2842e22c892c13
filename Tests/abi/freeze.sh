#!/bin/sh
# freeze.sh VERSION — copy the headers as they are into Tests/abi/VERSION/include. Only before that version is released.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=$here/${1:?usage: freeze.sh VERSION}/include
rm -rf "$target"
cp -R "$here/../../include" "$target"
