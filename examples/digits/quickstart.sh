#!/bin/sh
# Prune one small trained network in several ways and see what each costs. Writes to build/quickstart only.
#   PARE    the command         (build/bin/pare)
#   PYTHON  numpy, onnxruntime  (.venv/bin/python)
set -eu

cd "$(dirname "$0")/../.."
pare=${PARE:-build/bin/pare}
python=${PYTHON:-.venv/bin/python}
digits=examples/digits
out=build/quickstart

for program in "$pare" "$python"; do
    command -v "$program" >/dev/null || { echo "quickstart: $program not found; run \`make\` first" >&2; exit 1; }
done
mkdir -p "$out"
: >"$out/summary.txt"

say() { printf '\n== %s\n' "$*"; }

# Show a command as one would type it, then run it.
run() {
    printf '\n$ pare'
    for word; do
        case $word in *\**) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\n'
    "$pare" "$@"
}

# measure LABEL MODEL [REPORT]: accuracy on the 360 test images, kept for the summary.
measure() {
    accuracy=$("$python" $digits/evaluate.py "$2")
    echo "$accuracy"
    zeros=0.0
    [ $# -lt 3 ] || zeros=$("$python" -c 'import json, sys
print("%.1f" % (100 * json.load(open(sys.argv[1]))["sparsity"]))' "$3")
    printf '%-32s %5s %% zeros   %s\n' "$1" "$zeros" "$accuracy" >>"$out/summary.txt"
}

# prune NAME LABEL OPTION…: one pruned model, its report beside it, and its accuracy.
prune() {
    name=$1 label=$2
    shift 2
    say "$label"
    run prune $digits/digits.onnx -o "$out/$name.onnx" "$@" --report "$out/$name.json" --force
    measure "$label" "$out/$name.onnx" "$out/$name.json"
}

say "the network as trained"
run inspect $digits/digits.onnx
measure "dense" $digits/digits.onnx

# The smallest half of all weights, then more: one threshold for the whole network.
prune global-50 "50 %, one global threshold" --criterion magnitude --sparsity 0.5 --allocation global
prune global-80 "80 %, one global threshold" --criterion magnitude --sparsity 0.8 --allocation global
prune global-90 "90 %, one global threshold" --criterion magnitude --sparsity 0.9 --allocation global

# The same 90 %, spread by layer shape, or evenly: nine of ten weights gone is too much for the thin layers.
prune erk-90 "90 %, by layer shape (ERK)" --criterion magnitude --sparsity 0.9 --allocation erk
prune uniform-90 "90 %, the same in every layer" --criterion magnitude --sparsity 0.9 --allocation uniform

# Two of every four consecutive weights stay. Four does not divide the nine weights a row of these two layers.
prune nm-2-4 "2:4" --criterion magnitude --sparsity 2:4 --allocation uniform \
    --exclude 'stem.*' --exclude 'depthwise.*'

# Whole output features, three of ten in each layer; the classifier keeps its ten digits.
prune row-30 "30 % of the rows" --criterion magnitude --sparsity row@0.3 --allocation uniform \
    --exclude 'classifier.*'

say "what changed between dense and 90 %"
# Like diff(1), 1 says that the two differ; anything above is a failure.
run diff $digits/digits.onnx "$out/global-90.onnx" || [ $? -eq 1 ]

say "summary (no fine-tuning anywhere)"
cat "$out/summary.txt"
