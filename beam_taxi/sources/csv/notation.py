"""Cells whose numbers are written otherwise than in the plain grammar: rewrite them to it, column by column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.grammar import FLOAT_CELL, text_of

_LOOKALIKE = "\u2024"
"""ONE DOT LEADER, which looks like a full stop."""


_PLAIN = {".": b"0123456789-.eE", ",": b"0123456789-"}
"""Characters that mean the same in the plain grammar, by the decimal mark."""


class _Notation(NamedTuple):
    """Regular expressions of RE2: of a number, and of what to remove from it."""

    number: str
    needless: str


def trimmed(table: pa.Table, dialect: Dialect) -> pa.Table:
    """Return the table with its cells, all text, without white space around them if the dialect says so."""
    if not dialect.trim:
        return table
    nulls = pa.array(["", *dialect.null_values])
    columns = []
    for column in table.columns:
        cells = pc.utf8_trim_whitespace(column)
        missing = pc.is_in(cells, value_set=nulls).combine_chunks()
        # Not `if_else`, whose nulls keep the bytes of the cells in newer Arrow.
        numbers = pa.array(np.arange(len(cells)), mask=missing.to_numpy(zero_copy_only=False))
        columns.append(cells.take(numbers))
    return pa.table(columns, names=table.column_names)


def with_plain_numbers(table: pa.Table, dialect: Dialect, columns: Iterable[str]) -> pa.Table:
    """Return the table with the numbers of some columns in the plain grammar; no other cell is a number there."""
    if not dialect.has_notation:
        return table
    for name in columns:
        number = table.column_names.index(name)
        table = table.set_column(number, name, plain_numbers(table[name], dialect))
    return table


def plain_numbers(cells: pa.ChunkedArray, dialect: Dialect) -> pa.ChunkedArray:
    """Return text cells with numbers in the plain grammar; the others are as they are, but never numbers of it.

    `1.5` is not a number if the decimal mark is a comma: it gets a dot that only looks like a full stop.
    """
    if all(not text_of(chunk).translate(None, _PLAIN[dialect.decimal]) for chunk in cells.chunks):
        return cells
    notation = _notation(dialect.decimal, dialect.thousands, dialect.number_marks)
    plain = pc.replace_substring_regex(cells, notation.needless, "")
    if dialect.decimal != ".":
        plain = pc.replace_substring(plain, dialect.decimal, ".")
        cells_kept = pc.replace_substring(cells, ".", _LOOKALIKE)
        kept = pc.if_else(pc.match_substring_regex(cells, FLOAT_CELL), cells_kept, cells)
    else:
        kept = cells
    is_number = pc.and_(pc.match_substring_regex(cells, notation.number), pc.match_substring_regex(plain, FLOAT_CELL))
    return pc.if_else(is_number, plain, kept)


@lru_cache
def _notation(decimal: str, thousands: str, marks: tuple[str, ...]) -> _Notation:
    # Marks may have letters, so that white space in and around them must be matched as it is.
    space = r"[\s\pZ]?"
    longest_first = sorted((mark.strip() for mark in marks), key=len, reverse=True)
    mark = "|".join(map(re.escape, longest_first))
    before, after = (f"(?:(?:{mark}){space})*", f"(?:{space}(?:{mark}))*") if mark else ("", "")
    group = f"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|" if thousands else ""
    point = re.escape(decimal)
    digits = rf"(?:(?:{group}[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    needless = [r"[\s\pZ]", *map(re.escape, longest_first), *([re.escape(thousands)] if thousands else [])]
    return _Notation(f"^{before}-?{before}{digits}{after}$", "|".join(needless))
