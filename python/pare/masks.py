"""Masks: which elements of an array are kept."""

from __future__ import annotations

import ctypes
from typing import Any, Optional, Tuple

import numpy as np

from . import _abi
from ._arrays import Lent, whole_shape
from ._calls import Handle, call, make
from ._library import lib
from .errors import ArgumentError, ShapeError
from .patterns import PatternLike, as_pattern


class Mask:
    """A mask over one array; 1 = keep. Held as one bit per element.

    ``&``, ``|``, ``^``, ``~`` and ``-`` (kept here and not there) make new masks; ``==`` compares shape and elements.
    """

    __slots__ = ("_handle", "_shape")
    __hash__ = None  # type: ignore[assignment]
    # With an array on the other side of an operator numpy would convert and answer an array: say so instead.
    __array_ufunc__ = None

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        address = handle.address
        self._shape = tuple(lib.pare_mask_dimension(address, axis) for axis in range(lib.pare_mask_ndim(address)))

    @classmethod
    def ones(cls, shape: Any) -> Mask:
        """A mask that keeps everything."""
        sizes = whole_shape(shape)
        array = (ctypes.c_int64 * max(len(sizes), 1))(*sizes)
        return cls(make(lib.pare_mask_create, lib.pare_mask_destroy, "mask", array, len(sizes)))

    @classmethod
    def from_array(cls, array: Any) -> Mask:
        """A mask from a bool or integer array, non-zero = keep; any strides."""
        if isinstance(array, Mask):
            return array.copy()
        values = np.asarray(array)
        if values.dtype.kind not in "bui":
            raise TypeError(f"a mask is made from bool or integers, not {values.dtype}; compare with 0 first")
        if values.dtype not in (np.dtype(bool), np.dtype(np.uint8)):
            values = values != 0
        return cls(make(lib.pare_mask_from, lib.pare_mask_destroy, "mask", Lent(values).pointer))

    @property
    def shape(self) -> Tuple[int, ...]:
        return self._shape

    @property
    def ndim(self) -> int:
        return len(self._shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(lib.pare_mask_elements(self._handle.address))

    @property
    def kept(self) -> int:
        """Number of kept elements."""
        with self._handle as address:
            return int(lib.pare_mask_kept(address))

    @property
    def sparsity(self) -> float:
        """Fraction removed; 0 for an empty mask."""
        return 1 - self.kept / self.size if self.size else 0.0

    def numpy(self) -> np.ndarray[Any, Any]:
        """A new bool array, True = kept."""
        out = np.empty(self._shape, bool)
        with self._handle as address:
            call(lib.pare_mask_read, address, Lent(out).pointer)
        return out

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("a mask is held as bits: an array of it is always a copy")
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def copy(self) -> Mask:
        with self._handle as address:
            return Mask(make(lib.pare_mask_copy, lib.pare_mask_destroy, "mask", address))

    def _combined(self, other: Any, operation: int) -> Any:
        if not isinstance(other, Mask):
            return NotImplemented
        if other.shape != self.shape:
            raise ShapeError(
                "masks of different shapes cannot be combined",
                found=str(other.shape),
                expected=str(self.shape),
            )
        result = self.copy()
        with other._handle as address:
            call(lib.pare_mask_combine, result._handle.address, address, operation)
        return result

    def __and__(self, other: Mask) -> Mask:
        result: Mask = self._combined(other, _abi.PARE_MASK_AND)
        return result

    def __or__(self, other: Mask) -> Mask:
        result: Mask = self._combined(other, _abi.PARE_MASK_OR)
        return result

    def __xor__(self, other: Mask) -> Mask:
        result: Mask = self._combined(other, _abi.PARE_MASK_XOR)
        return result

    def __sub__(self, other: Mask) -> Mask:
        result: Mask = self._combined(other, _abi.PARE_MASK_WITHOUT)
        return result

    def __invert__(self) -> Mask:
        result = self.copy()
        call(lib.pare_mask_invert, result._handle.address)
        return result

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self.shape == other.shape and (self ^ other).kept == 0

    def _compliance(self, pattern: PatternLike) -> Tuple[bool, int]:
        known = as_pattern(pattern)
        if known is None:
            raise TypeError("a pattern is needed, such as '2:4' or 'row'")
        fits, violations = ctypes.c_int32(), ctypes.c_int64()
        with self._handle as address:
            call(lib.pare_mask_complies, address, known.struct, ctypes.byref(fits), ctypes.byref(violations))
        return bool(fits.value), violations.value

    def complies(self, pattern: PatternLike) -> bool:
        """True if every unit of the pattern is all kept or all removed; for N:M, if every group keeps exactly N."""
        return self._compliance(pattern)[0]

    def violations(self, pattern: PatternLike) -> int:
        """How many units or groups do not comply."""
        return self._compliance(pattern)[1]

    def coarsen(self, pattern: PatternLike, keep: str = "any") -> Mask:
        """A mask of whole units: one is kept if any, or all, of its elements are. Not for N:M.

        Args:
            keep: ``"any"`` or ``"all"``.
        """
        if keep not in ("any", "all"):
            raise ArgumentError("unknown value of keep", found=repr(keep), expected="'any' or 'all'")
        known = as_pattern(pattern)
        if known is None:
            raise TypeError("a pattern is needed, such as 'block:4x1' or 'row'")
        with self._handle as address:
            return Mask(
                make(
                    lib.pare_mask_coarsen, lib.pare_mask_destroy, "mask", address, known.struct, int(keep == "any")
                )
            )

    def __repr__(self) -> str:
        return f"<Mask {'×'.join(map(str, self.shape)) or 'scalar'}, {self.kept} of {self.size} kept>"


def select(scores: Any, sparsity: Optional[float] = None, pattern: PatternLike = None, *, shape: Any = None) -> Mask:
    """Mask of the best-scored units of one array.

    Keeps exactly ``units - round(sparsity * units)`` of them, ties to the lower index; for N:M the best n of each m.

    Args:
        scores: one number per unit, as `pare.score` gives them; float16, bfloat16 and integers are widened.
        sparsity: fraction of units to remove, in [0, 1); not used for N:M, which fixes its own.
        pattern: as for `Model.prune`.
        shape: of the array to be masked. May be left out for single elements and N:M, where it is that of `scores`.
    """
    known = as_pattern(pattern)
    per_element = known is None or known.granularity in ("element", "nm")
    if sparsity is None and (known is None or known.granularity != "nm"):
        raise TypeError("sparsity is needed for every pattern but N:M")
    values = np.asarray(scores)
    if values.dtype.kind in "cOSUVM" and values.dtype.name != "bfloat16":
        raise TypeError(f"scores are real numbers, not {values.dtype}")
    if values.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        values = values.astype(np.float64 if values.dtype.itemsize > 2 else np.float32)
    if shape is None:
        if not per_element:
            raise TypeError(f"shape is needed for the pattern {known}")
        shape = values.shape
    sizes = whole_shape(shape)
    flat = np.ascontiguousarray(values).reshape(-1)
    return Mask(
        make(
            lib.pare_mask_select,
            lib.pare_mask_destroy,
            "mask",
            Lent(flat).pointer,
            (ctypes.c_int64 * max(len(sizes), 1))(*sizes),
            len(sizes),
            None if known is None else known.struct,
            0.0 if sparsity is None else float(sparsity),
        )
    )
