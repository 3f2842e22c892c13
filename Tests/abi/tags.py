"""Every declaration in the headers says who may call it on which thread and since when.

    tags.py [INCLUDE]        prints what is missing, exits with 1 if anything is

A declaration's comment is the one above its run of lines (a run ends at an empty line) and the one behind it.
- PARE_API functions: a tag [any], [instance] or [load], and "Since".
- structs: "Since"; those that begin with struct_size are called growing, by themselves or by the opening comment.
- function pointers in structs: a tag, of their own, of their struct or of the header's opening comment.
"""

import pathlib
import re
import sys

import headers

TAG = re.compile(r"\[(any|instance|load)\]")
SINCE = re.compile(r"Since \d+\.\d+")


def runs(text):
    """(first line number, lines) of every stretch without an empty line; comments stay whole."""
    block, first = [], 1
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            if not block:
                first = number
            block.append(line)
        elif block:
            yield first, block
            block = []
    if block:
        yield first, block


def comments(text):
    return " ".join(re.findall(r"/\*.*?\*/", text, flags=re.S))


def opening(text):
    match = re.match(r"\s*/\*.*?\*/", text, flags=re.S)
    return match[0] if match else ""


def check_functions(path, text):
    for first, block in runs(text):
        seen = ""
        for offset, line in enumerate(block):
            joined = "\n".join(block)
            if "PARE_API" not in line or line.lstrip().startswith(("#", "/*", "*")):
                continue
            # The comment above counts for the whole run; what stands behind other declarations does not.
            above = joined.split("PARE_API", 1)[0]
            own = "\n".join(block[offset:]).split(";", 1)
            behind = own[1].split("\n", 1)[0] if len(own) > 1 else ""
            seen = comments(above) + comments(behind) + comments(own[0])
            name = re.search(r"(\w+)\s*\(", "\n".join(block[offset:]).split("PARE_API", 1)[1])[1]
            if not TAG.search(seen):
                yield f"{path}:{first + offset}: {name} has no thread tag"
            if not SINCE.search(seen):
                yield f"{path}:{first + offset}: {name} has no Since"


def check_structs(path, text):
    default = TAG.search(opening(text))
    grows = "grows at its" in " ".join(opening(text).split())
    comment, forward = r"((?:/\*(?:(?!\*/).)*?\*/\s*)?)", r"(?:typedef struct pare_\w+ pare_\w+;\s*)?"
    pattern = comment + forward + r"(?:typedef )?struct (pare_\w+) \{(.*?)\n\}"
    for match in re.finditer(pattern, text, flags=re.S):
        above, name, body = match.groups()
        line = text.count("\n", 0, match.start(2)) + 1
        if not SINCE.search(above):
            yield f"{path}:{line}: struct {name} has no Since"
        if re.match(r"\s*uint32_t struct_size;", body) and not grows and "rowing" not in above:
            yield f"{path}:{line}: struct {name} has a struct_size but is not called growing"
        yield from check_pointers(path, line, name, body, bool(default or TAG.search(above)))


def check_pointers(path, line, name, body, covered):
    """Function pointers: the comment right above (no other member between) or behind."""
    above = ""
    position = 0
    for match in re.finditer(r"/\*.*?\*/|[^;/]*;[ \t]*(?:/\*.*?\*/)?", body, flags=re.S):
        piece = match[0]
        position = line + body.count("\n", 0, match.end())
        if piece.lstrip().startswith("/*"):
            above = piece
            continue
        if pointer := re.search(r"\(\*(\w+)\)", piece):
            if not covered and not TAG.search(above + comments(piece)):
                yield f"{path}:{position}: {name}.{pointer[1]} has no thread tag"
            continue
        above = ""


def check(include):
    for path in headers.header_files(include):
        text = path.read_text()
        shown = path.relative_to(pathlib.Path(include).parent)
        yield from check_functions(shown, text)
        yield from check_structs(shown, text)


if __name__ == "__main__":
    problems = list(check(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else headers.ROOT / "include"))
    print("\n".join(problems) or "every declaration is tagged")
    sys.exit(1 if problems else 0)
