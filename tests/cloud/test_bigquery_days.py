"""Days in queries and in the names of tables, on a stand-in for BigQuery."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beam_taxi.dates import DateSettings
from beam_taxi.errors import MissingDays
from beam_taxi.settings import Settings
from beam_taxi.sources.bigquery.opening import check_query, open_query
from beam_taxi.sources.days import find_days
from beam_taxi.sources.plan import plan_input
from tests.cloud.bigquery_service import TABLES, TRIPS, Tables, serving

QUERY = "SELECT * FROM d.trips WHERE day = @date"
WINDOW = "SELECT * FROM d.trips WHERE day BETWEEN @window_start AND @date"
DAYS = ("20260101", "20251231")


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    known = Tables({**TABLES, **{f"projects/data/datasets/d/tables/trips_{day}": TRIPS for day in DAYS}})
    with serving(known) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield known


def settings_of(query: str | None, *dates: object, pattern: str = "") -> Settings:
    inputs = (pattern,) if pattern else ()
    return Settings(inputs, "/out/r", "r", query=query, project="payer", dates=DateSettings(*dates))  # type: ignore[arg-type]


PARAMETERS = {
    "no date": ("SELECT * FROM d.trips", (), {}),
    "a day": (QUERY, ("2026-01-01",), {"date": "2026-01-01"}),
    "a window": (WINDOW, ("2026-01-01", 7), {"date": "2026-01-01", "window_start": "2025-12-26"}),
}


@pytest.mark.parametrize(("query", "dates", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_queries_get_the_days_that_they_name(
    tables: Tables, query: str, dates: tuple[object, ...], expected: dict[str, str]
):
    settings = settings_of(query, *dates)
    open_query(check_query(query, settings), settings, {})
    assert tables.parameters == [expected, expected]


def test_the_same_query_of_another_day_has_other_rows(tables: Tables):
    first, second, again = (check_query(QUERY, settings_of(QUERY, f"2026-01-0{day}")) for day in (1, 2, 1))
    assert (first.uri, first.identity) == (again.uri, again.identity)
    assert first.uri != second.uri
    assert None is not first.identity != second.identity


def test_tables_of_days(tables: Tables):
    settings = settings_of(None, "2026-01-01", 2, pattern="bq://data.d.trips_{YYYY}{MM}{DD}")
    assert [one.info.uri for one in plan_input(settings, {}).sources] == [
        f"bq://data.d.trips_{day}" for day in DAYS[::-1]
    ]


def test_a_table_that_is_missing_costs_nothing(tables: Tables):
    settings = settings_of(QUERY, "2026-01-02", pattern="bq://data.d.trips_{YYYY}{MM}{DD}")
    with pytest.raises(MissingDays, match="no file for 2026-01-02"):
        find_days(settings)
    assert tables.parameters == []
