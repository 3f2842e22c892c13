#!/bin/sh
# Run every benchmark, ours and the peers' in the same run:  Benchmarks/run.sh [--quick] [--runs N]
#   PARE, PARE_LIBRARY  the command and libpare.so   (build/bin/pare, build/lib/libpare.so)
#   BENCH_PYTHON        a Python that has the peers  (build/bench-venv, made on first use)
# Leaves build/bench/RESULTS.md and Benchmarks/data/*.jsonl.
set -eu

cd "$(dirname "$0")/.."
python=${BENCH_PYTHON:-build/bench-venv/bin/python}
if [ -z "${BENCH_PYTHON:-}" ] && [ ! -e build/bench-venv/ready ]; then
    python3 -m venv build/bench-venv
    "$python" -m pip install --quiet --requirement python/requirements-bench.txt
    # A peer of p7 only, left out where there is no wheel.
    "$python" -m pip install --quiet --only-binary :all: onnxsim || echo "skipped: no onnxsim wheel here" >&2
    touch build/bench-venv/ready
fi

mkdir -p build/bench
BENCH_RESULTS=$PWD/build/bench/RESULTS.md
export BENCH_RESULTS
"$python" Benchmarks/bench.py "$@" >"$BENCH_RESULTS"

failed=
for benchmark in p4_safetensors p5_nm p6_resnet50 p7_cold_start abi_cost; do
    "$python" "Benchmarks/$benchmark.py" "$@" || failed="$failed $benchmark"
done
echo
echo "written: build/bench/RESULTS.md"
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
