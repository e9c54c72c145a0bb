"""The second pass: read the rows of units, whatever their sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.source import Batch, Place, PlacesOf, Progress, Reader, Reject, RowNumbers, no_progress
from beam_taxi.sources.units import DataPlan, Piece, Unit

_ENOUGH_ROWS = 4096


@dataclass(frozen=True)
class UnitBatch:
    """Rows of a unit as flat columns; in order, each source with its number of rows; and the rejects by source.

    `located` has the functions that return places, in the order of `lengths`.
    """

    rows: pa.RecordBatch
    lengths: tuple[tuple[int, int], ...]
    rejects: tuple[tuple[int, Sequence[Reject]], ...]
    located: tuple[PlacesOf | None, ...] = ()

    def places_of(self, rows: RowNumbers) -> list[tuple[int, Place]]:
        """Return source and place of rows, by their numbers in ascending order; the reader must keep places."""
        found = list[tuple[int, Place]]()
        start = 0
        for (source, length), places_of in zip(self.lengths, self.located, strict=True):
            mine = rows[(rows >= start) & (rows < start + length)] - start
            if len(mine):
                assert places_of is not None
                found += [(source, place) for place in places_of(mine)]
            start += length
        return found


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
        pending = list[tuple[int, Batch]]()
        for piece in unit.pieces:
            for batch in self._read(piece):
                is_enough = sum(len(one.rows) for _, one in pending) >= _ENOUGH_ROWS
                if pending and (is_enough or batch.rows.schema != pending[0][1].rows.schema):
                    yield _join(pending)
                    pending = []
                pending.append((piece.source, batch))
        if pending:
            yield _join(pending)

    def _read(self, piece: Piece) -> Iterator[Batch]:
        if self._reader is None or self._source != piece.source:
            self.close()
            has_rejects = bool(self._data.totals[piece.source].rejects)
            source = self._plan.sources[piece.source]
            self._reader = source.reader(self._data.kinds, has_rejects, self._with_places)
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
        tuple(batch.places_of for _, batch in batches),
    )
