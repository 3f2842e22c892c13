"""Emit a program that prints the layout of every struct in the headers, as one language sees it.

    gen_layout.py c [INCLUDE]      gen_layout.py swift [INCLUDE]

The lines "struct.member offset size" and "struct size" are the same for all languages; Tests/abi/layout.golden holds them.
"""

import sys

import headers


def c(known):
    lines = ["#include <pare/pare.h>", "#include <stdio.h>", "", "int main(void)", "{"]
    for struct, members in known.items():
        for member, _, _ in members:
            size = f"sizeof ((struct {struct} *)0)->{member}"
            place = f"offsetof(struct {struct}, {member})"
            lines.append(f'    printf("{struct}.{member} %zu %zu\\n", {place}, {size});')
        lines.append(f'    printf("{struct} %zu\\n", sizeof(struct {struct}));')
    return "\n".join(lines + ["    return 0;", "}"])


def swift(known):
    lines = [
        "import CPare",
        "",
        "func line<S, M>(_ name: String, _ member: KeyPath<S, M>) {",
        "    print(name, MemoryLayout<S>.offset(of: member) ?? -1, MemoryLayout<M>.size)",
        "}",
        "",
    ]
    for struct, members in known.items():
        for member, _, _ in members:
            lines.append(f'line("{struct}.{member}", \\{struct}.`{member}`)')
        lines.append(f'print("{struct}", MemoryLayout<{struct}>.size)')
    return "\n".join(lines)


if __name__ == "__main__":
    language = sys.argv[1] if len(sys.argv) > 1 else ""
    known = headers.structs(*sys.argv[2:3])
    if language not in ("c", "swift"):
        sys.exit("usage: gen_layout.py c|swift [INCLUDE]")
    print({"c": c, "swift": swift}[language](known))
