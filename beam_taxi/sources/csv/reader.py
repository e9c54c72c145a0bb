"""The second pass: read the records between two positions as typed batches, and bad ones as rejects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import numpy as np
import pyarrow as pa

from beam_taxi import storage
from beam_taxi.sources.csv.parse import BadRecord, BadRecords, Readable, TooLong, iter_chunks, parse_typed, sift
from beam_taxi.sources.csv.positions import TextPosition
from beam_taxi.sources.csv.records import Positions, RecordScan
from beam_taxi.sources.csv.stream import Decoding, TextStream
from beam_taxi.sources.csv.text import CsvText
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import Batch, Joint, Reject


class TextReader:
    """Reads a CSV file. With a `decoding` the file is opened once, and must be read in ascending order."""

    def __init__(
        self, file: CsvText[Joint], kinds: Mapping[str, Kind], has_rejects: bool, decoding: Decoding | None = None
    ) -> None:
        self._file = file
        self._kinds = kinds
        self._has_rejects = has_rejects
        self._decoding = decoding
        self._stack = ExitStack()
        self._stream: TextStream | None = None

    def close(self) -> None:
        """Close what is open."""
        self._stack.close()
        self._stream = None

    def read(self, start: TextPosition, end: TextPosition) -> Iterator[Batch]:
        """Yield the rows between two positions. Raises DataError if the file differs from what the first pass read."""
        # The first pass read these bytes without an error.
        with self._file.read_again(BadRecords, TooLong, EOFError, pa.ArrowInvalid):
            yield from self._read(start, end)

    def _read(self, start: TextPosition, end: TextPosition) -> Iterator[Batch]:
        file, (offset, line) = self._file, start
        for chunk in iter_chunks(self._at(start.offset), end.offset - offset, file.dialect, file.batch_bytes):
            clean, rejects = chunk, list[Reject]()
            if self._has_rejects:
                clean, _, bad = sift(chunk, file.info.columns, file.dialect, file.declared)
                line_ends = RecordScan(chunk, file.dialect, 0, len(chunk)).line_ends
                at = TextPosition(offset, line)
                rejects = [_reject(file.info.uri, chunk, record, at, line_ends) for record in bad]
                offset, line = offset + len(chunk), line + len(line_ends)
            rows = parse_typed(clean, file.info.columns, file.dialect, self._kinds)
            yield Batch(rows, rejects, len(chunk) if self._stream is None else self._stream.take_stored())

    def _at(self, offset: int) -> Readable:
        """Return a stream positioned at an offset of the text."""
        if self._decoding is None or self._stream is None:
            self.close()
            stored = self._stack.enter_context(storage.open_input(self._file.info.uri))
            if self._decoding is None:
                stored.seek(offset)
                return stored
            self._stream = TextStream(self._file.info.uri, stored, self._decoding)
        self._stream.skip_to(offset)
        return self._stream


def _reject(uri: str, chunk: bytes, bad: BadRecord, at: TextPosition, line_ends: Positions) -> Reject:
    lines = int(np.searchsorted(line_ends, bad.start, side="right"))
    raw = chunk[bad.start : bad.end].rstrip(b"\r\n")
    return Reject(uri, at.line + lines, at.offset + bad.start, bad.code, bad.reason, raw)
