"""What a plugin is and takes, as its own schema says; signatures and docstrings made from it."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from . import _abi
from ._calls import decode
from ._library import lib

if TYPE_CHECKING:
    from .context import Context

_TYPES: Dict[str, Any] = {
    "bool": bool,
    "int": int,
    "float": float,
    "string": str,
    "choice": str,
    "int list": List[int],
    "float list": List[float],
}


@dataclass(frozen=True)
class Option:
    """One option of a plugin.

    Attributes:
        key: name, with dashes; as a Python keyword it has underscores.
        type: ``"bool"``, ``"int"``, ``"float"``, ``"string"``, ``"choice"``, ``"int list"`` or ``"float list"``.
        default: typed default; None when the option is required.
        minimum, maximum: range of numbers and list items, infinite for none.
        choices: for ``"choice"``.
    """

    key: str
    type: str
    help: str
    unit: str
    default: Any
    default_text: Optional[str]
    minimum: float
    maximum: float
    choices: Tuple[str, ...]
    required: bool
    advanced: bool
    deprecated: bool
    minimum_exclusive: bool
    maximum_exclusive: bool

    @classmethod
    def _read(cls, info: _abi.pare_option_info) -> Option:
        kind = _abi.OPTION_TYPES.get(info.type, "string")
        text = None if info.default_text is None else decode(info.default_text)
        return cls(
            key=decode(info.key),
            type=kind,
            help=decode(info.help),
            unit=decode(info.unit),
            default=None if text is None else _parse(kind, text),
            default_text=text,
            minimum=info.minimum,
            maximum=info.maximum,
            choices=tuple(_choices(info.choices)),
            required=bool(info.flags & _abi.PARE_OPTION_REQUIRED),
            advanced=bool(info.flags & _abi.PARE_OPTION_ADVANCED),
            deprecated=bool(info.flags & _abi.PARE_OPTION_DEPRECATED),
            minimum_exclusive=bool(info.flags & _abi.PARE_OPTION_MIN_EXCLUSIVE),
            maximum_exclusive=bool(info.flags & _abi.PARE_OPTION_MAX_EXCLUSIVE),
        )

    @property
    def keyword(self) -> str:
        return self.key.replace("-", "_")

    @property
    def range(self) -> str:
        """The values allowed, in words; empty where every one is."""
        if self.type == "choice":
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        if self.type in ("bool", "string"):
            return ""
        low, high = math.isfinite(self.minimum), math.isfinite(self.maximum)
        if low and high:
            left, right = "(" if self.minimum_exclusive else "[", ")" if self.maximum_exclusive else "]"
            return f"in {left}{self.minimum:g}, {self.maximum:g}{right}"
        if low:
            return f"{'>' if self.minimum_exclusive else '≥'} {self.minimum:g}"
        if high:
            return f"{'<' if self.maximum_exclusive else '≤'} {self.maximum:g}"
        return ""

    def _describe(self) -> str:
        notes = [self.type, self.range, self.unit]
        notes.append("required" if self.required else f"default {self.default!r}")
        notes.append("deprecated" if self.deprecated else "")
        return f"    {self.keyword} ({', '.join(note for note in notes if note)}): {self.help}"


def _choices(pointer: Any) -> List[str]:
    found: List[str] = []
    while pointer and pointer[len(found)] is not None:
        found.append(decode(pointer[len(found)]))
    return found


def _parse(kind: str, text: str) -> Any:
    """A default's text as a value. What does not parse stays text: the library is the one that checks."""
    try:
        if kind == "bool":
            return text.lower() in ("true", "yes", "on", "1")
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
        if kind in ("int list", "float list"):
            convert: Callable[[str], Any] = int if kind == "int list" else float
            return [convert(item) for item in text.split(",")] if text else []
    except ValueError:
        pass
    return text


@dataclass(frozen=True)
class Choice:
    """A plugin with options chosen, made by calling a `Plugin`. Goes wherever a plugin's id does."""

    kind: str
    id: str
    options: Dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{self.id}({', '.join(f'{key}={value!r}' for key, value in self.options.items())})"


@dataclass(frozen=True)
class Plugin:
    """A registered plugin. Call it with options to get a `Choice`; its signature and docstring list them."""

    kind: str
    id: str
    version: str
    summary: str
    source: str
    license: str
    module: str
    path: str
    flags: Tuple[str, ...]
    needs: Tuple[str, ...]
    granularities: Tuple[str, ...]
    options: Tuple[Option, ...]

    @classmethod
    def _read(cls, context: int, info: _abi.pare_plugin_info) -> Plugin:
        entries = (lib.pare_plugin_option(context, info.kind, info.id, index) for index in range(info.option_count))
        return cls(
            kind=_short(decode(info.kind)),
            id=decode(info.id),
            version=decode(info.version),
            summary=decode(info.summary),
            source=decode(info.source),
            license=decode(info.license),
            module=decode(info.module_id),
            path=decode(info.path),
            flags=_bits(info.flags, _abi.FLAGS),
            needs=_bits(info.needs, _abi.NEEDS),
            granularities=_bits(info.granularities, _abi.GRANULARITIES) or _abi.GRANULARITIES,
            options=tuple(Option._read(entry.contents) for entry in entries if entry),
        )

    def __call__(self, **options: Any) -> Choice:
        self.signature.bind(**options)
        return Choice(self.kind, self.id, options)

    @property
    def signature(self) -> inspect.Signature:
        empty = inspect.Parameter.empty
        return inspect.Signature(
            [
                inspect.Parameter(
                    option.keyword,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=empty if option.required else option.default,
                    annotation=_TYPES[option.type],
                )
                for option in self.options
            ],
            return_annotation=Choice,
        )

    @property
    def __signature__(self) -> inspect.Signature:
        return self.signature

    @property
    def doc(self) -> str:
        """Summary, source and options as text."""
        lines = [self.summary[:1].upper() + self.summary[1:].rstrip(".") + "."]
        if self.source:
            lines += ["", f"Source: {self.source}"]
        if self.needs and self.needs != ("weight",):
            lines += ["", f"Needs: {', '.join(self.needs)}"]
        if self.options:
            lines += ["", "Options:", *(option._describe() for option in self.options)]
        return "\n".join(lines)

    def function(self) -> Callable[..., Choice]:
        """A plain function that does what calling the plugin does, for `help` and for editors."""

        def configure(**options: Any) -> Choice:
            return self(**options)

        configure.__name__ = configure.__qualname__ = self.id.replace("-", "_").replace(".", "_")
        configure.__doc__ = self.doc
        configure.__module__ = "pare"
        setattr(configure, "__signature__", self.signature)
        return configure


def _short(kind: str) -> str:
    """ "criterion" from "pare.criterion/1"."""
    return kind.partition("/")[0].rpartition(".")[2]


def _bits(bits: int, names: Tuple[str, ...]) -> Tuple[str, ...]:
    return tuple(name for index, name in enumerate(names) if bits >> index & 1)


class Namespace:
    """The plugins of one kind as attributes: ``pare.criteria.magnitude(norm="l1")``."""

    def __init__(self, kind: str, context: Callable[[], Context]) -> None:
        self._kind = kind
        self._context = context

    def __getattr__(self, name: str) -> Callable[..., Choice]:
        if name.startswith("__"):
            raise AttributeError(name)
        for plugin in self._context().plugins(self._kind):
            if plugin.id.replace("-", "_").replace(".", "_") == name:
                return plugin.function()
        raise AttributeError(f"there is no {self._kind} called {name!r}; there are {', '.join(dir(self)) or 'none'}")

    def __dir__(self) -> List[str]:
        return [plugin.id.replace("-", "_").replace(".", "_") for plugin in self._context().plugins(self._kind)]

    def __repr__(self) -> str:
        return f"<{self._kind}: {', '.join(dir(self))}>"
