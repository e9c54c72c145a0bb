"""Bars, ticks and dates, by tables of cases."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_taxi.report import bins, chart, dates, ticks
from beam_taxi.run.profile import FeatureProfile, Histogram, Tail, ValueCount, Values
from tests.report.make import feature_profile


def profile(low: float, width: float, counts: list[int], below: int = 0, above: int = 0) -> FeatureProfile:
    """Return a column by its histogram; what is below is -99, and what is above is 999."""
    histogram = Histogram(
        low, width, tuple(counts), Tail(below, -99) if below else None, Tail(above, 999) if above else None
    )
    count = sum(counts) + below + above
    least, most = (-99 if below else low), (999 if above else low + width * len(counts))
    return FeatureProfile("FLOAT", count, count, min=least, max=most, histogram=histogram)


MERGED = {
    "one stays as it is": ([profile(0, 1, [1, 2, 3])], 40, (0, 1), [(1, 2, 3)], [(0, 0)]),
    "too many are joined": ([profile(0, 1, [1, 2, 3, 4])], 2, (0, 2), [(3, 7)], [(0, 0)]),
    "joined bins start at multiples": ([profile(1, 1, [1, 2, 3])], 2, (0, 2), [(1, 5)], [(0, 0)]),
    "the coarser width is common": (
        [profile(0, 1, [1, 2, 3, 4]), profile(0, 2, [5, 6])],
        40,
        (0, 2),
        [(3, 7), (5, 6)],
        [(0, 0), (0, 0)],
    ),
    "the range is that of both": (
        [profile(0, 1, [1, 1]), profile(3, 1, [2])],
        40,
        (0, 1),
        [(1, 1, 0, 0), (0, 0, 0, 2)],
        [(0, 0), (0, 0)],
    ),
    "it ends where values are beyond": (
        [profile(0, 1, [1, 1], above=5), profile(0, 1, [2, 3, 4])],
        40,
        (0, 1),
        [(1, 1), (2, 3)],
        [(0, 5), (0, 4)],
    ),
    "a bin that is cut is beyond": (
        [profile(1, 1, [1, 2, 3, 4, 5], below=7, above=8)],
        2,
        (2, 2),
        [(5, 9)],
        [(8, 8)],
    ),
    "fractions": ([profile(-0.5, 0.25, [1, 2, 3, 4])], 2, (-0.5, 0.5), [(3, 7)], [(0, 0)]),
    "without values": ([profile(0, 1, [4]), None], 40, (0, 1), [(4,), (0,)], [(0, 0), (0, 0)]),
}


@pytest.mark.parametrize(("given", "most", "edges", "counts", "beyond"), MERGED.values(), ids=MERGED)
def test_merged(
    given: list[FeatureProfile | None],
    most: int,
    edges: tuple[float, float],
    counts: list[tuple[int, ...]],
    beyond: list[tuple[int, int]],
):
    found = bins.merge(given, most)
    assert found is not None
    assert (found.low, found.width) == edges
    assert list(found.counts) == counts
    ends = zip(found.below, found.above, strict=True)
    assert [tuple(0 if one is None else one.count for one in pair) for pair in ends] == beyond


def test_ranges_that_have_nothing_in_common_have_no_common_bins():
    assert bins.merge([profile(0, 1, [1], above=2), profile(100, 1, [1], below=2)]) is None
    assert bins.merge([None]) is None


NUMBERS = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=40)


@given(st.lists(NUMBERS, min_size=1, max_size=3), st.integers(2, 40))
def test_bars_are_counts_of_the_values(samples: list[list[float]], most: int):
    found = bins.merge([feature_profile(one) for one in samples], most)
    if found is None:
        return
    assert len(found.counts[0]) <= most
    for values, counts, below, above in zip(samples, found.counts, found.below, found.above, strict=True):
        edges = [found.low + i * found.width for i in range(len(counts) + 1)]
        assert list(counts) == [sum(a <= value < b for value in values) for a, b in pairwise(edges)]
        assert (below.count if below else 0) == sum(value < edges[0] for value in values)
        assert (above.count if above else 0) == sum(value >= edges[-1] for value in values)
        assert below is None or below.extreme == min(values)
        assert above is None or above.extreme == max(values)


TICKS: dict[str, tuple[float, float, list[str]]] = {
    "ones": (0, 5, ["0", "1", "2", "3", "4", "5"]),
    "tens": (3, 52, ["10", "20", "30", "40", "50"]),
    "fives": (0, 27, ["0", "5", "10", "15", "20", "25"]),
    "fractions": (41.75, 42.01, ["41.75", "41.80", "41.85", "41.90", "41.95", "42.00"]),
    "negative": (-1.5, 1, ["-1.5", "-1.0", "-0.5", "0.0", "0.5", "1.0"]),
    "long labels are fewer": (17_031_010_000, 17_031_990_000, ["17,031,500,000"]),
    "thousands": (0, 9000, ["0", "2,000", "4,000", "6,000", "8,000"]),
    "a point": (3, 3, []),
    "endless": (-1.7e308, 1.7e308, []),
}


@pytest.mark.parametrize(("low", "high", "labels"), TICKS.values(), ids=TICKS)
def test_ticks(low: float, high: float, labels: list[str]):
    found = ticks.ticks(low, high)
    assert [one.label for one in found] == labels
    assert all(0 <= one.place <= 1 for one in found)


DATE_TICKS = {
    "years": (1_356_998_400, 1_483_228_799, ["2013", "2014", "2015", "2016"]),
    "months": (1_388_534_400, 1_396_310_400, ["2014-01", "2014-02", "2014-03", "2014-04"]),
    "days": (1_388_534_400, 1_388_534_400 + 4 * 86400, [f"2014-01-0{day}" for day in range(1, 6)]),
    "hours": (1_388_534_400, 1_388_534_400 + 4 * 3600, [f"01-01 0{hour}:00" for hour in range(5)]),
    "seconds": (1_388_534_400, 1_388_534_402, ["00:00:00", "00:00:01", "00:00:02"]),
}


@pytest.mark.parametrize(("low", "high", "labels"), DATE_TICKS.values(), ids=DATE_TICKS)
def test_date_ticks(low: float, high: float, labels: list[str]):
    assert [one.label for one in ticks.date_ticks(low, high, dates.UNITS[0])] == labels


MARCH = 1_394_000_000
EPOCHS: dict[str, tuple[str, list[int], str | None]] = {
    "seconds": ("trip_start_timestamp", [MARCH + i for i in range(100)], "seconds"),
    "milliseconds": ("created_at", [1000 * MARCH + i for i in range(100)], "milliseconds"),
    "microseconds": ("event_time", [10**6 * MARCH + i for i in range(100)], "microseconds"),
    "nanoseconds": ("ts", [10**9 * MARCH + i for i in range(100)], "nanoseconds"),
    "range alone": ("x", [MARCH + 86400 * i for i in range(100)], "seconds"),
    "one odd value": ("timestamp", [0, *(MARCH + i for i in range(200))], "seconds"),
    "short range alone": ("x", [MARCH + i for i in range(100)], None),
    "an id": ("order_id", [MARCH + 86400 * i for i in range(100)], None),
    "a duration": ("trip_time", list(range(100)), None),
    "a tract": ("pickup_census_tract", [17_031_000_000 + i for i in range(100)], None),
}


@pytest.mark.parametrize(("name", "values", "unit"), EPOCHS.values(), ids=EPOCHS)
def test_epochs(name: str, values: list[int], unit: str | None):
    found = dates.epoch_unit(name, feature_profile(values))
    assert (found and found.name) == unit


DAYS = {
    "2014-03-05": 16134.0,
    "2014-03-05T12:00:00Z": 16134.5,
    "2014-03-05 12:00": 16134.5,
    "2014-13-05": None,
    "20140305": None,
    "5 March": None,
}


@pytest.mark.parametrize(("text", "days"), DAYS.items())
def test_iso_dates(text: str, days: float | None):
    assert dates.days_of(text) == days


FORMS = {
    "flag": ([0] * 98 + [1] * 2, chart.COLUMNS, [("0", 98), ("1", 2)]),
    "hours": ([*range(24)] * 3, chart.COLUMNS, [(str(hour), 3) for hour in range(24)]),
    "long numbers": ([10**9, 2 * 10**9] * 20 + [*range(10**9, 10**9 + 10)], chart.ROWS, None),
    "words": (["b", "a", "a"], chart.ROWS, [("a", 2), ("b", 1)]),
    "30 words": ([f"{i:02}" for i in range(30)], chart.ROWS, [(f"{i:02}", 1) for i in range(30)]),
    "numbers": ([x / 7 for x in range(100)], chart.HISTOGRAM, None),
    "days": (["2014-01-01", "2014-01-03", "2014-01-03"], chart.HISTOGRAM, None),
}


@pytest.mark.parametrize(("values", "form", "bars"), FORMS.values(), ids=FORMS)
def test_forms(values: list[object], form: str, bars: list[tuple[str, int]] | None):
    (found,) = chart.charts(["train"], [feature_profile(values)])
    assert found.form == form
    assert bars is None or [(bar.label, bar.counts[0]) for bar in found.bars] == bars
    assert sum(bar.counts[0] or 0 for bar in found.all_bars) == found.totals[0] == len(values)


def test_of_many_words_the_others_have_a_bar_of_their_own():
    values = [f"word {i}" for i in range(100) for _ in range(100 - i)]
    (found,) = chart.charts(["train"], [feature_profile(values)])
    assert [bar.label for bar in found.bars] == [f"word {i}" for i in range(10)]
    assert found.above is not None
    assert found.above.counts == (len(values) - sum(range(91, 101)),)


def test_the_error_of_counts_is_told():
    counts = Values((ValueCount("a", 7), ValueCount("b", 5)), exact=False, error=1200)
    (found,) = chart.charts(["train"], [FeatureProfile("STRING", 50_000, 50_000, counts=counts)])
    assert (found.note, found.exact) == ("each count is too small by 1,200 at most", False)


def test_what_is_beyond_is_a_bar_and_told():
    values = [float(i) for i in range(1000)] * 2 + [1e6, 2e6]
    (found,) = chart.charts(["train"], [feature_profile(values)])
    assert found.below is None
    assert found.above is not None
    (count,) = found.above.counts
    assert found.note == f"{count} at or above {found.above.label.removesuffix(' and above')}, max 2,000,000"
    assert sum(bar.counts[0] or 0 for bar in found.all_bars) == len(values)


def test_quartiles_are_on_the_axis():
    (found,) = chart.charts(["train"], [feature_profile([float(i) for i in range(128)])])
    assert found.quartiles == ((31 / 128, 63 / 128, 95 / 128),)


def test_samples_of_other_ranges_or_types_have_charts_of_their_own():
    cents = [float(100_000 + i) for i in range(100)] * 2
    (low, high) = ([*cents, 10.0], [1.0 * i for i in range(100)] * 2 + [1e9])
    for other in (high, ["text"]):
        found = chart.charts(["train", "eval"], [feature_profile(low), feature_profile(other)])
        assert {label for one in found for label in one.labels} == {"train", "eval"}
        for one in found:
            assert [sum(bar.counts[i] or 0 for bar in one.all_bars) for i in range(len(one.labels))] == list(one.totals)


def test_nothing_is_drawn_without_values():
    missing = feature_profile([None, None])
    assert chart.charts(["train"], [missing]) == ()
    assert chart.charts(["train", "eval"], [None, missing]) == ()
    assert chart.charts(["train"], [feature_profile([float("nan")] * 3)]) == ()
