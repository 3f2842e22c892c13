"""The parameters of a model, and the masks attached to them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, List, Optional

import numpy as np

from . import _abi
from ._arrays import Lent, dtype_name, view
from ._calls import call, decode, encode, make, shape_tuple
from ._library import lib
from .context import PathLike, path_bytes
from .errors import NotFoundError
from .masks import Mask

if TYPE_CHECKING:
    from .model import Model


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
