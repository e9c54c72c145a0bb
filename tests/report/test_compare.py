"""The comparison of reports: what it plants, and what it takes for a report that names it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from selenium.webdriver import Chrome

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "report"))

import faults
import screen
import tables

ROWS = 600


@pytest.fixture(scope="module", params=[one.name for one in tables.TABLES])
def planted(request: pytest.FixtureRequest) -> tuple[list[faults.Fault], pd.DataFrame, pd.DataFrame]:
    """Return the faults of a table, and the table without and with them."""
    (table,) = (one for one in tables.TABLES if one.name == request.param)
    clean = table.make(ROWS, 1)
    faulty = faults.planted(table.name, clean, 1, {f"B{number:03d}" for number in range(130)})
    return [one for one in faults.FAULTS if one.table == table.name], clean, faulty


def test_ten_faults_for_each_table():
    assert Counter(one.table for one in faults.FAULTS) == {one.name: 10 for one in tables.TABLES}
    assert len({one.name for one in faults.FAULTS}) == 30


def test_the_columns_of_a_fault_differ_from_those_of_the_clean_table(planted):
    found, clean, faulty = planted
    assert len(faulty) == len(clean) == ROWS
    for fault in found:
        for column in fault.columns:
            # A copy and a column that gives the label away are faults together with one that was there before.
            is_new = column not in clean
            assert is_new or len(fault.columns) > 1 or not faulty[column].equals(clean[column]), fault.name
    assert any(one.name == "duplicate rows" for one in found) == bool(faulty.duplicated().any())


def test_a_table_is_the_same_each_time(planted):
    found, clean, _ = planted
    (table,) = (one for one in tables.TABLES if one.name == found[0].table)
    assert table.make(ROWS, 1).equals(clean)
    assert not table.make(ROWS, 2).equals(clean)


BY_NAME = {one.name: one for one in faults.FAULTS}
TEXTS = {
    "a sentence": ("outliers", "fare is highly skewed", True),
    "another column": ("outliers", "fare_charged is highly skewed", False),
    "another fault": ("outliers", "fare is constant", False),
    "a header": ("outliers", "outliers fare tips tolls extras", False),
    "one of two columns": ("copy", "fare is equal to tips", False),
    "two columns": ("copy", "fare_charged is a copy of fare", True),
    "a correlation": ("copy", "fare fare_charged 1.00 0.99", True),
    "a number that is part of another": ("copy", "fare fare_charged 0.14", False),
    "rows": ("duplicate rows", "Duplicate rows 60", True),
    "no rows": ("duplicate rows", "Duplicate rows 0", False),
    "a type": ("currency in numbers", "extras Text", False),
    "share of values": ("id", "customer 0 (0.0%) 20,000 (100.0%)", True),
}


@pytest.mark.parametrize(("fault", "text", "expected"), TEXTS.values(), ids=TEXTS)
def test_a_text_names_a_fault(fault: str, text: str, expected: bool):
    columns = ["fare", "tips", "tolls", "extras", "fare_charged", "customer"]
    assert BY_NAME[fault].is_named_by(text, columns) is expected


PAGE = """<!doctype html><body><p>seen <b>at once</b></p><p style="display: none">in a tab</p>
<div style="overflow: hidden; height: 20px"><p style="margin-top: 60px">clipped</p></div>
<div id="host"></div><svg><style>p{}</style><text y="20">drawn</text></svg><template><p>kept</p></template>
<p style="margin-top: 2000px">far below</p><script>
document.getElementById('host').attachShadow({mode: 'open'}).innerHTML = '<p>in a shadow</p>';</script>"""


def test_texts_on_the_first_screen_and_anywhere(browser: Chrome, tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text(PAGE)
    first, whole = screen.texts(browser, page)
    seen = {"seen at once", "at once", "drawn", "in a shadow"}
    assert seen <= {*first}
    assert seen <= {*whole}
    hidden = {"in a tab", "clipped", "kept", "far below"}
    assert hidden <= {*whole}
    assert not hidden & {*first}
    assert not any("p{}" in text for text in whole)
