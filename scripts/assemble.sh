#!/usr/bin/env bash
# assemble.sh BUILD PLUGIN…   lay out what `swift build` made as an installed tree:
#   BUILD/bin/pare   BUILD/lib/libpare.so   BUILD/lib/pare/<id>.pare   BUILD/lib/*.so (the Swift runtime)
# The tree can be moved anywhere: every library looks for the others beside itself. MADE names the folder of another build to take,
# symbols included (scripts/sanitize.sh).
set -euo pipefail
build=$1; shift
made=${MADE:-$(swift build -c release --show-bin-path)}
mkdir -p "$build/bin" "$build/lib/pare"
install -m 755 "$made/pare-cli" "$build/bin/pare"
install -m 644 "$made/libpare.so" "$build/lib/libpare.so"
for plugin in "$@"; do install -m 644 "$made/libpare-$plugin.so" "$build/lib/pare/$plugin.pare"; done

# Symbols for debuggers go; what is exported stays. Before patchelf, which moves sections.
[ -n "${MADE:-}" ] || strip --strip-unneeded "$build/bin/pare" "$build/lib/libpare.so" "$build"/lib/pare/*.pare

runtime=$(swiftc -print-target-info | sed -n 's/.*"runtimeLibraryPaths" : \[ *//; /^ *"\/.*linux"/{s/[", ]//g;p;q}')
[ -n "$runtime" ] || runtime=$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")/lib/swift/linux
# Only the runtime libraries that are really needed, followed through their own needs.
needs() { readelf -d "$@" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u; }
todo=$(needs "$build/bin/pare" "$build/lib/libpare.so" "$build"/lib/pare/*.pare)
while [ -n "$todo" ]; do
  next=""
  for library in $todo; do
    if [ -f "$runtime/$library" ] && [ ! -f "$build/lib/$library.seen" ]; then
      cmp -s "$runtime/$library" "$build/lib/$library" || install -m 644 "$runtime/$library" "$build/lib/$library"
      : > "$build/lib/$library.seen"
      next+=" $(needs "$runtime/$library")"
    fi
  done
  todo=$next
done
rm -f "$build"/lib/*.seen
# The program and the plugins do not lie beside the runtime.
patchelf --set-rpath '$ORIGIN/../lib' "$build/bin/pare"
for file in "$build"/lib/pare/*.pare; do patchelf --set-rpath '$ORIGIN/..' "$file"; done
