"""numpy arrays as ``pare_tensor`` views and back, without copying."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, Optional, Tuple

import numpy as np

from . import _abi
from ._calls import shape_tuple
from .errors import DTypeError, ShapeError

_CODES: Dict[str, Tuple[int, int]] = {
    "float16": (_abi.PARE_TYPE_FLOAT, 16),
    "float32": (_abi.PARE_TYPE_FLOAT, 32),
    "float64": (_abi.PARE_TYPE_FLOAT, 64),
    "bfloat16": (_abi.PARE_TYPE_BFLOAT, 16),
    "int8": (_abi.PARE_TYPE_INT, 8),
    "int16": (_abi.PARE_TYPE_INT, 16),
    "int32": (_abi.PARE_TYPE_INT, 32),
    "int64": (_abi.PARE_TYPE_INT, 64),
    "uint8": (_abi.PARE_TYPE_UINT, 8),
    "bool": (_abi.PARE_TYPE_BOOL, 8),
}
_NAMES = {pair: name for name, pair in _CODES.items()}


def bfloat16() -> Optional[np.dtype[Any]]:
    """numpy's bfloat16 where the package ml_dtypes is installed."""
    try:
        import ml_dtypes
    except ImportError:
        return None
    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype


def dtype_name(dtype: _abi.pare_dtype) -> str:
    """ "float32", "bfloat16" …; "" for one that is not known."""
    return _NAMES.get((dtype.code, dtype.bits), "")


def as_array(value: Any) -> Tuple[np.ndarray[Any, Any], str]:
    """A numpy array over the same memory where that is possible, and the name of its element type.

    Takes what ``np.asarray`` takes; PyTorch tensors too, those of bfloat16 included.
    """
    if type(value).__module__.partition(".")[0] == "torch":
        value = value.detach()
        if str(value.dtype) == "torch.bfloat16":
            return value.view(_torch_int16(value)).numpy(), "bfloat16"
        value = value.numpy()
    array = np.asarray(value)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array, array.dtype.name


def _torch_int16(tensor: Any) -> Any:
    import sys

    return sys.modules[type(tensor).__module__.partition(".")[0]].int16


class Lent:
    """A ``pare_tensor`` over a numpy array, and all that it needs to stay valid. Elements are neither copied nor moved
    unless their distances are not whole elements (fields of a structured array)."""

    def __init__(self, value: Any, *, bits_of: str = "") -> None:
        """`bits_of`: "bfloat16" if uint16 elements are to be read as its bits."""
        array, name = as_array(value)
        if bits_of == "bfloat16" and name == "uint16":
            name = "bfloat16"
        if name not in _CODES:
            raise DTypeError(
                "arrays of this type cannot be used", found=name, expected=", ".join(_CODES), hint="convert with astype"
            )
        if array.ndim > _abi.PARE_MAX_NDIM:
            raise ShapeError(
                "the array has too many dimensions", found=str(array.ndim), expected=f"at most {_abi.PARE_MAX_NDIM}"
            )
        if any(stride % array.itemsize for stride in array.strides):
            array = np.ascontiguousarray(array)
        self.array = array
        rank = array.ndim
        self._shape = (ctypes.c_int64 * max(rank, 1))(*array.shape)
        self._strides = (ctypes.c_int64 * max(rank, 1))(*(stride // array.itemsize for stride in array.strides))
        code, bits = _CODES[name]
        self.struct = _abi.pare_tensor(
            data=array.__array_interface__["data"][0] if array.size else None,
            device=_abi.pare_device(type=_abi.PARE_DEVICE_CPU, id=0),
            ndim=rank,
            dtype=_abi.pare_dtype(code=code, bits=bits, lanes=1),
            shape=self._shape,
            strides=self._strides,
            byte_offset=0,
        )
        # `pointer` may outlive this object; the struct then keeps the elements too.
        self.struct.elements = array

    @property
    def pointer(self) -> Any:
        return ctypes.byref(self.struct)


class _Memory:
    """Foreign memory for numpy; the array made from it keeps this object, and so the owner, alive."""

    def __init__(self, interface: Dict[str, Any], owner: Any) -> None:
        self.__array_interface__ = interface
        self.owner = owner


def view(tensor: _abi.pare_tensor, owner: Any) -> np.ndarray[Any, Any]:
    """A read-only array over the memory of `tensor`, which `owner` keeps valid. bfloat16 without the package ml_dtypes
    comes as uint16, its bits."""
    name = dtype_name(tensor.dtype)
    if not name:
        raise DTypeError(f"unknown element type (code {tensor.dtype.code}, {tensor.dtype.bits} bits)")
    brain = bfloat16() if name == "bfloat16" else None
    stored = np.dtype(np.uint16) if name == "bfloat16" else np.dtype(name)
    shape = shape_tuple(tensor.shape, tensor.ndim)
    if not tensor.data or 0 in shape:
        array = np.empty(shape, stored)
        array.flags.writeable = False
    else:
        strides = shape_tuple(tensor.strides, tensor.ndim)
        interface = {
            "version": 3,
            "data": (tensor.data + tensor.byte_offset, True),
            "typestr": stored.str,
            "shape": shape,
            "strides": tuple(stride * stored.itemsize for stride in strides),
        }
        array = np.asarray(_Memory(interface, owner))
    return array if brain is None else array.view(brain)


def whole_shape(shape: Any) -> Tuple[int, ...]:
    """A shape from an int or a sequence of ints."""
    sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    return tuple(int(size) for size in sizes)


__all__ = ["Lent", "as_array", "bfloat16", "dtype_name", "view", "whole_shape"]
