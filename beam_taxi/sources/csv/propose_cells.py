"""Propose how the cells of a sample are written: white space, notations of numbers, spellings of missing values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Row = tuple[int, Sequence[str]]
"""A line and its cells."""

_DIGITS = r"[-+]?[\d.,'\u2019\u00a0\u202f ]*\d"
_SIGN = r"[^\w\s.,+()'\"-]{1,3}"
_MARKED = re.compile(
    rf"[-+]?(?P<before>{_SIGN}|[A-Za-z]{{2,3}}(?=[ \d-]))?\s?(?P<number>{_DIGITS})"
    rf"\s?(?P<after>{_SIGN}|[A-Za-z]{{2,3}})?"
)
_GROUPED = re.compile(r"\d{1,3}(?:(?P<mark>[.,'\u2019\u00a0\u202f ])\d{3})+(?P<rest>[.,]\d*)?")
_MISSING = ("NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "NaN", "nan", "-", "--", "?", ".", "\\N", "missing")
_MOSTLY = 0.5


def cell_proposals(rows: Sequence[Row], header: Sequence[str]) -> Iterator[tuple[str, object, str]]:
    """Yield the name of a field of the dialect, its value, and the reason."""
    padded = next(((line, cell) for line, cells in rows for cell in cells if cell != cell.strip(" \t")), None)
    if padded is not None:
        yield "trim", True, f"{padded[1]!r} in line {padded[0]} has white space around it"
    elif any(name != name.strip(" \t") for name in header):
        yield "trim", True, "there is white space around names"
    numeric = [column for column in _columns(rows) if _is_numeric(column)]
    yield from _marks(numeric)
    yield from _separators(numeric)
    yield from _missing(numeric)


def _columns(rows: Sequence[Row]) -> list[list[tuple[int, str]]]:
    width = len(rows[0][1]) if rows else 0
    return [[(line, cells[number].strip()) for line, cells in rows if cells[number].strip()] for number in range(width)]


def _is_numeric(column: Sequence[tuple[int, str]]) -> bool:
    return bool(column) and sum(bool(_MARKED.fullmatch(cell)) for _, cell in column) > _MOSTLY * len(column)


def _marks(columns: Sequence[Sequence[tuple[int, str]]]) -> Iterator[tuple[str, object, str]]:
    found: dict[str, tuple[int, str]] = {}
    for line, cell in (one for column in columns for one in column):
        match = _MARKED.fullmatch(cell)
        for mark in (match["before"], match["after"]) if match else ():
            if mark:
                found.setdefault(mark, (line, cell))
        if cell.startswith("+") and match:
            found.setdefault("+", (line, cell))
    if found:
        line, cell = next(iter(found.values()))
        yield "number_marks", tuple(found), f"{cell!r} in line {line} is a number with a mark"


def _separators(columns: Sequence[Sequence[tuple[int, str]]]) -> Iterator[tuple[str, object, str]]:
    """Yield decimal mark and thousands separator: what stands last in a number, or cannot be between thousands."""
    decimal: tuple[int, str] | None = None
    thousands: dict[str, tuple[int, str]] = {}
    for line, cell in (one for column in columns for one in column):
        match = _MARKED.fullmatch(cell)
        digits = match["number"].lstrip("+-") if match else ""
        grouped = _GROUPED.fullmatch(digits)
        if re.fullmatch(r"[\d.]*,\d+", digits) and not (grouped and grouped["mark"] == ","):
            decimal = decimal or (line, cell)
        if grouped and (grouped["mark"] != "." or (grouped["rest"] or "").startswith(",")):
            thousands.setdefault(grouped["mark"], (line, cell))
    if decimal:
        yield "decimal", ",", f"{decimal[1]!r} in line {decimal[0]}"
        thousands.pop(",", None)
        if not thousands:
            dotted = [one for column in columns for one in column if re.fullmatch(r"-?\d{1,3}(\.\d{3})+", one[1])]
            thousands = {".": dotted[0]} if dotted else {}
    if thousands:
        mark, (line, cell) = next(iter(thousands.items()))
        yield "thousands", mark, f"{cell!r} in line {line}"


def _missing(columns: Sequence[Sequence[tuple[int, str]]]) -> Iterator[tuple[str, object, str]]:
    found = [one for column in columns for one in column if one[1] in _MISSING]
    if found:
        names = tuple(dict.fromkeys(cell for _, cell in found))
        yield "null_values", names, f"{found[0][1]!r} in line {found[0][0]} among numbers"
