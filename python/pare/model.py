"""Models and their parameters."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple, Union

import numpy as np

from . import _abi
from ._arrays import Lent, dtype_name, view
from ._calls import Handle, call, decode, encode, make, name_list, option_pairs, shape_tuple, text_list
from ._library import lib
from ._running import Progress, Run
from .context import Context, PathLike, handle_of, path_bytes
from .errors import ArgumentError, NotFoundError, StateError
from .graph import Graph
from .masks import Mask
from .patterns import PatternLike, as_pattern
from .plugins import Choice
from .report import Measurement, Report

#: A plugin: its id, or what calling it with options gave.
PluginChoice = Union[str, Choice]


class Parameter:
    """A named array of a model."""

    def __init__(self, model: Model, index: int) -> None:
        self._model = model
        self._index = index
        info = self._info()
        self.name = decode(info.name)
        self.shape = shape_tuple(info.shape, info.ndim)
        #: Element type as stored: "float32", "bfloat16" …
        self.dtype = dtype_name(info.dtype)
        self.size = int(info.elements)
        self.nbytes = int(info.bytes)

    def _info(self) -> _abi.pare_parameter_info:
        info = _abi.pare_parameter_info()
        call(lib.pare_parameter_at, self._model._open().address, self._index, ctypes.byref(info))
        return info

    @property
    def role(self) -> str:
        """What it is for: "weight", "bias", "norm-scale", "embedding", "constant" …"""
        role: int = self._info().role
        return _abi.ROLES[role] if 0 <= role < len(_abi.ROLES) else "other"

    @property
    def readers(self) -> int:
        """How many nodes read it; 0 where there is no graph."""
        return int(self._info().readers)

    @property
    def prunable(self) -> bool:
        """Whether a prune request considers it by default; `reason` says why not."""
        return bool(self._info().prunable)

    @property
    def reason(self) -> str:
        return decode(self._info().reason)

    @property
    def array(self) -> np.ndarray[Any, Any]:
        """The current values, mask applied; read-only.

        No copy for an unchanged parameter: the array looks into the mapped file, and keeps it mapped for as long as it
        lives. A masked or replaced parameter gives a copy, which later changes of the model do not touch. bfloat16 is
        numpy's where the package ml_dtypes is installed, else uint16, its bits.
        """
        tensor = _abi.pare_tensor()
        handle = self._model._open()
        with handle as address:
            call(lib.pare_parameter_view, address, self._index, ctypes.byref(tensor))
            shown = view(tensor, handle)
            if self._index not in self._model._replaced and not self._info().masked:
                return shown
            # The library frees these values when the mask or the values change.
            copy = shown.copy()
        copy.flags.writeable = False
        return copy

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """The same as `array`. Assigning replaces the values: same shape, converted to `dtype`; a mask is detached."""
        return self.array

    @values.setter
    def values(self, new: Any) -> None:
        lent = Lent(new, bits_of=self.dtype)
        with self._model._open() as address:
            call(lib.pare_parameter_set, address, self._index, lent.pointer)
            self._model._replaced.add(self._index)

    @property
    def mask(self) -> Optional[Mask]:
        """A copy of the attached mask, or None. Assign a `Mask` or a bool array to attach one, None to detach."""
        with self._model._open() as address:
            try:
                return Mask(make(lib.pare_model_get_mask, lib.pare_mask_destroy, "mask", address, self._index))
            except NotFoundError:
                return None

    @mask.setter
    def mask(self, new: Any) -> None:
        with self._model._open() as address:
            if new is None:
                call(lib.pare_model_clear_mask, address, self._index)
                return
            mask = new if isinstance(new, Mask) else Mask.from_array(new)
            call(lib.pare_model_set_mask, address, self._index, mask._handle.address)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray[Any, Any]:
        array = self.array
        if dtype is not None and np.dtype(dtype) != array.dtype:
            if copy is False:
                raise ValueError(f"{self.name} is {array.dtype}: making {np.dtype(dtype)} of it needs a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.shape)) or "scalar"
        return f"<Parameter {self.name!r} {self.dtype} {shape} {self.role}>"


class Parameters(Mapping[str, Parameter]):
    """The parameters of a model by name, in file order."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __getitem__(self, name: str) -> Parameter:
        if not isinstance(name, str):
            raise TypeError(f"parameters are found by name, not by {type(name).__name__}")
        known = self._model._indices().get(name)
        if known is not None:
            return Parameter(self._model, known)
        # The library knows the name that was perhaps meant.
        index = ctypes.c_uint32()
        call(lib.pare_parameter_find, self._model._open().address, encode(name, "the name"), ctypes.byref(index))
        return Parameter(self._model, index.value)

    def __len__(self) -> int:
        return int(lib.pare_parameter_count(self._model._open().address))

    def __iter__(self) -> Iterator[str]:
        return iter(self._model._indices())

    def __repr__(self) -> str:
        return "\n".join(repr(Parameter(self._model, index)) for index in range(len(self))) or "<no parameters>"


class Masks(MutableMapping[str, Mask]):
    """The masks attached to a model, by parameter name. Assigning attaches, deleting detaches."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __getitem__(self, name: str) -> Mask:
        mask = self._model.parameters[name].mask
        if mask is None:
            raise NotFoundError("the parameter has no mask", where=name)
        return mask

    def __setitem__(self, name: str, mask: Any) -> None:
        if mask is None:
            raise TypeError("a mask is attached here; use del to detach one")
        self._model.parameters[name].mask = mask

    def __delitem__(self, name: str) -> None:
        self[name]
        self._model.parameters[name].mask = None

    def _names(self) -> List[str]:
        parameters = (Parameter(self._model, index) for index in range(len(self._model.parameters)))
        return [parameter.name for parameter in parameters if parameter._info().masked]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def save(self, path: PathLike, overwrite: bool = False) -> None:
        """Write all masks to one file (safetensors with packed bits; docs/mask-file.md)."""
        with self._model._open() as address:
            call(lib.pare_model_save_masks, address, path_bytes(path), int(overwrite))

    def load(self, path: PathLike) -> None:
        """Attach the masks of a file. Names and shapes must match, or nothing is attached."""
        with self._model._open() as address:
            call(lib.pare_model_load_masks, address, path_bytes(path))

    def __repr__(self) -> str:
        return f"<Masks: {', '.join(f'{name}: {mask!r}' for name, mask in self.items())}>"


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
        sparsity: Optional[float] = None,
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
            sparsity: fraction to remove, in [0, 1). Not needed for N:M patterns, which fix their own.
            allocation: how much to remove where: ``"uniform"``, ``"global"``, ``"erk"`` … or ``pare.allocators.erk()``.
            pattern: what goes together: ``"element"`` (default), ``"2:4"`` (two of four kept), ``"block:4x1"``, ``"row"``,
                ``"column"``, ``"channel"``, or a `Pattern`.
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
            format: ``"onnx"``, ``"safetensors"``, ``"sharded"``, ``"hugging-face"`` or ``"npy"``; None = as it was loaded.
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


__all__: List[str] = ["Masks", "Model", "Parameter", "Parameters", "load"]
