#!/usr/bin/env bash
# sanitize.sh address|thread   every suite under a sanitizer; exit status 0 only if all pass and nothing is reported.
#
# The Swift suites, then the pytest suites and the C examples against an instrumented tree in build/KIND: the command, libpare, the
# plugins of every language, the fixtures and the C hosts. Python is not instrumented: the runtime is preloaded into it. Suites that
# are left out say so. SUITES="swift python abi examples" chooses.
set -uo pipefail
cd "$(dirname "$0")/.."
kind=${1:-}
case $kind in
  address) runtime=asan ;;
  thread) runtime=tsan ;;
  *) echo "usage: sanitize.sh address|thread" >&2; exit 2 ;;
esac
root=$PWD tree=$PWD/build/$kind tools=$PWD/scripts/sanitize scratch=.build/$kind
python=$(cd "${VENV:-.venv}" && pwd)/bin/python || exit 2
suites=${SUITES:-swift python abi examples}
plugins=$(make -s --no-print-directory print-plugins)
c_plugins=$(make -s --no-print-directory print-c-plugins)

# Instrumented libraries find the runtime in the program that loads them, so they are linked with symbols left open; the bundled lld
# does that quietly.
export PARE_SANITIZE=1
flags=(--sanitize="$kind" --scratch-path "$scratch" -Xswiftc -use-ld=lld)

# Reports go into files: a program that a test starts may have its standard error captured, or be expected to fail.
reports=$tree/reports
rm -rf "$tree"
mkdir -p "$tree"/{bin,lib/pare,examples,fixtures} "$reports"
export ASAN_OPTIONS="log_path=$reports/report:detect_leaks=1:detect_stack_use_after_return=1"
export LSAN_OPTIONS="suppressions=$tools/leaks.supp:print_suppressions=0"
export TSAN_OPTIONS="log_path=$reports/report:halt_on_error=0"
# The crash handlers of the Swift runtime would hide the sanitizer's.
export SWIFT_BACKTRACE=enable=no

failed=0 ran=()
suite() { # suite NAME COMMAND…
  local name=$1 start=$SECONDS; shift
  echo "== $kind: $name"
  if "$@"; then ran+=("$name: passed in $((SECONDS - start)) s"); else ran+=("$name: FAILED"); failed=1; fi
}

build() {
  swift build "${flags[@]}" --build-tests >"$tree/build.log" 2>&1 || { grep -E "error" "$tree/build.log" | head -20; return 1; }
}

assemble() {
  local made clang compiler language plugin
  made=$(swift build "${flags[@]}" --show-bin-path) || return 1
  MADE=$made scripts/assemble.sh "$tree" $plugins || return 1
  clang=$(dirname "$(readlink -f "$(command -v swiftc)")")/clang
  for language in cc c++; do
    compiler=$clang
    [ $language = cc ] || compiler=$clang++
    printf '#!/bin/sh\nexec %s -fsanitize=%s -fuse-ld=lld -Wno-unused-command-line-argument -g "$@"\n' "$compiler" "$kind" >"$tree/bin/$language"
    chmod +x "$tree/bin/$language"
  done
  export CC=$tree/bin/cc CXX=$tree/bin/c++
  for plugin in $c_plugins; do
    $CC -std=c11 -O1 -fPIC -shared -fvisibility=hidden -Iinclude "plugins/$plugin/$plugin.c" -o "$tree/lib/pare/$plugin.pare" -lm || return 1
  done
  make -s --no-print-directory c-examples BUILD="$tree" CC="$CC" || return 1
  printf '#!/bin/sh\nASAN_OPTIONS=$(echo "$ASAN_OPTIONS" | sed s/detect_leaks=1/detect_leaks=0/) \\\nLD_PRELOAD=%s exec %s "$@"\n' \
    "$("$clang" -print-resource-dir)/lib/linux/libclang_rt.$runtime-$(uname -m).so" "$python" >"$tree/bin/python"
  chmod +x "$tree/bin/python"
}

in_swift() { swift test "${flags[@]}" --skip-build 2>&1 | grep -vE '^[◇✔]' ; return "${PIPESTATUS[0]}"; }

in_pytest() {
  # Left out: wheels hold release builds; valgrind and a sanitizer exclude each other (test_examples.py skips it itself).
  PARE="$tree/bin/pare" PARE_LIBRARY="$tree/lib/libpare.so" PARE_PLUGINS="$tree/lib/pare" PARE_EXAMPLES="$tree/examples" \
    PARE_SANITIZED_PYTHON="$tree/bin/python" PYTHONPATH="$tools:$root/python" \
    "$tree/bin/python" -m pytest -q -rs -p no:cacheprovider --ignore Tests/python/test_python_wheel.py "$@"
}

main() {
  local name
  suite "build" build
  [ $failed = 0 ] && suite "assemble build/$kind" assemble
  [ $failed = 0 ] || suites=""
  for name in $suites; do
    case $name in
      swift) suite "Swift suites" in_swift ;;
      python) suite "command and Python package" in_pytest Tests/python --ignore Tests/python/test_examples.py ;;
      abi) suite "ABI" in_pytest Tests/abi ;;
      examples) suite "C examples" in_pytest Tests/python/test_examples.py ;;
    esac
  done
  summary
}

summary() {
  local found report
  echo "== $kind: summary"
  printf '%s\n' "${ran[@]}" "left out: wheels (they hold release builds)"
  found=$(find "$reports" -type f | wc -l)
  for report in $(find "$reports" -type f | sort | head -5); do echo "-- $report"; head -60 "$report"; done
  echo "$kind sanitizer: $found reports, $([ $failed = 0 ] && echo all suites passed || echo some suites failed)"
  [ $failed = 0 ] && [ "$found" = 0 ]
}

main
