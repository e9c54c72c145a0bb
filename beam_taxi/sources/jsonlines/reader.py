"""The second pass: read the lines between two positions as typed batches, and bad ones as rejects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from beam_taxi.sources.arrow.columns import Column
from beam_taxi.sources.arrow.values import to_kind
from beam_taxi.sources.csv.cursor import Cursor
from beam_taxi.sources.cuts import RecordPosition
from beam_taxi.sources.jsonlines.lines import TooLong, blocks_of
from beam_taxi.sources.jsonlines.parse import Rows
from beam_taxi.sources.kinds import ARROW_TYPES, Kind
from beam_taxi.sources.source import NO_GROUP, Batch, Place, Reject, RowNumbers

if TYPE_CHECKING:
    from beam_taxi.sources.jsonlines.file import JsonLinesFile


class JsonLinesReader:
    """Reads a file of JSON Lines; a compressed one is opened once, and must be read in ascending order."""

    def __init__(self, file: JsonLinesFile, kinds: Mapping[str, Kind], with_places: bool) -> None:
        self._file = file
        self._kinds = kinds
        self._with_places = with_places
        self._parser = file.parser([name for name, kind in kinds.items() if kind is Kind.STRING])
        self._cursor = Cursor(file.info.uri, file.decoding)

    def close(self) -> None:
        """Close what is open."""
        self._cursor.close()

    def read(self, start: RecordPosition, end: RecordPosition) -> Iterator[Batch]:
        """Yield the rows between two positions. Raises DataError if the file differs from what the first pass read."""
        with self._file.read_again(TooLong, EOFError, pa.ArrowInvalid):
            yield from self._read(start, end)

    def _read(self, start: RecordPosition, end: RecordPosition) -> Iterator[Batch]:
        file, at = self._file, start
        stream, size = self._cursor.at(start.offset), end.offset - start.offset
        for block in blocks_of(stream, size, file.batch_bytes, file.max_line_bytes):
            rows = self._parser.parse(block)
            columns = [self._column(rows, name, kind) for name, kind in self._kinds.items()]
            batch = pa.RecordBatch.from_arrays(columns, names=list(self._kinds))
            rejects = [
                Reject(
                    file.info.uri,
                    at.number + bad.number,
                    at.offset + bad.start,
                    bad.code,
                    bad.reason,
                    block[bad.start : bad.end],
                )
                for bad in rows.bad
            ]
            stored_bytes = self._cursor.take_stored(len(block))
            yield Batch(batch, rejects, stored_bytes, _Places(block, at, rows) if self._with_places else None)
            at = RecordPosition(at.offset + len(block), at.number + block.count(b"\n"))

    def _column(self, rows: Rows, name: str, kind: Kind) -> pa.Array:
        has_lists = name in self._file.info.with_lists
        array = rows.columns.get(name)
        if array is None:
            type_ = ARROW_TYPES[kind]
            return pa.nulls(len(rows.lines), pa.list_(type_) if has_lists else type_)
        return to_kind(Column((name,), array.type, kind, has_lists), array, kind)


@dataclass(frozen=True)
class _Places:
    """Where the rows of a block are, which begins at `at`."""

    block: bytes
    at: RecordPosition
    rows: Rows

    def places_of(self, rows: RowNumbers) -> list[Place]:
        """Return the places of some rows."""
        lines = self.rows.lines.only(rows)
        return [
            Place(None, self.at.number + number, self.at.offset + start, self.block[start:end])
            for number, start, end in zip(
                lines.numbers.tolist(), lines.starts.tolist(), lines.ends.tolist(), strict=True
            )
        ]

    def numbers_of(self, rows: RowNumbers) -> tuple[RowNumbers, RowNumbers]:
        """Return no groups, and the lines of rows."""
        return np.full(len(rows), NO_GROUP), self.at.number + self.rows.lines.numbers[rows]
