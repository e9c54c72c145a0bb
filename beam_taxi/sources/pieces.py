"""The second pass: the records of a unit as typed batches, and its bad records as rejects."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from beam_taxi import storage
from beam_taxi.errors import DataError
from beam_taxi.progress import tick
from beam_taxi.sources.bigquery import read_streams
from beam_taxi.sources.csv.parse import BadRecord, BadRecords, Readable, TooLong, iter_chunks, parse_typed, sift
from beam_taxi.sources.csv.records import Positions, RecordScan
from beam_taxi.sources.csv.stream import TextStream
from beam_taxi.sources.parquet import read_groups
from beam_taxi.sources.plan import InputPlan
from beam_taxi.sources.source import SourceFile
from beam_taxi.sources.units import DataPlan, Piece


@dataclass(frozen=True)
class Reject:
    """A record that was set aside: where it is (`offset` in bytes of text), why, and its bytes without the line end."""

    file: str
    line: int
    offset: int
    code: str
    reason: str
    raw: bytes

    def to_json_line(self) -> bytes:
        """Return one line of JSON; `text` is the record, or `base64` where it is not UTF-8."""
        values = {"file": self.file, "line": self.line, "offset": self.offset, "code": self.code, "reason": self.reason}
        try:
            content = {"text": self.raw.decode()}
        except UnicodeDecodeError:
            content = {"base64": base64.b64encode(self.raw).decode()}
        return json.dumps(values | content, ensure_ascii=False).encode() + b"\n"


class PieceReader:
    """Reads the pieces of units that come in the order of the input; a decoded file is opened once for all of them.

    Raises DataError where a file is not what it was in the first pass.
    """

    def __init__(self, plan: InputPlan, data: DataPlan) -> None:
        self._plan = plan
        self._data = data
        self._stack = ExitStack()
        self._open_file: int | None = None
        self._stream: TextStream | None = None

    def close(self) -> None:
        """Close what is open."""
        self._stack.close()
        self._open_file = self._stream = None

    def read(self, piece: Piece) -> Iterator[tuple[pa.RecordBatch, list[Reject]]]:
        """Yield batches of flat columns in the order of the plan's kinds, each with the rejects among its records."""
        source = self._plan.files[piece.file]
        try:
            yield from self._read(piece, source)
        except (BadRecords, TooLong, EOFError, pa.ArrowInvalid):
            # The first pass has read these bytes without a fault.
            raise DataError(f"{source.uri}: changed while it was read") from None
        if source.table is None:
            storage.check_unchanged(source.uri, source.size, source.modified)

    def _read(self, piece: Piece, source: SourceFile) -> Iterator[tuple[pa.RecordBatch, list[Reject]]]:
        if source.format != "csv":
            read = read_groups if source.is_parquet else read_streams
            for batch in read(source, piece.start, piece.end, self._data.kinds):
                tick("write", 0, len(batch))
                yield batch, []
            return
        offset, line = piece.start, piece.line
        has_rejects = bool(self._data.totals[piece.file].rejects)
        for chunk in iter_chunks(
            self._at(piece, source), piece.end - piece.start, source.dialect, self._plan.batch_bytes
        ):
            clean, rejects = chunk, list[Reject]()
            if has_rejects:
                clean, _, bad = sift(chunk, source.columns, source.dialect, self._plan.declared)
                line_ends = RecordScan(chunk, source.dialect, 0, len(chunk)).line_ends
                rejects = [_reject(source.uri, chunk, record, offset, line, line_ends) for record in bad]
                offset, line = offset + len(chunk), line + len(line_ends)
            batch = parse_typed(clean, source.columns, source.dialect, self._data.kinds)
            tick("write", len(chunk) if self._stream is None else self._stream.take_stored(), len(batch))
            yield batch, rejects

    def _at(self, piece: Piece, source: SourceFile) -> Readable:
        """Return a stream that stands at the start of the piece."""
        if source.decoding is None or self._open_file != piece.file:
            self.close()
            stored = self._stack.enter_context(storage.open_input(source.uri))
            if source.decoding is None:
                stored.seek(piece.start)
                return stored
            self._stream = TextStream(source.uri, stored, source.decoding)
            self._open_file = piece.file
        assert self._stream is not None
        self._stream.skip_to(piece.start)
        return self._stream


def _reject(uri: str, chunk: bytes, bad: BadRecord, offset: int, line: int, line_ends: Positions) -> Reject:
    lines = int(np.searchsorted(line_ends, bad.start, side="right"))
    return Reject(
        uri, line + lines, offset + bad.start, bad.code, bad.reason, chunk[bad.start : bad.end].rstrip(b"\r\n")
    )
