"""Where a text may be cut so that the automaton can go on after the cut without the bytes before it."""

from __future__ import annotations

from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.states import CR, LF


def context_bytes(dialect: Dialect) -> int:
    """Return how many bytes before a position decide whether it is a safe cut."""
    return 2 if dialect.escape else 1


def first_safe_cut(data: bytes, position: int, dialect: Dialect) -> int:
    """Return the first safe cut at or after `position`, or the length of `data` if there is none.

    A safe cut splits neither a run of quotes nor a CRLF, does not follow padding, and is not inside or just after an
    escape sequence. If there are comments, it is the start of a line.
    """
    unsafe = {dialect.quote_byte, CR, *dialect.padding, dialect.escape_byte}
    while 0 < position < len(data):
        if dialect.comment and not _begins_line(data, position):
            position = _next_line(data, position)
        elif (not dialect.comment and data[position - 1] in unsafe) or (
            dialect.escape and dialect.escape.encode() in data[max(position - 2, 0) : position]
        ):
            position += 1
        else:
            break
    return position


def last_safe_cut(data: bytes, dialect: Dialect) -> int:
    """Return the last cut that splits neither a run of quotes nor a CRLF, whatever bytes follow `data`."""
    position = len(data)
    while position and data[position - 1] in (dialect.quote_byte, CR):
        position -= 1
    return position


def _begins_line(data: bytes, position: int) -> bool:
    before = data[position - 1]
    return before == LF or (before == CR and data[position] != LF)


def _next_line(data: bytes, position: int) -> int:
    """Return the first position after a line break at or after `position`, or the length of `data`."""
    found = [at for at in (data.find(b"\n", position), data.find(b"\r", position)) if at >= 0]
    return min(found, default=len(data) - 1) + 1
