#!/bin/sh
# Fuzz the readers with libFuzzer and the address sanitizer: run.sh SECONDS [reader …]
# Builds into .build/fuzz; findings are left there as <reader>-crash-*.
set -eu
seconds=${1:?usage: run.sh SECONDS [reader …]}
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$root/.build/fuzz
mkdir -p "$out"
cd "$root"

for shim in CShim CKernels; do
    for source in Sources/$shim/*.c; do
        "$(dirname "$(command -v swiftc)")/clang" -g -O1 -c "$source" -I "Sources/$shim/include" \
            -o "$out/$shim-$(basename "$source" .c).o"
    done
    printf 'module %s { umbrella "%s" export * }\n' "$shim" "$root/Sources/$shim/include" >"$out/$shim.modulemap"
done

flags="-g -O -swift-version 6 -enable-testing -parse-as-library -sanitize=fuzzer,address -I $out
    -Xcc -fmodule-map-file=$out/CShim.modulemap -Xcc -fmodule-map-file=$out/CKernels.modulemap"
for module in PareTensor PareMask PareGraph PareFormats; do
    # shellcheck disable=SC2046,SC2086
    swiftc $flags -wmo -module-name $module -emit-module -emit-module-path "$out/$module.swiftmodule" \
        -c $(find "Sources/$module" -name '*.swift') -o "$out/$module.o"
done

for reader in ${*:-onnx safetensors npy json}; do
    support=Tests/fuzz/support.swift
    [ "$reader" = json ] && support=
    # shellcheck disable=SC2086
    swiftc $flags -module-name fuzz_$reader Tests/fuzz/$reader.swift $support "$out"/*.o -o "$out/fuzz-$reader"
    mkdir -p "$out/corpus-$reader"
    echo "== $reader"
    "$out/fuzz-$reader" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$out/$reader-" "$out/corpus-$reader" "Tests/fuzz/seeds/$reader"
done
