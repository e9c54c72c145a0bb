"""The grammar of cells."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_taxi.sources.csv.grammar import examine, misfits
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.losses import NO_LOSSES

CELLS = {
    Kind.INT: ["0", "-0", "1", "-17", "9223372036854775807", "-9223372036854775808"],
    Kind.FLOAT: ["0.5", "-0.5", ".5", "1.", "1e5", "1E-5", "1.5e+10", "-.5", "0.0"],
    Kind.STRING: [
        *(
            "007",
            "-01",
            "00.5",
            "1_000",
            " 5",
            "5 ",
            "+5",
            "0x1F",
            "nan",
            "inf",
            "-inf",
            "1e",
            "--1",
            "1-2",
            ".",
            "-",
        ),
        *("9223372036854775808", "-9223372036854775809", "true", "１２", "1,5", "NA"),
    ],
}


@pytest.mark.parametrize(("cell", "kind"), [(cell, kind) for kind, cells in CELLS.items() for cell in cells])
def test_kind_of_a_cell(cell: str, kind: Kind):
    assert examine(pa.array([None, cell])).kind is kind
    assert examine(pa.array(["padding", "", cell, None]).slice(2)).kind is kind


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([], Kind.MISSING),
        ([None, None], Kind.MISSING),
        (["1", "2.5"], Kind.FLOAT),
        (["9223372036854775808", "2.5"], Kind.STRING),
        (["9223372036854775807", "2.5"], Kind.FLOAT),
        (["1", "x"], Kind.STRING),
    ],
)
def test_kind_of_a_column(cells: list[str | None], kind: Kind):
    assert examine(pa.array(cells, pa.string())).kind is kind


def test_float32_overflow_and_lost_digits():
    assert examine(pa.array(["1.5", None, "1e39"])).overflow == 2
    assert examine(pa.array(["1.5", "3.4028235e38"])).overflow is None
    assert examine(pa.array(["16777217", "0.5"])).losses.changed == 1
    assert examine(pa.array(["16777217"])).losses.changed == 1
    assert examine(pa.array(["16777216", "0.1"])).losses == NO_LOSSES


def test_misfits():
    assert list(misfits(pa.array(["1", None, "2", "x", "3.5"]), Kind.INT)) == [3, 4]
    assert list(misfits(pa.array(["1", None, "2", "x", "3.5"]), Kind.FLOAT)) == [3]
    assert list(misfits(pa.array(["1", "2"]), Kind.INT)) == []


@settings(max_examples=500)
@given(st.lists(st.none() | st.text("019.-+eE x", max_size=5) | st.integers(-(2**64), 2**64).map(str), max_size=8))
def test_misfits_are_the_cells_that_alone_would_be_of_another_kind(cells: list[str | None]):
    for kind in (Kind.INT, Kind.FLOAT):
        alone = [row for row, cell in enumerate(cells) if examine(pa.array([cell or None], pa.string())).kind > kind]
        assert list(misfits(pa.array([cell or None for cell in cells], pa.string()), kind)) == alone
