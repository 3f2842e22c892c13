"""Contexts: loaded plugins, threads, settings."""

from __future__ import annotations

import ctypes
import json
import os
import threading
import warnings
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, TypeVar, Union

from . import _abi
from ._calls import Handle, call, decode, encode, make
from ._library import lib
from .callbacks import CallbackCriterion, Criterion
from .errors import ArgumentError, PluginWarning
from .plugins import Plugin

_Function = TypeVar("_Function", bound=Callable[..., Any])

PathLike = Union[str, "os.PathLike[str]"]


def path_bytes(path: PathLike) -> bytes:
    return encode(os.fspath(path), "the path")


def kind_id(kind: str) -> str:
    """ "pare.criterion/1" from "criterion"; an id stays what it is."""
    if "/" in kind:
        return kind
    if kind not in _abi.KINDS:
        raise ArgumentError("unknown plugin kind", found=repr(kind), expected=", ".join(_abi.KINDS))
    return f"pare.{kind}/1"


class Context:
    """Loaded plugins and threads. Most programs never make one: the functions of this package share a default one.

    Args:
        threads: worker threads; 0 = one per available processor.
        plugin_path: folders searched for plugins (files that end in .pare). None = the variable PARE_PLUGIN_PATH if set,
            else the plugins that come with the library. An empty text or list loads none.

    A plugin that cannot be loaded is left out, with a `PluginWarning`; `problems` lists them.
    """

    def __init__(
        self, threads: int = 0, plugin_path: Union[None, PathLike, Sequence[PathLike]] = None
    ) -> None:
        if not 0 <= threads < 2**32:
            raise ArgumentError("threads is out of range", found=str(threads), expected="0 or more")
        config = _abi.pare_context_config(threads=threads)
        if plugin_path is not None:
            folders = [plugin_path] if isinstance(plugin_path, (str, os.PathLike)) else list(plugin_path)
            config.plugin_path = b":".join(path_bytes(folder) for folder in folders)
        self._criteria: Dict[str, CallbackCriterion] = {}
        self._setup = threading.Lock()
        self._handle = make(lib.pare_context_create, lib.pare_context_destroy, "context", config)
        # C may call the criteria until the context is destroyed: they go with its handle, not before.
        setattr(self._handle, "criteria", self._criteria)
        for problem in self.problems:
            warnings.warn(problem, PluginWarning, stacklevel=2)

    @property
    def problems(self) -> List[str]:
        """What went wrong while the plugins of the search path were loaded."""
        found: List[str] = []
        while True:
            text = lib.pare_context_problem(self._handle.address, len(found))
            if text is None:
                return found
            found.append(decode(text))

    def load(self, path: PathLike) -> None:
        """Load one plugin file. Loading the same file again does nothing."""
        with self._setup:
            call(lib.pare_context_load, self._handle.address, path_bytes(path))

    def register_function(self, description: Union[str, Mapping[str, Any], "os.PathLike[str]"]) -> None:
        """Register a plain C function of any shared library as a criterion (docs/plain-functions.md).

        The function first runs in a child process on made-up data; a crash, hang or wrong output refuses it.

        Args:
            description: the description as a mapping or as JSON text, or the path of a file that holds it.
        """
        text = json.dumps(description) if isinstance(description, Mapping) else os.fspath(description)
        with self._setup:
            call(lib.pare_context_register_function, self._handle.address, encode(text, "the description"))

    def criterion(
        self, id: str, *, summary: str = "", local: bool = False, deterministic: bool = True, replace: bool = False
    ) -> Callable[[_Function], _Function]:
        """Register a Python function as a criterion; see `pare.criterion`."""

        def register(function: _Function) -> _Function:
            self._register(id, function, summary, local, deterministic, replace)
            return function

        return register

    def _register(
        self, id: str, function: Criterion, summary: str, local: bool, deterministic: bool, replace: bool
    ) -> None:
        flags = int(deterministic) << _abi.FLAGS.index("deterministic") | int(local) << _abi.FLAGS.index("local")
        summary = summary or (function.__doc__ or "").strip().partition("\n")[0] or "a Python function"
        with self._setup:
            known = self._criteria.get(id)
            if known is not None and replace and known.struct.flags == flags:
                known.replace(function)
                return
            made = CallbackCriterion(id, function, summary, flags)
            call(lib.pare_context_register_criterion, self._handle.address, made.struct)
            self._criteria[id] = made

    def plugins(self, kind: Optional[str] = None) -> List[Plugin]:
        """The registered plugins of a kind, or all, sorted by kind and id.

        Args:
            kind: ``"criterion"``, ``"allocator"``, ``"penalty"``, ``"solver"``, ``"recipe"``, ``"metric"`` or ``"estimator"``.
        """
        wanted = None if kind is None else kind_id(kind).encode()
        address = self._handle.address
        found: List[Plugin] = []
        for index in range(lib.pare_plugin_count(address, wanted)):
            info = _abi.pare_plugin_info()
            call(lib.pare_plugin_at, address, wanted, index, ctypes.byref(info))
            found.append(Plugin._read(address or 0, info))
        return found

    def plugin(self, id: str, kind: str = "criterion") -> Plugin:
        """A plugin by id. Raises `NotFoundError`, with the nearest id in its hint."""
        info = _abi.pare_plugin_info()
        address = self._handle.address
        call(lib.pare_plugin_find, address, kind_id(kind).encode(), encode(id, "the id"), ctypes.byref(info))
        return Plugin._read(address or 0, info)

    def __repr__(self) -> str:
        return f"<Context: {lib.pare_plugin_count(self._handle.address, None)} plugins>"


_default: Optional[Context] = None
_default_lock = threading.Lock()


def default_context() -> Context:
    """The context that is used where none is given; made at the first call."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Context()
        return _default


def handle_of(context: Optional[Context]) -> Handle:
    return (context or default_context())._handle
