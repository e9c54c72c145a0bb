"""The first pass: one block of a file is read once for its hash, its record boundaries and its types.

What a block says of its boundaries is said for both states in which it may begin; what it says of its content is
said for one of them, the likely one. The plan, which knows the true states, has a block scanned again where that
guess was wrong.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from beam_taxi import storage
from beam_taxi.errors import DataError
from beam_taxi.ingest.grammar import Kind, examine, first_misfit
from beam_taxi.ingest.parse import BadRecord, cut_chunks, is_blank, parse_text, record_starts
from beam_taxi.ingest.records import (
    CR,
    INSIDE,
    OUTSIDE,
    QUOTE,
    Positions,
    RecordScan,
    first_safe_cut,
)

BLOCK_BYTES = 32 << 20
MAX_RECORD_BYTES = 64 << 20
_LOOK_AHEAD = 64 << 10
_RECORDS_TO_GUESS_BY = 16


@dataclass(frozen=True)
class SourceFile:
    """An input file: where its records begin (bytes), on which line, and its columns in its own order."""

    uri: str
    size: int
    modified: float
    columns: tuple[str, ...]
    data_start: int
    first_line: int


@dataclass(frozen=True)
class Block:
    """Bytes `start` to `end` of file number `file`; `cuts` are the offsets in it at which units shall begin."""

    file: int
    index: int
    start: int
    end: int
    cuts: tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """A record start: the offset in the file, and the line ends between the block's start and it."""

    offset: int
    lines: int


@dataclass(frozen=True)
class Boundaries:
    """A block read from one start state: the state at its end, its first record start, the first after each cut."""

    state_after: int
    first: Place | None
    starts: tuple[Place | None, ...]
    opening_lines: int | None


@dataclass
class Content:
    """The records that start in a block. Lines count from the block's start.

    `fault` ends the run; it has no line where it is that of a quote that opened in an earlier block.
    """

    rows: int = 0
    blank_lines: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)
    overflows: dict[str, int] = field(default_factory=dict)
    inexact: set[str] = field(default_factory=set)
    fault: tuple[int | None, str] | None = None


@dataclass(frozen=True)
class BlockScan:
    """What the first pass found in `block`. `sha256` is of its bytes; `content` holds if it began in `assumed`."""

    block: Block
    sha256: bytes
    lines: int
    boundaries: tuple[Boundaries, Boundaries]
    assumed: int
    content: Content


@dataclass(frozen=True)
class _Window:
    """A block's bytes and some behind them; `core` runs from safe cut to safe cut, `offset` is that of `data`."""

    data: bytes
    offset: int
    core: RecordScan
    at_end: bool


def scan_block(
    file: SourceFile,
    block: Block,
    delimiter: str,
    declared: Mapping[str, Kind],
    batch_bytes: int,
    state: int | None = None,
) -> BlockScan:
    """Read a block; `declared` are types that are given, and `state` that in which the block begins, if known.

    Raises DataError where the file is shorter than it was.
    """
    with storage.open_input(file.uri) as stream:
        window = _read(stream, file, block, ord(delimiter))
        core = window.core
        if state is None:
            state = OUTSIDE if block.index == 0 else _guess_state(core, len(file.columns), delimiter)
        content = _Reader(file, block, window, delimiter, declared, batch_bytes).read(stream, state)
    lead = block.start - window.offset
    digest = hashlib.sha256(memoryview(window.data)[lead : lead + block.end - block.start]).digest()
    boundaries = (
        _boundaries(window, block, file, OUTSIDE),
        _boundaries(window, block, file, INSIDE),
    )
    return BlockScan(block, digest, len(core.line_ends), boundaries, state, content)


def _read(stream: BinaryIO, file: SourceFile, block: Block, delimiter: int) -> _Window:
    offset = max(block.start - 1, 0)
    stream.seek(offset)
    needed = block.end - offset
    data = stream.read(needed + _LOOK_AHEAD)
    if len(data) < needed:
        raise DataError(f"{file.uri}: changed while it was read: shorter than {file.size} bytes")
    data = data[: file.size - offset]
    at_end = block.end == file.size
    start = file.data_start - offset if block.index == 0 else first_safe_cut(data, block.start - offset)
    end = len(data)
    while not at_end:
        end = first_safe_cut(data, needed)
        more = stream.read(min(_LOOK_AHEAD, file.size - offset - len(data))) if end == len(data) else b""
        if not more:
            break
        data += more
    return _Window(data, offset, RecordScan(data, delimiter, min(start, end), end), at_end)


def _boundaries(window: _Window, block: Block, file: SourceFile, state: int) -> Boundaries:
    core = window.core
    ends = core.record_ends(state)
    if block.index == 0:
        ends = np.concatenate([[core.start], ends])
    if window.at_end:
        ends = ends[ends < len(window.data)]

    def place(position: int) -> Place:
        lines = int(np.searchsorted(core.line_ends, position, side="right"))
        return Place(window.offset + position, lines)

    firsts = np.searchsorted(ends, np.array(block.cuts, np.int64) - window.offset)
    starts = tuple(place(int(ends[i])) if i < len(ends) else None for i in firsts)
    opening = core.last_opening(state)
    return Boundaries(
        core.state_after(state),
        place(int(ends[0])) if len(ends) else None,
        starts,
        None if opening is None else place(opening).lines,
    )


def _guess_state(core: RecordScan, n_columns: int, delimiter: str) -> int:
    """Return the start state under which the first records have the right number of fields."""
    if core.data.find(b'"', core.start, core.end) < 0:
        return OUTSIDE

    def fitting(state: int) -> int:
        ends = core.record_ends(state)[:_RECORDS_TO_GUESS_BY]
        text = core.data[ends[0] : ends[-1]].decode("utf-8", "replace") if len(ends) else ""
        try:
            return sum(len(row) == n_columns for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error:
            return 0

    return INSIDE if fitting(INSIDE) > fitting(OUTSIDE) else OUTSIDE


class _Reader:
    """Reads the records that start in a block."""

    def __init__(
        self,
        file: SourceFile,
        block: Block,
        window: _Window,
        delimiter: str,
        declared: Mapping[str, Kind],
        batch_bytes: int,
    ) -> None:
        self._file = file
        self._block = block
        self._window = window
        self._delimiter = delimiter
        self._declared = declared
        self._batch_bytes = batch_bytes
        self._content = Content(kinds=dict.fromkeys(file.columns, Kind.MISSING))

    def read(self, stream: BinaryIO, state: int) -> Content:
        """Return the content when the block begins in `state`; a fault ends it."""
        core = self._window.core
        ends = core.record_ends(state)
        if self._block.index == 0:
            ends = np.concatenate([[core.start], ends])
        quote = core.text_after_quote(state)
        if quote is not None:
            opened_before = state == INSIDE and quote == core.start
            self._fail(None if opened_before else quote, "text after the closing quote of the field that opens here")
        elif len(ends):
            data, ends = self._whole_records(stream, state, ends)
            self._read_chunks(data, ends)
        return self._content

    def _whole_records(self, stream: BinaryIO, state: int, ends: Positions) -> tuple[bytes, Positions]:
        """Read on to the end of the last record that starts in the block."""
        core, data = self._window.core, self._window.data
        state = core.state_after(state)
        if self._window.at_end:
            # The plan refuses a file that ends inside quotes: it knows where they opened.
            return data, ends if state == INSIDE else np.append(ends[ends < len(data)], len(data))
        left = self._file.size - self._window.offset - len(data)
        while True:
            cut = len(data)
            while left and data[cut - 1] in (QUOTE, CR):
                cut -= 1
            if cut > core.end:
                tail = RecordScan(data, core.delimiter, core.end, cut)
                found = tail.record_ends(state)
                if len(found):
                    return data, np.append(ends, found[0])
                if not left:
                    return data, ends if tail.state_after(state) == INSIDE else np.append(ends, len(data))
            elif not left:
                return data, ends
            if len(data) - int(ends[-1]) > MAX_RECORD_BYTES:
                self._fail(
                    int(ends[-1]),
                    f"the record exceeds the limit of {MAX_RECORD_BYTES} bytes; is a quote not closed?",
                )
                return data, ends
            more = stream.read(min(len(data), left))
            left = left - len(more) if more else 0
            data += more

    def _read_chunks(self, data: bytes, ends: Positions) -> None:
        starts = ends[:-1]
        blank = is_blank(data, starts)
        self._content.blank_lines = int(blank.sum())
        for start, end in cut_chunks(int(ends[0]), ends[1:], self._batch_bytes):
            try:
                self._examine(data[start:end], start)
            except BadRecord as error:
                self._fail(start + error.offset, error.reason)
                return
        records = len(starts) - self._content.blank_lines
        if self._content.rows != records:
            raise AssertionError(f"{self._file.uri}: {records} records, {self._content.rows} rows parsed")

    def _examine(self, chunk: bytes, start: int) -> None:
        table = parse_text(chunk, self._file.columns, self._delimiter)
        content = self._content
        content.rows += len(table)
        for name, column in zip(table.column_names, table.columns, strict=True):
            declared = self._declared.get(name)
            if (declared is None and content.kinds[name] is Kind.STRING) or declared is Kind.STRING:
                continue
            cells = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
            evidence = examine(cells)
            misfit = None if declared is None else first_misfit(cells, declared)
            if misfit is not None and declared is not None:
                reason = f"column {name!r}: {cells[misfit].as_py()!r} is not {declared.name}"
                raise BadRecord(self._row_start(chunk, misfit), reason)
            content.kinds[name] = max(content.kinds[name], evidence.kind)
            if evidence.overflow is not None and name not in content.overflows:
                content.overflows[name] = self._lines(start + self._row_start(chunk, evidence.overflow))
            if evidence.inexact:
                content.inexact.add(name)

    def _row_start(self, chunk: bytes, row: int) -> int:
        return int(record_starts(chunk, ord(self._delimiter))[row])

    def _lines(self, position: int) -> int:
        return int(np.searchsorted(self._window.core.line_ends, position, side="right"))

    def _fail(self, position: int | None, reason: str) -> None:
        self._content.fault = (None if position is None else self._lines(position), reason)
