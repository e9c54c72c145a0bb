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
from beam_taxi.sources.csv.positions import JoinedText, TextPosition
from beam_taxi.sources.csv.records import RecordScan
from beam_taxi.sources.csv.scan import NEVER_CLOSED, TEXT_AFTER_QUOTE, too_long
from beam_taxi.sources.csv.states import INSIDE, OUTSIDE
from beam_taxi.sources.csv.stream import Decoding, TextStream
from beam_taxi.sources.csv.text import CsvText
from beam_taxi.sources.cuts import Marks, RecordPosition
from beam_taxi.sources.source import Part, Progress, Scan


def scan_stream(file: CsvText[JoinedText], decoding: Decoding, part: Part, progress: Progress) -> Scan[JoinedText]:
    """Scan the only part of `file`. A cut at some fraction of the stored bytes is made at that fraction of the text.

    Raises DataError if the file is damaged or not in its encoding.
    """
    content, marks = Content(), Marks()
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
                marks.add(end + starts, file.start.line + before)
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


def _join(file: CsvText[JoinedText], part: Part, marks: Marks, end: TextPosition) -> JoinedText:
    """Return the bounds of the units, now that the length of the text is known."""
    found = marks.positions(part.cuts, file.info.size, file.start.offset, RecordPosition(end.offset, end.line))
    cuts = (TextPosition(*position) for position in found)
    return JoinedText((file.start, *cuts, end), (file.start.line,))
