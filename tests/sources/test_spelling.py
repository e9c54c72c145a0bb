"""How the cells of text columns are written that may be meant as numbers."""

from __future__ import annotations

import pyarrow as pa
import pytest

from beam_taxi.sources.spelling import Spelling, spelling_of

CELLS: dict[str, tuple[list[str | None], Spelling[int]]] = {
    "one odd cell": (["1", "2.5", None, "x"], Spelling(2, 0, 1, (3, "x"))),
    "a currency": (["$3.00", "4 USD", "€ 5"], Spelling(0, 3, 0, (0, "$3.00"))),
    "thousands": (["1,000", "13,000.5", "7", "1'000", "1\u202f000"], Spelling(1, 4, 0, (0, "1,000"))),
    "white space and signs": ([" 5", "+1.5", "- 3", "5 "], Spelling(0, 4, 0, (0, " 5"))),
    "per cent": (["1%", "2.5 %"], Spelling(0, 2, 0, (0, "1%"))),
    "leading zeros": (["00501", "10001", "60601"], Spelling(2, 1, 0, (0, "00501"))),
    "NaN and infinities": (["1", "2", "nan", "inf"], Spelling(2, 0, 2, (2, "nan"))),
    "integers beyond int64": (["1", "9223372036854775808"], Spelling(1, 1, 0, (1, "9223372036854775808"))),
    "text": (["cash", "card", "1"], Spelling(is_text=True)),
    "dates": (["2013-01-01", "2014-12-31"], Spelling(is_text=True)),
    "signs alone": (["-", ".", "%"], Spelling(is_text=True)),
}


@pytest.mark.parametrize(("cells", "expected"), CELLS.values(), ids=CELLS)
def test_spelling(cells: list[str | None], expected: Spelling[int]):
    assert spelling_of(pa.array(cells, pa.string()), is_first=True) == expected


def test_later_cells_are_counted_whatever_they_are():
    assert spelling_of(pa.array(["a", "b", "1"]), is_first=False) == Spelling(1, 0, 2, (0, "a"))


def test_sums_keep_the_first_cell():
    assert Spelling(5, 0, 1, (9, "b")) + Spelling(1, 2, 0, (3, "a")) == Spelling(6, 2, 1, (3, "a"))
    assert (Spelling(5) + Spelling(0, 0, 1, (3, "a"))).is_doubtful
    assert not (Spelling[int](1) + Spelling(0, 0, 1, (3, "a"))).is_doubtful
    assert not (Spelling(5, 0, 1, (9, "b")) + Spelling(is_text=True)).is_doubtful
