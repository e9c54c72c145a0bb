"""Batches of rows with places, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from beam_taxi.sources.reading import UnitBatch
from beam_taxi.sources.source import Place, RowNumbers


@dataclass(frozen=True)
class Lines:
    """Rows on consecutive lines of group `group`, -1 for a source without groups."""

    first: int
    group: int = -1

    def places_of(self, rows: RowNumbers) -> Sequence[Place]:
        return [Place(None if self.group < 0 else self.group, self.first + int(row), raw=b"x") for row in rows]

    def numbers_of(self, rows: RowNumbers) -> tuple[RowNumbers, RowNumbers]:
        return np.full(len(rows), self.group), rows + self.first


def unit_batch(rows: pa.RecordBatch, *pieces: tuple[int, int, Lines]) -> UnitBatch:
    """Return rows that come from sources: the number of each, how many of the rows, and where."""
    lengths = tuple((source, count) for source, count, _ in pieces)
    return UnitBatch(rows, lengths, (), tuple(lines for _, _, lines in pieces))
