#!/usr/bin/env bash
# docs.sh OUT   reference pages: OUT/c (the headers, by Doxygen) and OUT/swift (PareKit and the core's modules, by DocC).
# Doxygen is installed where it is missing; the DocC plugin is a package that only this script asks for (PARE_DOCS).
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: docs.sh OUT}
mkdir -p "$out"
out=$(cd "$out" && pwd)

if ! command -v doxygen >/dev/null; then
    echo "docs: installing doxygen"
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get install -y -q --no-install-recommends doxygen >/dev/null 2>&1 || {
        $sudo apt-get update -q >/dev/null
        $sudo apt-get install -y -q --no-install-recommends doxygen >/dev/null
    }
fi

rm -rf "$out/c" "$out/swift"
doxygen - <<CONFIG
PROJECT_NAME           = Pare
PROJECT_NUMBER         = "C interface $(sed -n 's/^#define PARE_ABI_\(MAJOR\|MINOR\) //p' include/pare/base.h | paste -sd.)"
INPUT                  = include/pare
FILE_PATTERNS          = *.h
RECURSIVE              = YES
STRIP_FROM_PATH        = include
INPUT_FILTER           = "awk -f scripts/doxygen.awk"
OUTPUT_DIRECTORY       = "$out"
HTML_OUTPUT            = c
GENERATE_LATEX         = NO
OPTIMIZE_OUTPUT_FOR_C  = YES
TYPEDEF_HIDES_STRUCT   = YES
JAVADOC_AUTOBRIEF      = YES
EXTRACT_ALL            = YES
SORT_MEMBER_DOCS       = NO
HAVE_DOT               = NO
ENABLE_PREPROCESSING   = YES
MACRO_EXPANSION        = YES
EXPAND_ONLY_PREDEF     = YES
PREDEFINED             = PARE_API= PARE_PLUGIN_EXPORT=
QUIET                  = YES
CONFIG

# One tree of pages for all modules. Built apart from the ordinary build, so that neither disturbs the other.
modules=(PareKit PareTensor PareMask PareGraph PareFormats PareHost)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
PARE_DOCS=1 swift package --scratch-path .build/docs --allow-writing-to-directory "$out" generate-documentation \
    "${modules[@]/#/--target=}" --enable-experimental-combined-documentation --output-path "$out/swift" >"$log" 2>&1 ||
    { cat "$log" >&2; exit 1; }

echo "C:      $out/c/index.html"
echo "Swift:  python3 -m http.server -d $out/swift, then /documentation"
