"""The first pass over a file that is read forwards only, from its first byte to its last."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from beam_taxi import storage
from beam_taxi.progress import tick
from beam_taxi.sources.content import Content
from beam_taxi.sources.csv.grammar import Kind
from beam_taxi.sources.csv.parse import TooLong, is_blank, iter_chunks
from beam_taxi.sources.csv.records import INSIDE, OUTSIDE, Positions, RecordScan
from beam_taxi.sources.csv.scan import TEXT_AFTER_QUOTE, BlockScan, Boundaries, Place, too_long
from beam_taxi.sources.csv.stream import TextStream
from beam_taxi.sources.source import Block, SourceFile

_MAX_MARKS = 8192


class _Marks:
    """Record starts at which units may begin: the first in each cell of a grid, which is widened so that they stay few.

    How much text there will be, and so where the units begin, is known only at the end.
    """

    def __init__(self) -> None:
        self._cell = 1
        self._starts = np.zeros(0, np.int64)
        self._lines = np.zeros(0, np.int64)

    def add(self, starts: Positions, lines: Positions) -> None:
        """Add record starts behind those before, and the number of lines before each."""
        self._starts = np.concatenate([self._starts, starts])
        self._lines = np.concatenate([self._lines, lines])
        while len(self._starts) > _MAX_MARKS:
            self._cell *= 2
            _, first = np.unique(self._starts // self._cell, return_index=True)
            self._starts, self._lines = self._starts[first], self._lines[first]

    def first_from(self, offset: int) -> Place | None:
        """Return the first mark at or after `offset`, None where there is none."""
        number = int(np.searchsorted(self._starts, offset))
        if number == len(self._starts):
            return None
        return Place(int(self._starts[number]), int(self._lines[number]))


def scan_stream(file: SourceFile, block: Block, declared: Mapping[str, Kind], batch_bytes: int) -> BlockScan:
    """Read the one block of `file`. A cut at a share of the stored bytes is one at this share of the text.

    Raises DataError where the file is damaged or not in its encoding.
    """
    assert file.decoding is not None
    content, marks = Content(), _Marks()
    lines, end = 0, file.data_start
    opening: int | None = None
    with storage.open_input(file.uri) as stored:
        stream = TextStream(file.uri, stored, file.decoding)
        stream.skip_to(file.data_start)
        try:
            for chunk in iter_chunks(stream, None, file.dialect, batch_bytes):
                scan = RecordScan(chunk, file.dialect, 0, len(chunk))
                starts = np.append(np.zeros(1, np.int64), scan.record_ends(OUTSIDE))
                starts = starts[starts < len(chunk)]
                before = lines + np.searchsorted(scan.line_ends, starts, side="right")

                def lines_before(offset: int, scan: RecordScan = scan, lines: int = lines) -> int:
                    return lines + int(np.searchsorted(scan.line_ends, offset, side="right"))

                quote = scan.text_after_quote(OUTSIDE)
                if quote is not None:
                    content.fault = (lines_before(quote), TEXT_AFTER_QUOTE)
                    break
                if scan.state_after(OUTSIDE) == INSIDE:
                    opening = lines_before(scan.last_opening(OUTSIDE) or 0)
                    break
                content.blank_lines += int(is_blank(chunk, starts).sum())
                rows = content.rows
                content.examine(chunk, file, declared, lines_before)
                tick("scan", stream.take_stored(), content.rows - rows)
                marks.add(end + starts, before)
                lines, end = lines + len(scan.line_ends), end + len(chunk)
        except TooLong:
            content.fault = (lines, too_long(file.dialect.max_record_bytes))
    text = end - file.data_start
    firsts = tuple(marks.first_from(file.data_start + -(-cut * text // file.size)) for cut in block.cuts)
    state = OUTSIDE if opening is None else INSIDE
    bounds = Boundaries(state, marks.first_from(0), firsts, opening)
    return BlockScan(block, stream.sha256, end, lines, (bounds, bounds), OUTSIDE, content)
