"""Models."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple, Union

from . import _abi
from ._arrays import Lent
from ._calls import Handle, call, decode, encode, make, name_list, option_pairs, text_list
from ._library import lib
from ._running import Progress, Run
from .context import Context, PathLike, handle_of, path_bytes
from .errors import ArgumentError, StateError
from .graph import Graph
from .parameters import Masks, Parameter, Parameters
from .patterns import PatternLike, as_pattern, spelled
from .plugins import Choice
from .report import Measurement, Report

#: A plugin: its id, or what calling it with options gave.
PluginChoice = Union[str, Choice]


class Model:
    """Parameters, and a graph where the format has one. Made by `pare.load` or `Model.from_arrays`.

    The file is mapped and never written; masks and new values live beside it until `save`. A model may be used from
    several threads, one call at a time: others wait.
    """

    def __init__(self, handle: Handle, path: str, context: Optional[Context]) -> None:
        self._handle: Optional[Handle] = handle
        self._context = context
        self._replaced: Set[int] = set()
        self._index: Dict[str, int] = {}
        self.path = path

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, Any], roles: Optional[Mapping[str, str]] = None, context: Optional[Context] = None
    ) -> Model:
        """A model made of copies of arrays in memory. It is saved as safetensors.

        Args:
            arrays: array by name; anything numpy understands, and PyTorch tensors.
            roles: role by name; see `Parameter.role`. Where none is given it is "weight" for two and more dimensions,
                else "other", which prune requests leave alone by default.
        """
        made = make(lib.pare_model_create, lib.pare_model_destroy, "model", handle_of(context).address)
        model = cls(made, "", context)
        for name, array in arrays.items():
            model.add(name, array, (roles or {}).get(name))
        return model

    def _open(self) -> Handle:
        if self._handle is None:
            raise StateError("the model is closed", where=self.path)
        return self._handle

    def _indices(self) -> Dict[str, int]:
        """Parameter index by name, in file order; read once, and again after parameters were added."""
        count = lib.pare_parameter_count(self._open().address)
        if len(self._index) != count:
            self._index = {Parameter(self, index).name: index for index in range(count)}
        return self._index

    def close(self) -> None:
        """Give up the model. Its file stays mapped while arrays of it are alive."""
        self._handle = None

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, name: str, array: Any, role: Optional[str] = None) -> None:
        """Add a copy of an array to a model that was made in memory; for `role` see `from_arrays`."""
        lent = Lent(array)
        if role is None:
            role = "weight" if lent.array.ndim > 1 else "other"
        if role not in _abi.ROLES:
            raise ArgumentError("unknown role", found=repr(role), expected=", ".join(_abi.ROLES))
        with self._open() as address:
            call(lib.pare_model_add, address, encode(name, "the name"), lent.pointer, _abi.ROLES.index(role))

    @property
    def format(self) -> str:
        """ "onnx", "safetensors", "sharded", "hugging-face", "npy"; "memory" for one made of arrays."""
        return _abi.FORMATS.get(lib.pare_model_format(self._open().address), "unknown")

    @property
    def parameters(self) -> Parameters:
        return Parameters(self)

    @property
    def masks(self) -> Masks:
        return Masks(self)

    @property
    def graph(self) -> Optional[Graph]:
        """The graph, or None where the format has none."""
        handle = self._open()
        has_one = lib.pare_graph_node_count(handle.address) or lib.pare_graph_value_count(handle.address)
        return Graph(handle) if has_one else None

    @property
    def metadata(self) -> Dict[str, str]:
        """Metadata of the file: metadata_props of ONNX, __metadata__ of safetensors."""
        found: Dict[str, str] = {}
        with self._open() as address:
            for index in range(2**32):
                key = lib.pare_model_metadata_key(address, index)
                if key is None:
                    break
                found[decode(key)] = decode(lib.pare_model_metadata_value(address, index))
        return found

    def prune(
        self,
        criterion: PluginChoice = "magnitude",
        sparsity: Union[None, float, str] = None,
        *,
        allocation: PluginChoice = "uniform",
        pattern: PatternLike = None,
        include: Union[None, str, Sequence[str]] = None,
        exclude: Union[None, str, Sequence[str]] = None,
        strict: bool = False,
        allow_nonfinite: bool = False,
        dry_run: bool = False,
        keep_masks: bool = False,
        seed: int = 0,
        progress: Progress = None,
        context: Optional[Context] = None,
        **options: Any,
    ) -> Report:
        """Decide what to remove and attach masks.

        Args:
            criterion: what matters: an id such as ``"magnitude"``, or ``pare.criteria.magnitude(norm="l1")``.
            sparsity: fraction to remove, in [0, 1). Not needed for N:M patterns, which fix their own. Or all in one, as
                the command spells it: ``"2:4"``, ``"block:4x1@0.8"``, ``"row@0.3"``.
            allocation: how much to remove where: ``"uniform"``, ``"global"``, ``"erk"`` … or ``pare.allocators.erk()``.
            pattern: what goes together: ``"element"`` (default), ``"2:4"`` (two of four kept), ``"block:4x1"``,
                ``"row"``, ``"column"``, ``"channel"``, or a `Pattern`.
            include: name patterns with * and ?; only matching parameters are considered.
            exclude: name patterns of parameters to leave alone.
            strict: raise `NothingToDoError` if nothing would change.
            allow_nonfinite: score NaN weights as 0 and infinite ones as largest instead of refusing them.
            dry_run: make the report, attach nothing.
            keep_masks: what the attached masks have removed stays removed.
            seed: for plugins that draw and have no seed of their own given.
            progress: True for a bar, or a function of (fraction, text) that may return False to cancel. It runs on
                another thread.
            options: options of the criterion and the allocation, with underscores for dashes.

        Raises:
            Cancelled: the progress function answered False; nothing was changed. Ctrl-C raises KeyboardInterrupt alike.
        """
        if isinstance(sparsity, str):
            if pattern is not None:
                raise TypeError("a sparsity in words brings its own pattern: leave out `pattern`, or give a number")
            pattern, sparsity = spelled(sparsity)
        known = as_pattern(pattern)
        if sparsity is None and (known is None or known.granularity != "nm"):
            raise TypeError("sparsity is needed for every pattern but N:M")
        if not 0 <= seed < 2**64:
            raise ArgumentError("seed is out of range", found=str(seed), expected="0 … 2**64 - 1")
        criterion_id, pairs = chosen(criterion, "criterion", "criterion.")
        allocation_id, more = chosen(allocation, "allocator", "allocation.")
        run = Run(progress)
        request = _abi.pare_prune_request(
            strict=int(strict),
            criterion=criterion_id,
            allocation=allocation_id,
            sparsity=0.0 if sparsity is None else float(sparsity),
            options=text_list([*pairs, *more, *option_pairs(options)], "an option"),
            include=name_list(include, "a name pattern"),
            exclude=name_list(exclude, "a name pattern"),
            allow_nonfinite=int(allow_nonfinite),
            dry_run=int(dry_run),
            keep_masks=int(keep_masks),
            seed=seed,
            run=ctypes.pointer(run.struct),
        )
        if known is not None:
            request.pattern = ctypes.pointer(known.struct)
        out = ctypes.c_void_p()
        with self._open() as address:
            try:
                run(lib.pare_prune, self._plugins(context).address, address, ctypes.byref(request), ctypes.byref(out))
            finally:
                report = Handle(out.value, lib.pare_report_destroy, "report")
        return Report(report)

    def measure(self, metric: PluginChoice, *, context: Optional[Context] = None, **options: Any) -> Measurement:
        """Run a metric on the model as it is now, masks applied."""
        id, pairs = chosen(metric, "metric", "")
        texts = text_list([*pairs, *option_pairs(options)], "an option")
        out = ctypes.c_void_p()
        with self._open() as address:
            try:
                Run()(lib.pare_measure, self._plugins(context).address, address, id, texts, ctypes.byref(out))
            finally:
                report = Handle(out.value, lib.pare_report_destroy, "report")
        return Measurement(report)

    def save(
        self,
        path: PathLike,
        overwrite: bool = False,
        *,
        format: Optional[str] = None,
        provenance: bool = True,
        progress: Progress = None,
    ) -> None:
        """Write the model, masks applied. The target appears whole or not at all.

        Args:
            overwrite: replace an existing target. The file that the model was loaded from is never overwritten.
            format: ``"onnx"``, ``"safetensors"``, ``"sharded"``, ``"hugging-face"`` or ``"npy"``; None = as it was
                loaded.
            provenance: note in the metadata how the model was pruned.
            progress: as for `prune`.
        """
        numbers = {name: number for number, name in _abi.FORMATS.items() if number}
        if format is not None and format not in numbers:
            raise ArgumentError("unknown format", found=repr(format), expected=", ".join(numbers))
        options = _abi.pare_save_options(
            format=numbers[format] if format else 0, overwrite=int(overwrite), no_provenance=int(not provenance)
        )
        run = Run(progress)
        target = path_bytes(path)
        with self._open() as address:
            run(lib.pare_model_save, address, target, ctypes.byref(options), ctypes.byref(run.struct))

    def _plugins(self, context: Optional[Context]) -> Handle:
        return handle_of(context or self._context)

    def __repr__(self) -> str:
        if self._handle is None:
            return "<Model, closed>"
        where = f"{self.path!r}, " if self.path else ""
        return f"<Model {where}{self.format}, {len(self.parameters)} parameters>"


def chosen(plugin: PluginChoice, kind: str, prefix: str) -> Tuple[bytes, List[str]]:
    """Id and option texts of a plugin given as an id or as a `Choice`."""
    if isinstance(plugin, str):
        return encode(plugin, f"the {kind}"), []
    if not isinstance(plugin, Choice):
        raise TypeError(f"a {kind} is an id or a pare.Choice, not {type(plugin).__name__}")
    if plugin.kind != kind:
        raise ArgumentError(f"{plugin} does not fit here", found=f"a plugin of kind {plugin.kind}", expected=kind)
    return encode(plugin.id, f"the {kind}"), list(option_pairs(plugin.options, prefix))


def load(path: PathLike, context: Optional[Context] = None) -> Model:
    """Open a model: ONNX, safetensors (also sharded), a Hugging Face folder, or .npy.

    Files are mapped, never slurped: this costs reading the header.
    """
    raw = path_bytes(path)
    plugins = handle_of(context)
    out = ctypes.c_void_p()
    try:
        Run()(lib.pare_model_open, plugins.address, raw, ctypes.byref(out))
    finally:
        handle = Handle(out.value, lib.pare_model_destroy, "model")
    return Model(handle, decode(raw), context)
