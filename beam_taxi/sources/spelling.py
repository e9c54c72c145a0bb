"""Text columns most of whose cells are numbers: how many, and the first cell that is not one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.numerals import DIGIT, NUMBER
from beam_taxi.sources.csv.grammar import misfits
from beam_taxi.sources.kinds import Kind

Where = TypeVar("Where")

_LOOKED_AT = 256
"""Cells by which a column is taken for text."""


@dataclass(frozen=True)
class Spelling(Generic[Where]):
    """The cells of a column by how they are written, and where the first one that is not a plain number is.

    `marked` are numbers with something around them, such as `$3.00` and `1,000`. `is_text` means that most cells are
    not numbers at all, and that not all of them were looked at.
    """

    plain: int = 0
    marked: int = 0
    other: int = 0
    first: tuple[Where, str] | None = None
    is_text: bool = False

    def __add__(self, other: Spelling[Where]) -> Spelling[Where]:
        return Spelling(
            self.plain + other.plain,
            self.marked + other.marked,
            self.other + other.other,
            min(filter(None, (self.first, other.first)), default=None),
            self.is_text or other.is_text,
        )

    @property
    def cells(self) -> int:
        """The number of cells that are not missing."""
        return self.plain + self.marked + self.other

    @property
    def is_doubtful(self) -> bool:
        """Whether most cells are numbers, however they are written."""
        return not self.is_text and self.plain + self.marked > self.other


def spelling_of(cells: pa.StringArray, is_first: bool) -> Spelling[int]:
    """Return how cells are written; null cells are missing. `first` has the number of a row.

    If they are the first cells of a column, a few of them tell whether it is text.
    """
    if is_first:
        sample = cells.drop_null()[:_LOOKED_AT]
        if 2 * int(np.count_nonzero(_are_marked(sample))) < len(sample):
            return Spelling(is_text=True)
    is_missing = cells.is_null().to_numpy(zero_copy_only=False)
    odd = misfits(cells, Kind.FLOAT)
    marked = int(np.count_nonzero(_are_marked(cells.take(pa.array(odd)))))
    plain = len(cells) - int(np.count_nonzero(is_missing)) - len(odd)
    first = (int(odd[0]), cells[int(odd[0])].as_py()) if len(odd) else None
    return Spelling(plain, marked, len(odd) - marked, first)


def _are_marked(cells: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Return which cells, none of them null, are numbers with or without something around them."""
    found = pc.and_(pc.match_substring_regex(cells, NUMBER), pc.match_substring_regex(cells, DIGIT))
    matched: npt.NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
    return matched
