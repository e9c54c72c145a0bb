"""Numbers that are written otherwise, and what is none."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from beam_taxi.errors import DataError
from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.grammar import misfits
from beam_taxi.sources.csv.notation import plain_numbers
from beam_taxi.sources.kinds import Kind
from tests.sources.csv.test_options import read


def numbers(dialect: Dialect, *cells: str) -> list[str | None]:
    found: list[str | None] = plain_numbers(pa.chunked_array([pa.array(cells)]), dialect).to_pylist()
    return found


@pytest.mark.parametrize(
    ("dialect", "cells"),
    [
        (Dialect(thousands=","), ("1,23", "1,2345", ",123", "1,234,5", "0,123", "1,234.5.6", "12,", "1.234,567")),
        (Dialect(decimal=","), ("1,5,5", ",", "-", "1,5e", "01,5")),
        (Dialect(decimal=",", thousands="."), ("1.23", "1,5.000", "1.234.56")),
        (Dialect(number_marks=("$", "USD")), ("$", "USD", "5 EUR", "($5)", "$5-", "5USD5", "- USD", "$ $")),
        (Dialect(number_marks=("%",), thousands=","), ("5 % of 1,000", "%", "1 000", "5\t\t%")),
    ],
)
def test_what_is_no_number_in_the_notation_is_left_alone(dialect: Dialect, cells: tuple[str, ...]):
    assert numbers(dialect, *cells) == list(cells) or dialect.decimal == ","
    for cell in numbers(dialect, *cells):
        assert len(misfits(pa.array([cell]), Kind.FLOAT)) == 1, cell


def test_a_full_stop_is_no_decimal_mark_beside_a_decimal_comma(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a;b\n1,5;1.5\n2;2,5\n")
    kinds, rows = read(tmp_path / "x.csv", Dialect(delimiter=";", decimal=","))
    assert kinds == {"a": Kind.FLOAT, "b": Kind.STRING}
    assert [row["b"] for row in rows] == ["1.5", "2,5"]


def test_cells_of_given_types_are_numbers_in_the_notation(tmp_path: Path):
    (tmp_path / "x.csv").write_text('a,b\n"1,000","1,000"\n2,x\n')
    declared = {"a": Kind.INT, "b": Kind.STRING}
    _, rows = read(tmp_path / "x.csv", Dialect(thousands=","), declared=declared)
    assert rows == [{"a": 1000, "b": "1,000"}, {"a": 2, "b": "x"}]
    with pytest.raises(DataError, match="line 2: column 'a': '1,000' is not INT"):
        read(tmp_path / "x.csv", Dialect(), declared=declared)
