"""Criteria that are Python functions."""

from __future__ import annotations

import ctypes
import inspect
from typing import Any, Callable

import numpy as np

from . import _abi
from ._calls import decode, encode, in_callback, leave_ticket

#: A criterion: (weights) or (weights, parameter name) -> one score per unit. See `pare.criterion`.
Criterion = Callable[..., Any]


def takes_name(function: Criterion) -> bool:
    """Whether the function has a second parameter for the name. TypeError if it cannot be called as a criterion."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return False
    for arguments in ((None, ""), (None,)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return len(arguments) == 2
    raise TypeError(f"a criterion takes (weights) or (weights, name); {function!r} takes {signature}")


def checked_scores(result: Any, units: int) -> np.ndarray[Any, Any]:
    """What a criterion answered as finite float32, one per unit; ValueError or TypeError says what is wrong."""
    scores = np.asarray(result)
    if scores.dtype.kind not in "fiub" and scores.dtype.name != "bfloat16":
        raise TypeError(f"a criterion answers real numbers, not {scores.dtype} ({type(result).__name__})")
    if scores.shape == (units, 1):  # what an elementwise function makes of units of one element
        scores = scores[:, 0]
    if scores.shape != (units,):
        raise ValueError(f"a criterion answers one score per unit: an array of shape ({units},), not {scores.shape}")
    with np.errstate(over="ignore"):
        scores = scores.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(scores))
    if bad.size:
        raise ValueError(
            f"a criterion answers finite scores: {bad.size} of {units} are not, the first is unit {bad[0]} "
            f"({scores[bad[0]]})"
        )
    return scores


class CallbackCriterion:
    """A Python function behind the C criterion interface. Must live as long as the context it is registered with."""

    def __init__(self, id: str, function: Criterion, summary: str, flags: int) -> None:
        self.id = encode(id, "the id")
        self.summary = encode(summary, "the summary")
        self.replace(function)
        self._score = _abi.SCORE_FUNCTION(self._on_score)
        self.struct = _abi.pare_callback_criterion(
            flags=flags, id=self.id, summary=self.summary, user=None, score=self._score
        )

    def replace(self, function: Criterion) -> None:
        """Let another function answer from now on."""
        # One assignment, so that a call under way on another thread sees either the old pair or the new one.
        self._answer = (function, takes_name(function))

    def _on_score(
        self,
        _: Any,
        parameter: bytes,
        weights: Any,
        units: int,
        elements: int,
        scores: Any,
        message: int,
        capacity: int,
    ) -> int:
        # ctypes prints an exception that leaves a callback and hands C a garbage status: none may leave.
        try:
            with in_callback():
                self._answer_into(decode(parameter), weights, units, elements, scores)
            return _abi.PARE_OK
        except BaseException as error:
            _note(error, f"in criterion {decode(self.id)!r} on parameter {decode(parameter)!r}")
            text = leave_ticket(error).encode("utf-8", "replace")[: max(capacity - 1, 0)]
            if message and capacity:
                ctypes.memmove(message, text + b"\0", len(text) + 1)
            return _abi.PARE_E_PLUGIN_FAULT

    def _answer_into(self, parameter: str, weights: Any, units: int, elements: int, scores: Any) -> None:
        function, with_name = self._answer
        # A copy, so that a criterion that keeps its argument never looks at freed memory.
        shown = np.array(np.ctypeslib.as_array(weights, (units, elements))) if units * elements else np.empty(
            (units, elements), np.float32
        )
        shown.flags.writeable = False
        result = function(shown, parameter) if with_name else function(shown)
        checked = checked_scores(result, units)
        if units:
            np.ctypeslib.as_array(scores, (units,))[:] = checked


def _note(error: BaseException, text: str) -> None:
    if hasattr(error, "add_note"):
        error.add_note(text)
