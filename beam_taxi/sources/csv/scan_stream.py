"""The first pass over a file that can only be read from start to end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from beam_taxi import storage
from beam_taxi.settings import Dialect
from beam_taxi.sources.content import Content
from beam_taxi.sources.csv.examine import examine_chunk
from beam_taxi.sources.csv.parse import TooLong, iter_chunks, record_bounds
from beam_taxi.sources.csv.plain import is_blank
from beam_taxi.sources.csv.positions import JoinedText, LocalPosition, TextPosition
from beam_taxi.sources.csv.records import RecordScan
from beam_taxi.sources.csv.scan import NEVER_CLOSED, TEXT_AFTER_QUOTE, too_long
from beam_taxi.sources.csv.states import INSIDE, OUTSIDE, Positions
from beam_taxi.sources.csv.stream import Decoding, TextStream
from beam_taxi.sources.csv.text import CsvText
from beam_taxi.sources.source import Part, Progress, Scan

_MAX_MARKS = 8192


class _Marks:
    """Record starts at which units may begin: the first in each cell of a grid, which coarsens to keep them few.

    The length of the text, and so where the units begin, is known only at the end.
    """

    def __init__(self) -> None:
        self._cell = 1
        self._starts = np.zeros(0, np.int64)
        self._lines = np.zeros(0, np.int64)

    def add(self, starts: Positions, lines: Positions) -> None:
        """Append record starts, and the number of lines before each."""
        self._starts = np.concatenate([self._starts, starts])
        self._lines = np.concatenate([self._lines, lines])
        while len(self._starts) > _MAX_MARKS:
            self._cell *= 2
            _, first = np.unique(self._starts // self._cell, return_index=True)
            self._starts, self._lines = self._starts[first], self._lines[first]

    def first_from(self, offset: int) -> LocalPosition | None:
        """Return the first mark at or after `offset`, or None if there is none."""
        number = int(np.searchsorted(self._starts, offset))
        if number == len(self._starts):
            return None
        return LocalPosition(int(self._starts[number]), int(self._lines[number]))


def scan_stream(file: CsvText[JoinedText], decoding: Decoding, part: Part, progress: Progress) -> Scan[JoinedText]:
    """Scan the only part of `file`. A cut at some fraction of the stored bytes is made at that fraction of the text.

    Raises DataError if the file is damaged or not in its encoding.
    """
    content, marks = Content(), _Marks()
    lines, end = 0, file.start.offset
    fault: tuple[int, str] | None = None
    with storage.open_input(file.info.uri) as stored:
        stream = TextStream(file.info.uri, stored, decoding)
        stream.skip_to(file.start.offset)
        try:
            for chunk, is_footer in _with_footer(
                iter_chunks(stream, None, file.dialect, file.batch_bytes), file.dialect
            ):
                scan = RecordScan(chunk, file.dialect, 0, len(chunk))
                starts = np.append(np.zeros(1, np.int64), scan.record_ends(OUTSIDE))
                starts = starts[starts < len(chunk)]
                before = lines + np.searchsorted(scan.line_ends, starts, side="right")

                def lines_before(offset: int, scan: RecordScan = scan, lines: int = lines) -> int:
                    return lines + int(np.searchsorted(scan.line_ends, offset, side="right"))

                quote = scan.text_after_quote(OUTSIDE)
                if quote is not None:
                    fault = (lines_before(quote), TEXT_AFTER_QUOTE)
                    break
                if scan.state_after(OUTSIDE) == INSIDE:
                    fault = (lines_before(scan.last_opening(OUTSIDE) or 0), NEVER_CLOSED)
                    break
                if is_footer:
                    break
                content.blank_lines += int(is_blank(chunk, starts, file.dialect).sum())
                rows = content.rows or 0
                examine_chunk(content, chunk, file, lines_before)
                progress(stream.take_stored(), (content.rows or 0) - rows)
                marks.add(end + starts, before)
                lines, end = lines + len(scan.line_ends), end + len(chunk)
        except TooLong:
            fault = (lines, too_long(file.dialect.max_record_bytes))
    content.fault, content.sha256 = fault, stream.sha256
    return Scan(part, content, _join(file, part, marks, TextPosition(end, file.start.line + lines)))


def _with_footer(chunks: Iterator[bytes], dialect: Dialect) -> Iterator[tuple[bytes, bool]]:
    """Yield the chunks of whole records, and at last the footer, and whether a chunk is that."""
    held = b""
    for chunk in chunks:
        if not dialect.skip_footer:
            yield chunk, False
            continue
        held += chunk
        starts, _ = record_bounds(held, dialect)
        if len(starts) > dialect.skip_footer:
            cut = int(starts[-dialect.skip_footer])
            yield held[:cut], False
            held = held[cut:]
    if held:
        yield held, True


def _join(file: CsvText[JoinedText], part: Part, marks: _Marks, end: TextPosition) -> JoinedText:
    """Return the bounds of the units, now that the length of the text is known."""
    text = end.offset - file.start.offset
    firsts = (marks.first_from(file.start.offset + -(-cut * text // file.info.size)) for cut in part.cuts)
    cuts = (end if first is None else TextPosition(first.offset, file.start.line + first.lines) for first in firsts)
    return JoinedText((file.start, *cuts, end), (file.start.line,))
