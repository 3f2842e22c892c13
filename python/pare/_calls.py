"""How the library is called: status to exception, handles with locks, texts, lists of texts."""

from __future__ import annotations

import ctypes
import re
import threading
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from . import _abi
from ._library import lib
from .errors import PareError, StateError, from_record

# Exceptions raised in callbacks on their way to the call that caused them. They cannot cross the C border, so a ticket
# in the error message stands for them. Callbacks arrive on any thread, so neither thread nor order would tell.
_tickets: Dict[int, BaseException] = {}
_tickets_lock = threading.Lock()
_ticket_count = 0
_TICKET = re.compile(r"\[exception (\d+)\]")
_MOST_TICKETS = 64

# True on a thread that is inside a callback.
_local = threading.local()


def leave_ticket(error: BaseException) -> str:
    """Text for the C side from which `check` finds the exception again."""
    global _ticket_count
    with _tickets_lock:
        _ticket_count += 1
        _tickets[_ticket_count] = error
        for old in list(_tickets)[:-_MOST_TICKETS]:
            del _tickets[old]
        return f"[exception {_ticket_count}] {type(error).__name__}: {error}"


def _redeem(message: str) -> Optional[BaseException]:
    for number in _TICKET.findall(message):
        with _tickets_lock:
            error = _tickets.pop(int(number), None)
        if error is not None:
            return error
    return None


def failure(status: int, record: _abi.pare_error) -> BaseException:
    """What to raise for a failed call: the exception of a callback itself if one caused it."""
    error = from_record(status, record)
    return _redeem(error.message) or error


def call(function: Callable[..., int], *arguments: Any) -> None:
    """Call a function that returns a status and takes an error record last; raise if it failed."""
    record = _abi.pare_error()
    status = function(*arguments, ctypes.byref(record))
    if status != _abi.PARE_OK:
        raise failure(status, record)


class in_callback:
    """Marks the thread as being inside a callback, where handles in use must not be waited for."""

    def __enter__(self) -> None:
        self.before = getattr(_local, "depth", 0)
        _local.depth = self.before + 1

    def __exit__(self, *_: object) -> None:
        _local.depth = self.before


class Handle:
    """Owns an opaque pointer of the library, and serialises calls on it. Destroyed with its last reference."""

    def __init__(self, address: Optional[int], destroy: Callable[[int], None], what: str) -> None:
        self.address = address
        self.what = what
        self._destroy = destroy
        self._lock = threading.Lock()

    def __enter__(self) -> Optional[int]:
        inside = getattr(_local, "depth", 0) > 0
        if not self._lock.acquire(blocking=not inside):
            raise StateError(
                f"this {self.what} is in use by the call that this callback belongs to",
                hint="read what the callback needs before the call",
            )
        return self.address

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __del__(self) -> None:
        address, self.address = self.address, None
        if address:
            self._destroy(address)


def make(create: Callable[..., int], destroy: Callable[[int], None], what: str, *arguments: Any) -> Handle:
    """Call a function whose last argument before the error record is the place for a new handle."""
    out = ctypes.c_void_p()
    call(create, *arguments, ctypes.byref(out))
    return Handle(out.value, destroy, what)


def encode(text: str, what: str) -> bytes:
    """UTF-8 for C. File names with undecodable bytes pass through unchanged; a NUL inside is refused."""
    raw = text.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise ValueError(f"{what} contains a NUL character: {text!r}")
    return raw


def decode(raw: Optional[bytes]) -> str:
    return (raw or b"").decode("utf-8", "surrogateescape")


def text_list(texts: Iterable[str], what: str) -> Any:
    """A NULL-terminated array of C strings; NULL for no texts."""
    items: List[Optional[bytes]] = [encode(text, what) for text in texts]
    return (ctypes.c_char_p * (len(items) + 1))(*items, None) if items else None


def name_list(names: Any, what: str) -> Any:
    """The same for name patterns: one text or several."""
    if names is None:
        return None
    return text_list([names] if isinstance(names, str) else list(names), what)


def option_text(value: Any) -> str:
    """The text form of an option's value: true, 3, 0.5, "l2", 1,2,3."""
    if isinstance(value, str):
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return ",".join(option_text(item) for item in value)
    raise TypeError(f"an option cannot be {type(value).__name__}: {value!r}")


def option_pairs(options: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Keys and values in turn. Underscores in keys become dashes; None means "not given"."""
    for key, value in options.items():
        if value is not None:
            yield prefix + key.replace("_", "-")
            yield option_text(value)


def shape_tuple(pointer: Any, ndim: int) -> Tuple[int, ...]:
    return tuple(pointer[axis] for axis in range(max(ndim, 0)))


__all__ = ["Handle", "PareError", "call", "failure", "lib", "make"]
