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
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from beam_taxi import storage
from beam_taxi.errors import DataError
from beam_taxi.sources.content import Content
from beam_taxi.sources.csv.grammar import Kind
from beam_taxi.sources.csv.parse import cut_chunks, is_blank
from beam_taxi.sources.csv.records import INSIDE, OUTSIDE, Positions, RecordScan, first_safe_cut, last_safe_cut
from beam_taxi.sources.source import Block, SourceFile

_LOOK_AHEAD = 64 << 10
_RECORDS_TO_GUESS_BY = 16
TEXT_AFTER_QUOTE = "text after the closing quote of the field that opens here"


def too_long(limit: int) -> str:
    """Return the reason for refusing a record beyond the limit."""
    return f"the record exceeds the limit of {limit} bytes (4 times --max_field_bytes); is a quote not closed?"


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


@dataclass(frozen=True)
class BlockScan:
    """What the first pass found in `block`; `content` holds if it began in `assumed`.

    `sha256` is of its stored bytes; `end` is where its text ends.
    """

    block: Block
    sha256: bytes
    end: int
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
    declared: Mapping[str, Kind],
    batch_bytes: int,
    state: int | None = None,
) -> BlockScan:
    """Read a block; `declared` are types that are given, and `state` that in which the block begins, if known.

    Raises DataError where the file is shorter than it was.
    """
    with storage.open_input(file.uri) as stream:
        window = _read(stream, file, block)
        core = window.core
        if state is None:
            state = OUTSIDE if block.index == 0 else _guess_state(core, len(file.columns))
        content = _Reader(file, block, window, declared, batch_bytes).read(stream, state)
    lead = block.start - window.offset
    digest = hashlib.sha256(memoryview(window.data)[lead : lead + block.end - block.start]).digest()
    boundaries = (
        _boundaries(window, block, file, OUTSIDE),
        _boundaries(window, block, file, INSIDE),
    )
    return BlockScan(block, digest, block.end, len(core.line_ends), boundaries, state, content)


def _read(stream: BinaryIO, file: SourceFile, block: Block) -> _Window:
    offset = max(block.start - 1, 0)
    stream.seek(offset)
    needed = block.end - offset
    data = stream.read(needed + _LOOK_AHEAD)
    if len(data) < needed:
        raise DataError(f"{file.uri}: changed while it was read: shorter than {file.size} bytes")
    data = data[: file.size - offset]
    at_end = block.end == file.size
    start = file.data_start - offset if block.index == 0 else first_safe_cut(data, block.start - offset, file.dialect)
    end = len(data)
    while not at_end:
        end = first_safe_cut(data, needed, file.dialect)
        more = stream.read(min(_LOOK_AHEAD, file.size - offset - len(data))) if end == len(data) else b""
        if not more:
            break
        data += more
    origin = start if block.index == 0 else 0
    return _Window(data, offset, RecordScan(data, file.dialect, min(start, end), end, origin), at_end)


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


def _guess_state(core: RecordScan, n_columns: int) -> int:
    """Return the start state under which the first records have the right number of fields."""
    dialect = core.dialect
    if dialect.quote_byte is None or core.data.find(dialect.quote_byte, core.start, core.end) < 0:
        return OUTSIDE

    def fitting(state: int) -> int:
        ends = core.record_ends(state)[:_RECORDS_TO_GUESS_BY]
        text = core.data[ends[0] : ends[-1]].decode("utf-8", "replace") if len(ends) else ""
        rows = csv.reader(io.StringIO(text, newline=""), **dialect.csv_format)
        try:
            return sum(len(row) == n_columns for row in rows)
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
        declared: Mapping[str, Kind],
        batch_bytes: int,
    ) -> None:
        self._file = file
        self._block = block
        self._window = window
        self._declared = declared
        self._batch_bytes = batch_bytes
        self._content = Content()

    def read(self, stream: BinaryIO, state: int) -> Content:
        """Return the content when the block begins in `state`; a fault ends it."""
        core = self._window.core
        ends = core.record_ends(state)
        if self._block.index == 0:
            ends = np.concatenate([[core.start], ends])
        quote = core.text_after_quote(state)
        if quote is not None:
            opened_before = state == INSIDE and quote == core.start
            self._fail(None if opened_before else quote, TEXT_AFTER_QUOTE)
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
            cut = last_safe_cut(data, core.dialect) if left else len(data)
            if cut > core.end:
                tail = RecordScan(data, core.dialect, core.end, cut)
                found = tail.record_ends(state)
                if len(found):
                    return data, np.append(ends, found[0])
                if not left:
                    return data, ends if tail.state_after(state) == INSIDE else np.append(ends, len(data))
            elif not left:
                return data, ends
            if len(data) - int(ends[-1]) > core.dialect.max_record_bytes:
                self._fail(int(ends[-1]), too_long(core.dialect.max_record_bytes))
                return data, ends
            more = stream.read(min(len(data), left))
            left = left - len(more) if more else 0
            data += more

    def _read_chunks(self, data: bytes, ends: Positions) -> None:
        starts = ends[:-1]
        blank = is_blank(data, starts)
        self._content.blank_lines = int(blank.sum())
        for start, end in cut_chunks(int(ends[0]), ends[1:], self._batch_bytes):

            def lines(offset: int, start: int = start) -> int:
                return self._lines(start + offset)

            self._content.examine(data[start:end], self._file, self._declared, lines)

    def _lines(self, position: int) -> int:
        return int(np.searchsorted(self._window.core.line_ends, position, side="right"))

    def _fail(self, position: int | None, reason: str) -> None:
        self._content.fault = (None if position is None else self._lines(position), reason)
