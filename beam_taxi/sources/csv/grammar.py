"""The types of cells (INT, FLOAT, STRING), defined by an explicit grammar and determined for whole columns.

    INT    -?(0|[1-9][0-9]*)                                      within int64
    FLOAT  an INT, or -?digits with '.' and/or an exponent        a finite decimal number, no needless leading zero
    STRING everything else (`007`, `1_000`, ` 5`, `nan`, `0x1F`, integers beyond int64)

An empty cell has no type: it is missing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.sources.kinds import Evidence, Kind
from beam_taxi.sources.losses import are_small, losses_of

_INT_BYTES = b"0123456789-"
_FLOAT_BYTES = b".eE+"
_INT_LITERAL = r"^-?[0-9]+$"
_INT_CELL = r"^-?(0|[1-9][0-9]*)$"
FLOAT_CELL = r"^-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SURELY_FINITE = 1e38
_EXACT_DIGITS = 7
"""Whole numbers with at most this many digits are below `EXACT_FLOAT32`."""
_LONGEST_NORMAL = 40
"""A number that is not 0, of at most so many characters and without an exponent, is not 0 as float32."""


def examine(cells: pa.StringArray) -> Evidence:
    """Return the evidence from one column of text cells; empty cells are null."""
    text = text_of(cells)
    if not text:
        return Evidence(Kind.MISSING)
    rest = text.translate(None, _INT_BYTES)
    if rest.translate(None, _FLOAT_BYTES) or _begins_wrongly(cells, text):
        return Evidence(Kind.STRING)
    if not rest and b"-" not in text and np.diff(_offsets(cells)).max() <= _EXACT_DIGITS:
        return Evidence(Kind.INT)
    try:
        values = pc.cast(cells, pa.float64() if rest else pa.int64())
    except pa.ArrowInvalid:
        return Evidence(Kind.STRING)
    if not rest:
        return Evidence(Kind.INT, losses=losses_of(values))
    if _has_int_beyond_int64(cells):
        return Evidence(Kind.STRING)
    is_tiny = b"e" in rest or b"E" in rest or np.diff(_offsets(cells)).max() > _LONGEST_NORMAL
    if not is_tiny and are_small(values):
        return Evidence(Kind.FLOAT)
    return Evidence(Kind.FLOAT, _first_overflow(values), losses_of(values))


def misfits(cells: pa.StringArray, kind: Kind) -> npt.NDArray[np.int64]:
    """Return the rows whose cell does not fit `kind`. Cells of a smaller kind fit, and so do empty ones."""
    fits = pc.match_substring_regex(cells, _INT_CELL if kind is Kind.INT else FLOAT_CELL)
    bad = ~fits.fill_null(True).to_numpy(zero_copy_only=False)
    long_ints = pc.and_(pc.greater_equal(pc.binary_length(cells), 19), pc.match_substring_regex(cells, _INT_CELL))
    for row in np.flatnonzero(long_ints.fill_null(False).to_numpy(zero_copy_only=False)):
        bad[row] |= not -(2**63) <= int(cells[int(row)].as_py()) < 2**63
    return np.flatnonzero(bad)


def _offsets(cells: pa.StringArray) -> npt.NDArray[np.int32]:
    return np.frombuffer(cells.buffers()[1], np.int32)[cells.offset : cells.offset + len(cells) + 1]


def text_of(cells: pa.StringArray) -> bytes:
    """Return the concatenated bytes of all cells."""
    buffer = cells.buffers()[2]
    if not len(cells) or buffer is None:
        return b""
    offsets = _offsets(cells)
    return bytes(memoryview(buffer)[offsets[0] : offsets[-1]])


def _begins_wrongly(cells: pa.StringArray, text: bytes) -> bool:
    """Return whether any cell begins with `+`, which newer Arrow reads as a number, or with a needless leading zero."""
    offsets = _offsets(cells)
    data = np.frombuffer(text, np.uint8)
    starts = (offsets[:-1] - offsets[0]).astype(np.intp)
    lengths = np.diff(offsets)
    first = data.take(starts, mode="clip")
    if (first == ord("+")).any():
        return True
    may = np.flatnonzero(((first == ord("0")) | (first == ord("-"))) & (lengths > 1))
    starts, ends = starts[may], starts[may] + lengths[may]
    starts += data[starts] == ord("-")
    inner = starts + 1 < ends
    following = data[starts[inner] + 1]
    digit = (following >= ord("0")) & (following <= ord("9"))
    return bool(((data[starts[inner]] == ord("0")) & digit).any())


def _has_int_beyond_int64(cells: pa.StringArray) -> bool:
    long_cells = cells.filter(pc.greater_equal(pc.binary_length(cells), 19))
    literals = long_cells.filter(pc.match_substring_regex(long_cells, _INT_LITERAL))
    try:
        pc.cast(literals, pa.int64())
    except pa.ArrowInvalid:
        return True
    return False


def _first_overflow(values: pa.DoubleArray) -> int | None:
    limits = pc.min_max(values)
    low, high = limits["min"].as_py(), limits["max"].as_py()
    if low is None or (low >= -_SURELY_FINITE and high <= _SURELY_FINITE):
        return None
    # Values up to half a unit above the largest float32 still round to it, so let the cast decide.
    with np.errstate(over="ignore"):
        rounded = values.to_numpy(zero_copy_only=False).astype(np.float32)
    rows = np.flatnonzero(np.isinf(rounded))
    return int(rows[0]) if len(rows) else None
