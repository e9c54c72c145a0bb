"""The second pass: read the rows of units, whatever their sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.source import Batch, Place, Places, Progress, Reader, Reject, RowNumbers, no_progress
from beam_taxi.sources.units import DataPlan, Piece, Unit

_ENOUGH_ROWS = 4096
_ENOUGH_BYTES = 32 << 20


@dataclass(frozen=True)
class UnitBatch:
    """Rows of a unit; in order, each source with its number of rows; and the rejects by source.

    The columns have values or lists of them. `places` are those of each source's rows, in the order of `lengths`.
    """

    rows: pa.RecordBatch
    lengths: tuple[tuple[int, int], ...]
    rejects: tuple[tuple[int, Sequence[Reject]], ...]
    places: tuple[Places | None, ...] = ()

    def places_of(self, rows: RowNumbers) -> list[tuple[int, Place]]:
        """Return source and place of rows, by their numbers in ascending order; the reader must keep places."""
        return [(source, place) for source, places, mine in self._parts(rows) for place in places.places_of(mine)]

    def numbers_of(self, rows: RowNumbers) -> tuple[RowNumbers, RowNumbers, RowNumbers]:
        """Return the sources of rows in ascending order, their groups, and their numbers in them."""
        sources, groups, numbers = list[RowNumbers](), list[RowNumbers](), list[RowNumbers]()
        for source, places, mine in self._parts(rows):
            group, number = places.numbers_of(mine)
            sources.append(np.full(len(mine), source))
            groups.append(group)
            numbers.append(number)
        none = [np.zeros(0, np.int64)]
        return np.concatenate(sources or none), np.concatenate(groups or none), np.concatenate(numbers or none)

    def filtered(self, chosen: npt.NDArray[np.bool_]) -> UnitBatch:
        """Return the batch with only the chosen rows."""
        lengths, places, start = list[tuple[int, int]](), list[Places | None](), 0
        for (source, length), its in zip(self.lengths, self.places, strict=True):
            mine = np.flatnonzero(chosen[start : start + length])
            lengths.append((source, len(mine)))
            places.append(None if its is None else _Some(its, mine))
            start += length
        return replace(self, rows=self.rows.filter(pa.array(chosen)), lengths=tuple(lengths), places=tuple(places))

    def _parts(self, rows: RowNumbers) -> Iterator[tuple[int, Places, RowNumbers]]:
        """Yield each source with the places of its rows, and which of these rows are among some of the batch."""
        start = 0
        for (source, length), places in zip(self.lengths, self.places, strict=True):
            mine = rows[(rows >= start) & (rows < start + length)] - start
            if len(mine):
                assert places is not None
                yield source, places, mine
            start += length


@dataclass(frozen=True)
class _Some:
    """The places of some rows, by their numbers among all."""

    places: Places
    rows: RowNumbers

    def places_of(self, rows: RowNumbers) -> Sequence[Place]:
        return self.places.places_of(self.rows[rows])

    def numbers_of(self, rows: RowNumbers) -> tuple[RowNumbers, RowNumbers]:
        return self.places.numbers_of(self.rows[rows])


class TableReader:
    """Reads units, which must come in the order of the input; a source stays open from piece to piece."""

    def __init__(
        self, plan: TablePlan, data: DataPlan, progress: Progress = no_progress, with_places: bool = False
    ) -> None:
        self._plan = plan
        self._data = data
        self._progress = progress
        self._with_places = with_places
        self._source: int | None = None
        self._reader: Reader[Any] | None = None

    def close(self) -> None:
        """Close the source that is open, if any."""
        if self._reader is not None:
            self._reader.close()
        self._source = self._reader = None

    def read(self, unit: Unit) -> Iterator[UnitBatch]:
        """Yield the rows of a unit, with small batches joined. Raises DataError."""
        pending, rows, size = list[tuple[int, Batch]](), 0, 0
        for piece in unit.pieces:
            for batch in self._read(piece):
                # A few rows of long lists are many bytes.
                is_enough = rows >= _ENOUGH_ROWS or size >= _ENOUGH_BYTES
                if pending and (is_enough or batch.rows.schema != pending[0][1].rows.schema):
                    yield _join(pending)
                    pending, rows, size = [], 0, 0
                pending.append((piece.source, batch))
                rows += len(batch.rows)
                size += batch.rows.nbytes
        if pending:
            yield _join(pending)

    def _read(self, piece: Piece) -> Iterator[Batch]:
        if self._reader is None or self._source != piece.source:
            self.close()
            source = self._plan.sources[piece.source]
            self._reader = source.reader(self._data.kinds, piece.has_rejects, self._with_places)
            self._source = piece.source
        for batch in self._reader.read(piece.start, piece.end):
            self._progress(batch.stored_bytes, len(batch.rows))
            yield batch


def _join(batches: list[tuple[int, Batch]]) -> UnitBatch:
    rows = batches[0][1].rows
    if len(batches) > 1:
        table = pa.Table.from_batches([batch.rows for _, batch in batches]).combine_chunks()
        rows = next(iter(table.to_batches()), rows)
    return UnitBatch(
        rows,
        tuple((source, len(batch.rows)) for source, batch in batches),
        tuple((source, batch.rejects) for source, batch in batches if batch.rejects),
        tuple(batch.places for _, batch in batches),
    )
