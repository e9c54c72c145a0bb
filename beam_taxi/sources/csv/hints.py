"""What a chunk of records says about how its file is meant: a bad record that an option reads, a header again."""

from __future__ import annotations

from collections.abc import Sequence

from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.parse import BadRecord, record_bounds

_MARKS_OF_COMMENTS = b"#%;!"
_LONGEST_FOOTER = 5
_FEW = 4
_AUTO = "--dialect auto proposes how to read the file"


def hint(chunk: bytes, bad: Sequence[BadRecord], n_good: int, header: bytes) -> str:
    """Return what may help with the first bad record of a chunk, to be added to its reason; empty if unknown."""
    first = bad[0]
    if first.code != "fields":
        return ""
    for mark in (chunk[first.start : first.start + 1], header[:1]):
        if mark and mark in _MARKS_OF_COMMENTS:
            return f" (--comment {mark.decode()!r} skips lines that begin with it)"
    if len(bad) > max(n_good, _FEW):
        return f" ({_AUTO})"
    starts_at_end = len(chunk[first.start :].split(b"\n")) <= 2 * _LONGEST_FOOTER
    if starts_at_end and len(bad) <= min(_LONGEST_FOOTER, n_good // 4) and not chunk[bad[-1].end :].strip():
        return " (--skip_footer N skips the last N records)"
    return ""


def repeated_headers(chunk: bytes, header: bytes, dialect: Dialect) -> list[int]:
    """Return the starts of the records of a chunk that equal the header of the file."""
    if not header or not _may_contain(chunk, header):
        return []
    starts, ends = record_bounds(chunk, dialect)
    return [int(start) for start, end in zip(starts, ends, strict=True) if chunk[start:end].rstrip(b"\r\n") == header]


def _may_contain(chunk: bytes, header: bytes) -> bool:
    """Return whether the chunk has a line that equals the header."""
    if chunk.startswith(header) or chunk.endswith(header):
        return True
    breaks = b"\n\r" if b"\r" in chunk else b"\n"
    return any(bytes([before]) + header + bytes([after]) in chunk for before in breaks for after in breaks)
