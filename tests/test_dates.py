"""Days, windows and placeholders, without any files."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from beam_taxi.dates import DateSettings, fill, parameters_of, parse_date
from beam_taxi.errors import UsageError
from beam_taxi.launch.command import new_run_id, parse
from beam_taxi.settings import Settings

DAY = date(2026, 11, 24)
SPAN = 20781

WINDOWS = {
    "a day": ("2026-11-24", 1, ["2026-11-24"], SPAN),
    "a leap year": ("2024-03-01", 3, ["2024-02-28", "2024-02-29", "2024-03-01"], 19783),
    "not a leap year": ("2023-03-01", 2, ["2023-02-28", "2023-03-01"], 19417),
    "the end of a year": ("2027-01-01", 2, ["2026-12-31", "2027-01-01"], 20819),
    "the first day": ("1970-01-01", 1, ["1970-01-01"], 0),
}


@pytest.mark.parametrize(("day", "window", "days", "span"), WINDOWS.values(), ids=WINDOWS)
def test_windows(day: str, window: int, days: list[str], span: int):
    settings = DateSettings(day, window)
    assert [one.isoformat() for one in settings.days] == days
    assert settings.span == span


def test_without_a_date_there_are_no_days():
    assert (DateSettings().days, DateSettings().span) == ((), None)


@pytest.mark.parametrize("text", ["2026-02-29", "2026-13-01", "20261124", "24.11.2026", "1969-12-31", "tomorrow", ""])
def test_wrong_dates(text: str):
    with pytest.raises(ValueError, match="must be a day from 1970-01-01 on as YYYY-MM-DD, or today or yesterday"):
        parse_date(text)


def test_words_for_days_are_in_utc():
    before = datetime.now(timezone.utc).date()
    found = parse_date("today"), parse_date("yesterday")
    days = {before, datetime.now(timezone.utc).date()}
    assert found in {(day.isoformat(), (day - timedelta(days=1)).isoformat()) for day in days}


FILLED = {
    "a date": ("d={YYYY}-{MM}-{DD}/*.csv", "d=2026-11-24/*.csv"),
    "twice": ("{YYYY}/{MM}/{DD}/x-{YYYY}{MM}{DD}.csv", "2026/11/24/x-20261124.csv"),
    "a span": ("span-{SPAN}/*", "span-20781/*"),
    "a width": ("span-{SPAN:8}/*", "span-00020781/*"),
    "a version stays": ("{SPAN}/v{VERSION:2}/*", "20781/v{VERSION:2}/*"),
    "a table": ("bq://p.d.trips_{YYYY}{MM}{DD}", "bq://p.d.trips_20261124"),
    "other braces": ("{a,b}/{YYYY}{MM}{DD}", "{a,b}/20261124"),
}


@pytest.mark.parametrize(("pattern", "filled"), FILLED.values(), ids=FILLED)
def test_filled_patterns(pattern: str, filled: str):
    assert fill(pattern, DAY) == filled


PARAMETERS = {
    "date": ("SELECT * FROM t WHERE day = @date", ["date"]),
    "window": ("… BETWEEN @Window_Start AND @DATE", ["date", "window_start"]),
    "a text": ("SELECT 'a@date', \"@date\", '''it's @date'''", []),
    "a comment": ("SELECT 1 -- @date\n # @date\n /* @date */", []),
    "a name": ("SELECT `@date` FROM `x@date`", []),
    "a system variable": ("SELECT @@date", []),
    "a longer name": ("SELECT @date_of_birth", []),
    "after a text": (r"SELECT 'it\'s', @date", ["date"]),
}


@pytest.mark.parametrize(("query", "names"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_of_a_query(query: str, names: list[str]):
    assert parameters_of(query) == names


DATED, SPANNED = "d/{YYYY}-{MM}-{DD}/*.csv", "d/{SPAN}/*.csv"
BOTH = "SELECT * FROM t WHERE day BETWEEN @window_start AND @date"
FAULTS = {
    "no date": ([DATED], None, {}, f"--input {DATED}: its placeholders require --date"),
    "no date for a query": ([], "SELECT @date", {}, "--query: @date requires --date"),
    "a window without a date": (["a.csv"], None, {"window": 7}, "--window requires --date"),
    "missing days without a date": (["a.csv"], None, {"allow_missing": 1}, "--allow_missing requires --date"),
    "no placeholder": (["a.csv"], None, {"date": "2026-11-24"}, "--date 2026-11-24: no --input has {YYYY}, {MM} and"),
    "not a day": ([DATED], None, {"date": "2026-02-30"}, "--date '2026-02-30': must be a day"),
    "no window": ([DATED], None, {"date": "2026-11-24", "window": 0}, "--window 0: must be between 1 and 3660"),
    "too early": ([DATED], None, {"date": "1970-01-02", "window": 3}, "--window 3: begins before 1970-01-01"),
    "all missing": (
        [DATED],
        None,
        {"date": "2026-11-24", "allow_missing": 1},
        "--allow_missing 1: must be less than --window 1",
    ),
    "missing rows": (
        [],
        BOTH,
        {"date": "2026-11-24", "window": 2, "allow_missing": 1},
        "--allow_missing: no --input has the placeholders of a day",
    ),
    "one day of a window": (
        [DATED],
        "SELECT @date",
        {"date": "2026-11-24", "window": 7},
        "--window 7: --query must also name @window_start",
    ),
    "a year alone": (["d/{YYYY}/*.csv"], None, {"date": "2026-11-24"}, "has no {MM} and no {DD}; a day needs"),
    "a span and a date": (["{SPAN}/{YYYY}{MM}{DD}"], None, {"date": "2026-11-24"}, "which exclude each other"),
    "a version alone": (["v{VERSION}"], None, {"date": "2026-11-24"}, "{VERSION} requires {SPAN}, or {YYYY},"),
    "two versions": (["{SPAN}/{VERSION}/{VERSION}"], None, {"date": "2026-11-24"}, "has {VERSION} more than once"),
    "a width of a year": (["{YYYY:2}{MM}{DD}"], None, {"date": "2026-11-24"}, "{YYYY:2}: has no width"),
    "a width of nothing": (["{SPAN:0}"], None, {"date": "2026-11-24"}, "{SPAN:0}: the width must be between 1 and 99"),
    "a width of letters": (["{SPAN:x}"], None, {"date": "2026-11-24"}, "{SPAN:x}: the width must be between 1 and 99"),
    "a narrow span": (["{SPAN:3}"], None, {"date": "2026-11-24"}, "span 20781 has more than 3 digits"),
}


@pytest.mark.parametrize(("inputs", "query", "dates", "message"), FAULTS.values(), ids=FAULTS)
def test_refused_settings(inputs: list[str], query: str | None, dates: dict[str, object], message: str):
    with pytest.raises(UsageError) as error:
        Settings(tuple(inputs), "/out/r", "r", query=query, dates=DateSettings(**dates))  # type: ignore[arg-type]
    assert message in str(error.value)
    assert "; --" not in str(error.value)


def test_settings_keep_the_pattern_and_the_day_that_a_word_meant():
    settings = parse(["--input", DATED, "--output", "out", "--date", "yesterday", "--window", "7"]).settings
    assert settings.input == (DATED,)
    assert settings.dates.window == 7
    assert settings.dates.date is not None
    assert settings.run_id.startswith(f"{date.fromisoformat(settings.dates.date)}-")


def test_run_ids_differ():
    assert len({new_run_id("2026-11-24") for _ in range(9)}) == 9
