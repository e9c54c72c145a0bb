"""The grammar of cells."""

from __future__ import annotations

import pyarrow as pa
import pytest

from beam_taxi.ingest.grammar import Kind, examine, first_misfit

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
    assert examine(pa.array(["16777217", "0.5"])).inexact
    assert examine(pa.array(["16777217"])).inexact
    assert not examine(pa.array(["16777216", "0.1"])).inexact


def test_first_misfit():
    assert first_misfit(pa.array(["1", None, "2", "x", "3.5"]), Kind.INT) == 3
    assert first_misfit(pa.array(["1", "2"]), Kind.INT) is None
