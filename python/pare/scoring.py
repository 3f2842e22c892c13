"""Scoring arrays with no model at all."""

from __future__ import annotations

import ctypes
from typing import Any, Optional, Union

import numpy as np

from ._arrays import Lent
from ._calls import call, option_pairs, text_list
from ._library import lib
from ._running import Progress, Run
from .context import Context, handle_of
from .model import _chosen
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
    id, pairs = _chosen(criterion, "criterion", "")
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


__all__ = ["score"]
