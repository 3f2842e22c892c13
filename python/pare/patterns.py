"""Granularity of masks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple, Union

from . import _abi
from .errors import ArgumentError

_FORMS = "element, N:M, block:HxW, row, column or channel"


@dataclass(frozen=True)
class Pattern:
    """What is kept or removed together.

    A weight is seen as a matrix: rows are output features, columns are input features times kernel positions.

    Attributes:
        granularity: ``"element"``, ``"nm"``, ``"block"``, ``"row"``, ``"column"`` or ``"channel"``.
        n, m: for ``"nm"``: how many of each `m` consecutive inputs are KEPT; 2:4 keeps two of four.
        block: for ``"block"``: rows and columns of one block.
        remainder: what happens where sizes do not divide: ``"refuse"``, ``"skip"`` (leave dense) or ``"pad"``.
    """

    granularity: str = "element"
    n: int = 0
    m: int = 0
    block: Tuple[int, int] = (0, 0)
    remainder: str = "refuse"

    def __post_init__(self) -> None:
        if self.granularity not in _abi.GRANULARITIES:
            raise ArgumentError(
                "unknown granularity",
                found=repr(self.granularity),
                expected=", ".join(_abi.GRANULARITIES),
            )
        if self.remainder not in _abi.REMAINDERS:
            raise ArgumentError(
                "unknown remainder rule",
                found=repr(self.remainder),
                expected=", ".join(_abi.REMAINDERS),
            )
        if max(self.n, self.m, *self.block) >= 2**31 or min(self.n, self.m, *self.block) < 0:
            raise ArgumentError(f"pattern sizes are out of range: {self.n}:{self.m}, {self.block}")

    @classmethod
    def parse(cls, text: str, remainder: str = "refuse") -> Pattern:
        """Read ``"element"``, ``"2:4"``, ``"block:4x1"``, ``"row"``, ``"column"`` or ``"channel"``."""
        nm = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text, re.ASCII)
        if nm:
            return cls("nm", n=int(nm[1]), m=int(nm[2]), remainder=remainder)
        block = re.fullmatch(r"block:(\d{1,9})x(\d{1,9})", text, re.ASCII)
        if block:
            return cls("block", block=(int(block[1]), int(block[2])), remainder=remainder)
        if text in ("element", "row", "column", "channel"):
            return cls(text, remainder=remainder)
        raise ArgumentError("unknown pattern", found=repr(text), expected=_FORMS)

    def __str__(self) -> str:
        if self.granularity == "nm":
            return f"{self.n}:{self.m}"
        if self.granularity == "block":
            return f"block:{self.block[0]}x{self.block[1]}"
        return self.granularity

    @property
    def struct(self) -> _abi.pare_pattern:
        return _abi.pare_pattern(
            granularity=_abi.GRANULARITIES.index(self.granularity),
            n=self.n,
            m=self.m,
            block_rows=self.block[0],
            block_cols=self.block[1],
            remainder=_abi.REMAINDERS.index(self.remainder),
        )

    def units(self, shape: Tuple[int, ...]) -> Tuple[int, ...]:
        """Shape of an array with one number per unit of a weight of this shape, [out, in, kernel…]; of all elements for
        ``"element"`` and ``"nm"``."""
        rows = shape[0] if shape else 1
        inputs = shape[1] if len(shape) > 1 else 1
        columns = inputs
        for size in shape[2:]:
            columns *= size
        if self.granularity == "row":
            return (rows,)
        if self.granularity == "column":
            return (columns,)
        if self.granularity == "channel":
            return (inputs,)
        if self.granularity == "block":
            height, width = self.block
            return (-(-rows // max(height, 1)), -(-columns // max(width, 1)))
        return tuple(shape)


#: What arguments called ``pattern`` take.
PatternLike = Union[None, str, Pattern]


def as_pattern(pattern: PatternLike) -> Optional[Pattern]:
    """A pattern from its text; None stays None, which the library reads as single elements."""
    if pattern is None or isinstance(pattern, Pattern):
        return pattern
    if isinstance(pattern, str):
        return Pattern.parse(pattern)
    raise TypeError(f"a pattern is a text or a pare.Pattern, not {type(pattern).__name__}")


def spelled(text: str) -> Tuple[Optional[Pattern], Optional[float]]:
    """A pattern and a fraction from the command's spelling: ``0.9``, ``2:4``, ``block:4x1@0.8``."""
    name, mark, fraction = text.partition("@")
    try:
        if not mark and ":" not in text and not text.isalpha():
            return None, float(text)
        return Pattern.parse(name), float(fraction) if mark else None
    except ValueError:
        raise ArgumentError("not a sparsity", found=repr(text), expected="as in 0.9, 2:4 or block:4x1@0.8") from None
