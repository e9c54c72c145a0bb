"""Rewrite records to what Arrow's parser reads: without comments, padding before quotes, and repeated delimiters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.records import RecordScan
from beam_taxi.sources.csv.states import CR, LF, OUTSIDE, TAB, Flags, Positions

_SPACE = 32


def is_blank(data: bytes, starts: Positions, dialect: Dialect) -> Flags:
    """Return for each record start whether the record is a blank line or a comment.

    A line of white space is blank if white space around cells is removed.
    """
    characters = np.frombuffer(data, np.uint8)
    first = characters[starts]
    blank: Flags = (first == LF) | (first == CR)
    if dialect.trim or dialect.is_whitespace:
        blank |= _ends_line(data, starts, dialect)
    if dialect.comment_byte is not None:
        blank |= first == dialect.comment_byte
    return blank


def plain_text(chunk: bytes, dialect: Dialect) -> bytes:
    """Return whole records in a form that Arrow's parser reads as `dialect` means them; blank ones may be left out."""
    if not _may_differ(chunk, dialect):
        return chunk
    scan = RecordScan(chunk, dialect, 0, len(chunk))
    text = np.frombuffer(chunk, np.uint8)
    dropped = _ranges(len(chunk), *_blank_records(chunk, scan, dialect))
    if dialect.is_whitespace:
        blanks = _outside_blanks(text, scan)
        text = np.where(blanks, _SPACE, text).astype(np.uint8)
        dropped |= _needless(text, blanks)
    elif dialect.padding:
        quotes, fields = scan.openings(OUTSIDE)
        dropped |= _ranges(len(chunk), fields, quotes)
    nulls = _escaped_nulls(text, scan, dialect)
    if len(nulls):
        text = np.insert(text, nulls, ord(dialect.escape))
        dropped = np.insert(dropped, nulls, dropped[nulls])
    return text[~dropped].tobytes()


def _may_differ(chunk: bytes, dialect: Dialect) -> bool:
    comment = dialect.comment.encode()
    return (
        dialect.is_whitespace
        or dialect.trim
        or bool(dialect.escape and any(_is_escape_sequence(value, dialect) for value in dialect.null_values))
        or bool(comment and (chunk.startswith(comment) or b"\n" + comment in chunk or b"\r" + comment in chunk))
    )


def _blank_records(chunk: bytes, scan: RecordScan, dialect: Dialect) -> tuple[Positions, Positions]:
    edges = np.unique(np.concatenate([[0], scan.record_ends(OUTSIDE), [len(chunk)]]))
    blank = is_blank(chunk, edges[:-1], dialect)
    return edges[:-1][blank], edges[1:][blank]


def _ranges(size: int, starts: Positions, ends: Positions) -> Flags:
    """Return the flags of `size` bytes, which are set from each of the starts to its end."""
    steps = np.zeros(size + 1, np.int8)
    steps[starts] += 1
    steps[ends] -= 1
    inside: Flags = np.cumsum(steps[:-1], dtype=np.int8).astype(bool)
    return inside


def _ends_line(data: bytes, starts: Positions, dialect: Dialect) -> Flags:
    """Return whether only white space is between each start and the end of its line."""
    characters = np.frombuffer(data + b"\n", np.uint8)
    blanks = [_SPACE, TAB] if dialect.is_whitespace else list(dialect.padding)
    at = starts.copy()
    while True:
        steps = np.isin(characters[at], blanks)
        if not steps.any():
            break
        at += steps
    found: Flags = (characters[at] == LF) | (characters[at] == CR)
    return found


def _outside_blanks(text: npt.NDArray[np.uint8], scan: RecordScan) -> Flags:
    """Return which bytes are spaces or tabs outside quotes, and not escaped."""
    blanks: Flags = (text == _SPACE) | (text == TAB)
    if scan.escaped is not None:
        blanks &= ~scan.escaped
    positions = np.flatnonzero(blanks)
    blanks[positions[scan.is_inside(OUTSIDE, positions)]] = False
    return blanks


def _needless(text: npt.NDArray[np.uint8], blanks: Flags) -> Flags:
    """Return the blanks that are not the first of a run, or that begin or end a line."""
    is_break = (text == LF) | (text == CR)
    after_break = np.concatenate([[True], is_break[:-1]])
    starts = np.flatnonzero(blanks & ~np.concatenate([[False], blanks[:-1]]))
    ends = np.flatnonzero(blanks & ~np.concatenate([blanks[1:], [False]])) + 1
    ends_line = np.concatenate([is_break, [True]])[ends]
    needless: Flags = blanks.copy()
    needless[starts[~after_break[starts] & ~ends_line]] = False
    return needless


def _is_escape_sequence(value: str, dialect: Dialect) -> bool:
    return len(value) == 2 and value[0] == dialect.escape and value.isascii()


def _escaped_nulls(text: npt.NDArray[np.uint8], scan: RecordScan, dialect: Dialect) -> Positions:
    """Return where escape sequences are that mean missing, such as `\\N`: they are to be read as they are written."""
    if scan.escaped is None:
        return np.zeros(0, np.int64)
    wanted = [ord(value[1]) for value in dialect.null_values if _is_escape_sequence(value, dialect)]
    return np.flatnonzero(scan.escaped & np.isin(text, wanted))
