"""Neural-network pruning with plugins.

    import pare

    model = pare.load("model.onnx")
    report = model.prune("magnitude", sparsity=0.9, allocation="erk")
    model.save("pruned.onnx")

Everything here is a thin layer over libpare, a shared library with a C interface: arrays cross without copying, errors
arrive as `PareError`, and Ctrl-C or a progress function stops a long call with nothing changed.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional, TypeVar

from . import errors
from ._calls import decode as _decode
from ._library import lib as _lib
from ._library import path as library_path
from .context import Context, default_context
from .errors import (
    ArgumentError,
    Cancelled,
    DataError,
    DTypeError,
    DuplicatePluginError,
    FileError,
    FormatError,
    InternalError,
    MissingDataError,
    NonFiniteError,
    NotFoundError,
    NothingToDoError,
    OptionError,
    OutOfMemoryError,
    PareError,
    PluginError,
    PluginFaultError,
    PluginLoadError,
    PluginVersionError,
    PluginWarning,
    RequestError,
    ResourceError,
    ShapeError,
    StateError,
    UnsupportedError,
)
from .graph import Graph, Node, Value
from .masks import Mask, select
from .model import Masks, Model, Parameter, Parameters, load
from .patterns import Pattern
from .plugins import Choice, Namespace, Option, Plugin
from .report import LayerReport, Measurement, Report
from .scoring import mask_for, score

__version__: str = _decode(_lib.pare_version())

_Function = TypeVar("_Function", bound=Callable[..., Any])

criteria = Namespace("criterion", default_context)
allocators = Namespace("allocator", default_context)
metrics = Namespace("metric", default_context)


def plugins(kind: Optional[str] = None, context: Optional[Context] = None) -> List[Plugin]:
    """The registered plugins of a kind (``"criterion"``, ``"allocator"``, ``"metric"`` …), or all."""
    return (context or default_context()).plugins(kind)


def plugin(id: str, kind: str = "criterion", context: Optional[Context] = None) -> Plugin:
    """A plugin by id. Its ``doc``, ``signature`` and ``options`` come from its own schema."""
    return (context or default_context()).plugin(id, kind)


def criterion(
    id: str,
    *,
    summary: str = "",
    local: bool = False,
    deterministic: bool = True,
    replace: bool = False,
    context: Optional[Context] = None,
) -> Callable[[_Function], _Function]:
    """Register a Python function as a criterion; to be used as a decorator.

        @pare.criterion("spread")
        def spread(weights):
            return weights.std(axis=1)

        model.prune("spread", sparsity=0.5, pattern="row")

    The function takes `weights`, a read-only float32 array of units × elements, and if it has a second parameter also the
    name of the model's parameter. It returns one finite score per unit; larger means keep. It runs on another thread, one
    call at a time. What it raises comes out of the call that used it.

    Args:
        id: [a-z][a-z0-9-]*, unique among criteria.
        summary: one line for listings; the first line of the docstring if empty.
        local: a unit's score depends on that unit alone, so that large weights may come in parts.
        deterministic: the same weights give the same scores.
        replace: let the function take the place of an earlier one of that id, as when a notebook cell runs again.
    """
    return (context or default_context()).criterion(
        id, summary=summary, local=local, deterministic=deterministic, replace=replace
    )


__all__ = [
    "Choice", "Context", "Graph", "LayerReport", "Mask", "Masks", "Measurement", "Model", "Namespace", "Node", "Option",
    "Parameter", "Parameters", "Pattern", "Plugin", "Report", "Value",
    "allocators", "criteria", "criterion", "default_context", "errors", "library_path", "load", "mask_for", "metrics",
    "plugin", "plugins", "score", "select",
    "ArgumentError", "Cancelled", "DTypeError", "DataError", "DuplicatePluginError", "FileError", "FormatError",
    "InternalError", "MissingDataError", "NonFiniteError", "NotFoundError", "NothingToDoError", "OptionError",
    "OutOfMemoryError", "PareError", "PluginError", "PluginFaultError", "PluginLoadError", "PluginVersionError",
    "PluginWarning", "RequestError", "ResourceError", "ShapeError", "StateError", "UnsupportedError",
]  # fmt: skip
