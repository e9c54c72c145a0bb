"""The first pass: read a part of a file once for its hash, its record boundaries and its types.

The boundaries are computed for both states in which the part may begin, the content only for the more likely one.
Joining all parts reveals the true states, and a part whose state was guessed wrong is scanned again.
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from beam_taxi.errors import DataError
from beam_taxi.sources.content import Content
from beam_taxi.sources.csv.cuts import context_bytes, first_safe_cut, last_safe_cut
from beam_taxi.sources.csv.examine import examine_chunk
from beam_taxi.sources.csv.parse import cut_chunks
from beam_taxi.sources.csv.plain import is_blank
from beam_taxi.sources.csv.positions import BEFORE, Boundaries, LocalPosition, TextJoint
from beam_taxi.sources.csv.records import RecordScan
from beam_taxi.sources.csv.states import INSIDE, OUTSIDE, Positions
from beam_taxi.sources.csv.text import CsvText
from beam_taxi.sources.source import Part, Scan

_LOOK_AHEAD = 64 << 10
_RECORDS_TO_GUESS_BY = 16
NEVER_CLOSED = "the quote that opens here is never closed"
TEXT_AFTER_QUOTE = "text after the closing quote of the field that opens here"


def too_long(limit: int) -> str:
    """Return the reason for rejecting a record that exceeds the limit."""
    return f"the record exceeds the limit of {limit} bytes (4 times --max_field_bytes); is a quote not closed?"


@dataclass(frozen=True)
class _Window:
    """A part's bytes and some after them. `core` spans two safe cuts; `offset` is that of `data` in the file.

    `at_end` means that `core` ends with the file.
    """

    data: bytes
    offset: int
    core: RecordScan
    at_end: bool


def scan_part(file: CsvText[TextJoint], part: Part, state: int | None = None) -> Scan[TextJoint]:
    """Scan a part; `state` is the state in which it begins, if known.

    Raises DataError if the file has become shorter.
    """
    with file.open_part() as stream:
        window = _read(stream, file, part)
        core = window.core
        if state is None:
            state = OUTSIDE if part.index == 0 else _guess_state(core, len(file.fields))
        content = _Reader(file, part, window).read(stream, state)
    lead = part.start - window.offset
    content.sha256 = hashlib.sha256(memoryview(window.data)[lead : lead + part.end - part.start]).digest()
    boundaries = (_boundaries(window, part, OUTSIDE), _boundaries(window, part, INSIDE))
    return Scan(part, content, TextJoint(state, boundaries, len(core.line_ends), part.end))


def _read(stream: BinaryIO, file: CsvText[TextJoint], part: Part) -> _Window:
    offset = max(part.start - context_bytes(file.dialect), 0)
    stream.seek(offset)
    needed = part.end - offset
    data = stream.read(needed + _LOOK_AHEAD)
    if len(data) < needed:
        raise DataError(f"{file.info.uri}: changed while it was being read: shorter than {file.info.size} bytes")
    data = data[: file.info.size - offset]
    is_last = part.end == file.info.size
    start = file.start.offset - offset if part.index == 0 else first_safe_cut(data, part.start - offset, file.dialect)
    end = len(data)
    while not is_last:
        end = first_safe_cut(data, needed, file.dialect)
        wanted = min(max(_LOOK_AHEAD, len(data) - needed), file.info.size - offset - len(data))
        more = stream.read(wanted) if end == len(data) else b""
        if not more:
            break
        data += more
    origin = start if part.index == 0 else 0
    at_end = offset + end == file.info.size
    return _Window(data, offset, RecordScan(data, file.dialect, min(start, end), end, origin), at_end)


def _boundaries(window: _Window, part: Part, state: int) -> Boundaries:
    core = window.core
    ends = core.record_ends(state)
    if part.index == 0:
        ends = np.concatenate([[core.start], ends])
    if window.at_end:
        ends = ends[ends < len(window.data)]

    def place(position: int) -> LocalPosition:
        lines = int(np.searchsorted(core.line_ends, position, side="right"))
        return LocalPosition(window.offset + position, lines)

    firsts = np.searchsorted(ends, np.array(part.cuts, np.int64) - window.offset)
    starts = tuple(place(int(ends[i])) if i < len(ends) else None for i in firsts)
    opening = core.last_opening(state)
    return Boundaries(
        core.state_after(state),
        place(int(ends[0])) if len(ends) else None,
        starts,
        None if opening is None else place(opening).lines,
    )


def _guess_state(core: RecordScan, n_columns: int) -> int:
    """Return the start state under which more of the first records have the right number of fields."""
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
    """Reads the records that start in a part."""

    def __init__(self, file: CsvText[TextJoint], part: Part, window: _Window) -> None:
        self._file = file
        self._part = part
        self._window = window
        self._content = Content()

    def read(self, stream: BinaryIO, state: int) -> Content:
        """Return the content of the part, which begins in `state`; a fault ends the scan."""
        core = self._window.core
        ends = core.record_ends(state)
        if self._part.index == 0:
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
        """Read ahead to the end of the last record that starts in the part."""
        core, data = self._window.core, self._window.data
        state = core.state_after(state)
        if self._window.at_end:
            # `join` rejects a file that ends inside quotes, since it knows where they opened.
            return data, ends if state == INSIDE else np.append(ends[ends < len(data)], len(data))
        left = self._file.info.size - self._window.offset - len(data)
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
        blank = is_blank(data, starts, self._file.dialect)
        self._content.blank_lines = int(blank.sum())
        for start, end in cut_chunks(int(ends[0]), ends[1:], self._file.batch_bytes):

            def lines(offset: int, start: int = start) -> int:
                return self._lines(start + offset)

            examine_chunk(self._content, data[start:end], self._file, lines)

    def _lines(self, position: int) -> int:
        return int(np.searchsorted(self._window.core.line_ends, position, side="right"))

    def _fail(self, position: int | None, reason: str) -> None:
        self._content.fault = (BEFORE if position is None else self._lines(position), reason)
