"""Where units begin in a file of records that is read from start to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

_MAX_MARKS = 8192


class RecordPosition(NamedTuple):
    """The start of a record: its offset in decoded bytes, and its number or line."""

    offset: int
    number: int


class Cuts:
    """The first record start at or after each of some offsets, which are ascending."""

    def __init__(self, cuts: Sequence[int]) -> None:
        self._left = np.array(cuts, np.int64)
        self._found = list[RecordPosition]()

    def add(self, starts: Numbers, numbers: Numbers) -> None:
        """Go on with the next record starts and their numbers."""
        if not len(self._left) or not len(starts):
            return
        rows = np.searchsorted(starts, self._left)
        rows = rows[rows < len(starts)]
        self._found += map(RecordPosition._make, zip(starts[rows].tolist(), numbers[rows].tolist(), strict=True))
        self._left = self._left[len(rows) :]

    def positions(self, end: RecordPosition) -> list[RecordPosition]:
        """Return the position of each cut; one after the last record is at the end."""
        return [*self._found, *[end] * len(self._left)]


class Marks:
    """Record starts at which units may begin, if the length of the decoded file is known only at its end.

    They are the first in each cell of a grid, which coarsens to keep them few.
    """

    def __init__(self) -> None:
        self._cell = 1
        self._starts = np.zeros(0, np.int64)
        self._numbers = np.zeros(0, np.int64)

    def add(self, starts: Numbers, numbers: Numbers) -> None:
        """Append record starts and their numbers."""
        self._starts = np.concatenate([self._starts, starts])
        self._numbers = np.concatenate([self._numbers, numbers])
        while len(self._starts) > _MAX_MARKS:
            self._cell *= 2
            _, first = np.unique(self._starts // self._cell, return_index=True)
            self._starts, self._numbers = self._starts[first], self._numbers[first]

    def positions(self, cuts: Sequence[int], size: int, begin: int, end: RecordPosition) -> list[RecordPosition]:
        """Return the positions of cuts of the stored bytes, of which there are `size`, at their fraction of the text.

        The text begins at the offset `begin`.
        """
        text = Cuts([begin + -(-cut * (end.offset - begin) // size) for cut in cuts])
        text.add(self._starts, self._numbers)
        return text.positions(end)
