"""The headers as data: structs with members, exported functions and their comments. Plain C declarations only."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Size and alignment of every scalar that may appear in a header; pointers and function pointers are 8.
SCALARS = {
    "int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4,
    "int64_t": 8, "uint64_t": 8, "char": 1, "float": 4, "double": 8,
}  # fmt: skip


def header_files(include=ROOT / "include"):
    return sorted(pathlib.Path(include).rglob("*.h"))


def without_comments(text):
    """Comments and directives blanked out, lines kept."""
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
    return re.sub(r"^#(?:.*\\\n)*.*$", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.M)


def structs(include=ROOT / "include"):
    """{struct: [(member, C type, array length or 0)]} in header order; function pointers have the type 'function'."""
    found = {}
    for path in header_files(include):
        text = without_comments(path.read_text())
        for match in re.finditer(r"struct\s+(pare_\w+)\s*\{(.*?)\n\}", text, flags=re.S):
            found[match[1]] = list(members(match[2]))
    return found


def members(body):
    for declaration in body.split(";"):
        declaration = " ".join(declaration.split())
        if not declaration:
            continue
        if function := re.search(r"\(\*(\w+)\)\s*\(", declaration):
            yield function[1], "function", 0
            continue
        kind, rest = re.match(r"((?:const |struct )*\w+)\s+?(.*)", declaration).groups()
        for name in rest.split(","):
            stars, name, length = re.match(r"\s*((?:\*|const|\s)*)(\w+)(?:\[(\w+)\])?", name).groups()
            yield name, kind + " *" * stars.count("*"), int(length or 0)


def layout(include=ROOT / "include"):
    """Lines "struct.member offset size" and "struct size", computed from the text by the rules of the C ABI."""
    known = structs(include)
    sizes = dict(SCALARS)
    aligns = dict(SCALARS)

    def measure(kind):
        kind = kind.replace("const ", "").replace("struct ", "")
        if "*" in kind or kind == "function":
            return 8, 8
        if kind not in sizes:
            place(kind)
        return sizes[kind], aligns[kind]

    placed = {}

    def place(name):
        offset, largest, lines, holes = 0, 1, [], []
        for member, kind, length in known[name]:
            size, align = measure(kind)
            start = -(-offset // align) * align
            if start != offset:
                holes.append(f"{name}: hole of {start - offset} bytes before {member}")
            size *= length or 1
            lines.append(f"{name}.{member} {start} {size}")
            offset, largest = start + size, max(largest, align)
        total = -(-offset // largest) * largest
        if total != offset:
            holes.append(f"{name}: hole of {total - offset} bytes at the end")
        sizes[name], aligns[name] = total, largest
        placed[name] = (lines + [f"{name} {total}"], holes)

    for name in known:
        if name not in placed:
            place(name)
    lines = [line for name in known for line in placed[name][0]]
    return lines, [hole for name in known for hole in placed[name][1]]


def functions(include=ROOT / "include"):
    """Names of all PARE_API functions, sorted."""
    names = []
    for path in header_files(include):
        names += re.findall(r"\bPARE_API\b[^;(]*?(\w+)\s*\(", without_comments(path.read_text()))
    return sorted(names)


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    include = sys.argv[2] if len(sys.argv) > 2 else ROOT / "include"
    if what == "layout":
        print("\n".join(layout(include)[0]))
    elif what == "symbols":
        print("\n".join(functions(include)))
    else:
        sys.exit("usage: headers.py layout|symbols [INCLUDE]")
