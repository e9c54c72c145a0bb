"""The second pass: read the records between two positions as typed batches, and bad ones as rejects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.cursor import Cursor
from beam_taxi.sources.csv.parse import (
    BadRecord,
    BadRecords,
    TooLong,
    iter_chunks,
    parse_typed,
    record_bounds,
    sift,
)
from beam_taxi.sources.csv.positions import TextPosition
from beam_taxi.sources.csv.records import RecordScan
from beam_taxi.sources.csv.states import Positions
from beam_taxi.sources.csv.stream import Decoding
from beam_taxi.sources.csv.text import CsvText
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import NO_GROUP, Batch, Joint, Place, Reject, RowNumbers


class TextReader:
    """Reads a CSV file. With a `decoding` the file is opened once, and must be read in ascending order."""

    def __init__(
        self,
        file: CsvText[Joint],
        kinds: Mapping[str, Kind],
        has_rejects: bool,
        with_places: bool = False,
        decoding: Decoding | None = None,
    ) -> None:
        self._file = file
        self._kinds = kinds
        self._has_rejects = has_rejects
        self._with_places = with_places
        self._cursor = Cursor(file.info.uri, decoding)

    def close(self) -> None:
        """Close what is open."""
        self._cursor.close()

    def read(self, start: TextPosition, end: TextPosition) -> Iterator[Batch]:
        """Yield the rows between two positions. Raises DataError if the file differs from what the first pass read."""
        # The first pass read these bytes without an error.
        with self._file.read_again(BadRecords, TooLong, EOFError, pa.ArrowInvalid):
            yield from self._read(start, end)

    def _read(self, start: TextPosition, end: TextPosition) -> Iterator[Batch]:
        file, at = self._file, start
        for chunk in iter_chunks(
            self._cursor.at(start.offset), end.offset - start.offset, file.dialect, file.batch_bytes
        ):
            clean, bad = chunk, list[BadRecord]()
            if self._has_rejects:
                clean, _, bad = sift(chunk, file.fields, file.dialect, file.declared, file.info.redacted)
            records = _Records(chunk, at, file.dialect, bad)
            rows = parse_typed(clean, file.fields, file.dialect, self._kinds)
            rejects = [records.reject(file.info.uri, one) for one in bad]
            stored_bytes = self._cursor.take_stored(len(chunk))
            yield Batch(rows, rejects, stored_bytes, records if self._with_places else None)
            if self._has_rejects or self._with_places:
                at = TextPosition(at.offset + len(chunk), at.line + _count_lines(chunk))


@dataclass(frozen=True)
class _Records:
    """The records of a chunk, which begins at `at`; the bad ones are not among its rows."""

    chunk: bytes
    at: TextPosition
    dialect: Dialect
    bad: Sequence[BadRecord]

    @cached_property
    def _line_ends(self) -> Positions:
        return RecordScan(self.chunk, self.dialect, 0, len(self.chunk)).line_ends

    def _line(self, position: int) -> int:
        return self.at.line + int(np.searchsorted(self._line_ends, position, side="right"))

    def _raw(self, start: int, end: int) -> bytes:
        return self.chunk[start:end].rstrip(b"\r\n")

    def reject(self, uri: str, bad: BadRecord) -> Reject:
        """Return a bad record as a reject."""
        raw = self._raw(bad.start, bad.end)
        return Reject(uri, self._line(bad.start), self.at.offset + bad.start, bad.code, bad.reason, raw)

    @cached_property
    def _good(self) -> tuple[Positions, Positions]:
        """Start and end of each good record."""
        starts, ends = record_bounds(self.chunk, self.dialect)
        good = ~np.isin(starts, [one.start for one in self.bad]) if self.bad else slice(None)
        return starts[good], ends[good]

    def places_of(self, rows: RowNumbers) -> list[Place]:
        """Return the places of good records, by their numbers among them."""
        starts, ends = self._good
        return [
            Place(None, self._line(start), self.at.offset + start, self._raw(start, end))
            for start, end in zip(starts[rows].tolist(), ends[rows].tolist(), strict=True)
        ]

    def numbers_of(self, rows: RowNumbers) -> tuple[RowNumbers, RowNumbers]:
        """Return no groups, and the lines of good records."""
        lines = self.at.line + np.searchsorted(self._line_ends, self._good[0][rows], side="right")
        return np.full(len(rows), NO_GROUP), lines


def _count_lines(chunk: bytes) -> int:
    lines = chunk.count(b"\n")
    return lines + chunk.count(b"\r") - chunk.count(b"\r\n") if b"\r" in chunk else lines
