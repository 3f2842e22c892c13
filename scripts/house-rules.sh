#!/usr/bin/env bash
# house-rules.sh   what CONTRIBUTING.md asks for and a machine can check. Prints each offence; exit status 1 if there is one.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

# rule TEXT COMMAND…   the command prints offences, nothing if all is well.
rule() {
    local text=$1 found
    shift
    found=$("$@") || true
    [ -z "$found" ] && return
    failed=1
    printf '%s\n%s\n\n' "house rule: $text" "$found"
}

# git grep, tracked files and new ones, without this script, which names what it forbids.
offences() { git grep --untracked -nE "$@" ':!scripts/house-rules.sh' ':!*.onnx' ':!*.npz' ':!*.safetensors'; }

# The layers, bottom up; a target imports only targets before it.
layers=(CKernels CShim CFFI CPare PareTensor PareMask PareGraph PareFormats PareHost PareABI)
layering() {
    local below=" Glibc " target
    for target in "${layers[@]}"; do
        imports "Sources/$target" "$below"
        below+="$target "
    done
    imports Sources/PareKit " Glibc CPare "
    imports plugins " Glibc CPare PareKit "
    imports Sources/pare "$below ArgumentParser "
}
imports() { # FOLDER ALLOWED
    git grep --untracked -nE '^(@[a-zA-Z]+ )*(public )?import ' -- "$1/*.swift" | while IFS= read -r line; do
        [[ $2 == *" ${line##* } "* ]] || echo "$line"
    done
}

long_files() {
    # python/pare/_abi.py mirrors the headers, declaration by declaration.
    git ls-files --cached --others --exclude-standard -- '*.swift' '*.c' '*.h' '*.py' '*.sh' ':!Tests' ':!python/pare/_abi.py' |
        sort -u | while IFS= read -r file; do
            lines=$(wc -l <"$file")
            [ "$lines" -le 400 ] || echo "$file: $lines lines"
        done
}

# A precondition whose line above says why nothing outside can reach it is documented.
traps() {
    offences '\b(fatalError|preconditionFailure|precondition|assert|assertionFailure)\(|\btry!|\bas!' -- Sources plugins |
        grep -E '\.swift:' | while IFS=: read -r file line rest; do
            sed -n "$((line - 1))p" "$file" | grep -q '// Unreachable from outside' || echo "$file:$line:$rest"
        done
}

rule "no Foundation or Dispatch" offences 'import (Foundation|Dispatch)' -- 'Sources/*.swift' 'plugins/*.swift'
rule "no Swift concurrency below the command" \
    offences '\basync (throws|let|->|\{)|\bawait |\bTask *\{|^ *(public )?actor ' -- 'Sources/*.swift' 'plugins/*.swift' ':!Sources/pare'
rule "every @_cdecl of the ABI is an @implementation" \
    bash -c 'git grep --untracked -nE "@_cdecl\(" -- Sources/PareABI | grep -v "@implementation"'
rule "nothing below the command traps" traps
rule "nothing below the command prints or exits" \
    offences '(^|[^.a-zA-Z_])(print|debugPrint|exit|_exit|abort)\(' -- 'Sources/*.swift' 'plugins/*.swift' ':!Sources/pare'
rule "a target imports only layers below it" layering
rule "no path of one machine" offences '/(home|root|opt|work)/[a-z]|/tmp/bash'
rule "nothing is left to do" offences -w '(TODO|FIXME|XXX|HACK)'
rule "files other than tests have at most 400 lines" long_files
rule "every declaration in a header has its tags" bash -c 'out=$(python3 Tests/abi/tags.py) || echo "$out"'

[ "$failed" = 0 ] && echo "house rules: kept"
exit "$failed"
