"""Scoring arrays with no model at all."""

from __future__ import annotations

import ctypes
from typing import Any, Optional, Union

import numpy as np

from ._arrays import Lent
from ._calls import Handle, call, option_pairs, text_list
from ._library import lib
from ._running import Progress, Run
from .context import Context, handle_of
from .model import chosen
from .masks import Mask
from .patterns import PatternLike, as_pattern
from .plugins import Choice

# Below this many bytes a call is over before anybody could press Ctrl-C, and a helper thread would cost more than it.
_LONG = 1 << 20


def score(
    criterion: Union[str, Choice],
    array: Any,
    pattern: PatternLike = None,
    *,
    progress: Progress = None,
    context: Optional[Context] = None,
    **options: Any,
) -> np.ndarray[Any, Any]:
    """Importance of each unit of an array; larger means keep.

    Args:
        criterion: an id such as ``"magnitude"``, or ``pare.criteria.magnitude(norm="l1")``.
        array: rows first ([out, in, kernel…]); any float type and strides, not copied.
        pattern: as for `Model.prune`.
        progress: as for `Model.prune`.
        options: options of the criterion, with underscores for dashes.

    Returns:
        float32 scores, float64 for a float64 array. Shaped like the array for single elements and N:M; (rows,),
        (columns,) or (channels,); rows and columns of blocks for blocks.
    """
    known = as_pattern(pattern)
    weight = Lent(array)
    id, pairs = chosen(criterion, "criterion", "")
    shape = tuple(weight.array.shape) if known is None else known.units(weight.array.shape)
    scores = np.empty(shape, np.float64 if weight.array.dtype == np.float64 else np.float32)
    flat = Lent(scores.reshape(-1))
    texts = text_list([*pairs, *option_pairs(options)], "an option")
    struct = None if known is None else known.struct
    arguments = (handle_of(context).address, id, texts, weight.pointer, struct, flat.pointer)
    if weight.array.nbytes < _LONG and not progress:
        call(lib.pare_score, *arguments, None)
    else:
        run = Run(progress)
        run(lib.pare_score, *arguments, ctypes.byref(run.struct))
    return scores


def mask_for(
    criterion: Union[str, Choice],
    array: Any,
    sparsity: Optional[float] = None,
    pattern: PatternLike = None,
    *,
    progress: Progress = None,
    context: Optional[Context] = None,
    **options: Any,
) -> Mask:
    """Mask of the most important units of an array: `score` and `select` in one go, without holding the scores.

    Args:
        sparsity: fraction of units to remove, in [0, 1); not needed for N:M, which fixes its own.
        criterion, array, pattern, progress, options: as for `score`.
    """
    known = as_pattern(pattern)
    if sparsity is None and (known is None or known.granularity != "nm"):
        raise TypeError("sparsity is needed for every pattern but N:M")
    weight = Lent(array)
    id, pairs = chosen(criterion, "criterion", "")
    texts = text_list([*pairs, *option_pairs(options)], "an option")
    struct = None if known is None else known.struct
    fraction = 0.0 if sparsity is None else float(sparsity)
    run, out = Run(progress), ctypes.c_void_p()
    arguments = (handle_of(context).address, id, texts, weight.pointer, struct, fraction, ctypes.byref(out))
    try:
        run(lib.pare_select, *arguments, ctypes.byref(run.struct))
    finally:
        handle = Handle(out.value, lib.pare_mask_destroy, "mask")
    return Mask(handle)


__all__ = ["mask_for", "score"]
