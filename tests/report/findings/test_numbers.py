"""Findings in columns of numbers, by tables of columns that have one and of columns that nearly have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from beam_taxi.report.findings.find import find
from beam_taxi.report.findings.finding import Finding
from tests.report.findings.profiles import of_one

RNG = np.random.default_rng(11)
N = 5000
FARE = np.round(RNG.lognormal(2.1, 0.7, N), 2)
AGE = np.clip(np.round(RNG.normal(45, 12, N)), 18, 90).astype(int)
COUNT = RNG.poisson(2, N)
NORMAL = RNG.normal(size=N)
DAYS = RNG.integers(1_380_000_000, 1_450_000_000, N)
LATITUDE = RNG.normal(41.9, 0.05, N)
LONGITUDE = RNG.normal(-87.6, 0.05, N)
WIDE = RNG.uniform(-170, 170, N)
ROW = np.arange(N)


def planted(values: np.ndarray, value: float, count: int = 1) -> np.ndarray:
    """Return the values with a value in the first rows."""
    return np.where(np.arange(len(values)) < count, values.dtype.type(value), values)


def kinds(cells: Any, *others: Any, name: str = "x", label: bool = False) -> dict[str, Finding]:
    return {one.kind: one for one in find(of_one(cells, *others, name=name, label=label))}


OUTLIERS: dict[str, tuple[Any, float, int]] = {
    "a fare in other units": (planted(FARE, 123_456.7), 123_456.7, 1),
    "several": (planted(planted(FARE, 90_000.5, 9), 80_000.5, 5), 90_000.5, 9),
    "an age": (planted(AGE, 350), 350, 1),
    "a negative fare": (planted(FARE, -75.5), -75.5, 1),
    "a count": (planted(COUNT, 250), 250, 1),
    "normal": (planted(NORMAL, -40), -40, 1),
    "a time in milliseconds": (planted(DAYS, 1_400_000_000_000), 1_400_000_000_000, 1),
    "a few rows": (planted(AGE[:100], 4000), 4000, 1),
    "an infinite value does not matter": (planted(planted(FARE, 70_000.5, 2), np.inf), 70_000.5, 1),
    "a negative coordinate": (planted(LATITUDE, -41.9), -41.9, 1),
}
NO_OUTLIERS: dict[str, Any] = {
    "the heavy tail of incomes": RNG.lognormal(10, 1.5, N),
    "a heavier tail": RNG.pareto(2.5, N) * 100,
    "the largest of the same kind": planted(FARE, 150.0),
    "two groups": np.where(ROW < 250, RNG.normal(100, 1, N), RNG.normal(10, 1, N)),
    "few values": planted(AGE[:30], 4000),
    "places that recur": RNG.choice(
        [41.7, 41.75, 41.786, 41.787, 41.9, 41.95, 41.98], N, p=[0.0004, 0.0006, 0.01, 0.05, 0.739, 0.1, 0.1]
    ),
    "rare events": planted(np.zeros(N, int), 1, 3),
    "amounts that are mostly 0": np.where(RNG.random(N) < 0.97, 0, RNG.lognormal(1, 1, N)),
}


@pytest.mark.parametrize(("cells", "extreme", "count"), OUTLIERS.values(), ids=OUTLIERS)
def test_outliers(cells: Any, extreme: float, count: int):
    found = kinds(cells)["outliers"]
    assert found.evidence["extreme"] == pytest.approx(extreme)
    assert found.severity == "warning"
    assert found.evidence["count"] == count or not found.evidence["count_is_exact"]
    assert "99%" in found.text


@pytest.mark.parametrize("cells", NO_OUTLIERS.values(), ids=NO_OUTLIERS)
def test_no_outliers(cells: Any):
    assert "outliers" not in kinds(cells)


SENTINELS: dict[str, tuple[str, Any, float, int]] = {
    "-1 of ages": ("age", planted(AGE, -1, 60), -1, 60),
    "-1 of ages once": ("age", planted(AGE, -1), -1, 1),
    "-1 of positive amounts": ("fare", planted(FARE, -1, 60), -1, 60),
    "-1 among counts, far more frequent": ("children", planted(COUNT, -1, 4000), -1, 4000),
    "-999": ("fare", planted(FARE, -999, 3), -999, 3),
    "-99 once": ("age", planted(AGE, -99), -99, 1),
    "-9999 in half of the rows": ("fare", planted(FARE, -9999, N // 2), -9999, N // 2),
    "-9 below counts, which have zeros": ("children", planted(COUNT, -9, 20), -9, 20),
    "-999 below amounts that are mostly 0": ("tips", planted(np.where(ROW % 5, 0.0, FARE), -999, 9), -999, 9),
    "999 years": ("age", planted(AGE, 999, 30), 999, 30),
    "9999.9": ("pressure", planted(NORMAL + 1000, 9999.9, 30), 9999.9, 30),
    "99999": ("fare", planted(FARE, 99999, 2), 99999, 2),
    "the largest integer": ("age", planted(AGE, 2**31 - 1, 4), 2**31 - 1, 4),
    "0 as a latitude": ("pickup_latitude", planted(LATITUDE, 0, 7), 0, 7),
    "0 as a longitude": ("lon", planted(LONGITUDE, 0), 0, 1),
    "0 as a coordinate of the world": ("longitude", planted(WIDE, 0, 40), 0, 40),
    "1970": ("created", planted(DAYS, 0, 8), 0, 8),
    "1900": ("created", planted(DAYS, -2208988800, 8), -2208988800, 8),
    "9999-12-31": ("ended", planted(DAYS, 253402300799, 8), 253402300799, 8),
    "1970 in milliseconds": ("created", planted(DAYS * 1000, 0, 8), 0, 8),
}
NO_SENTINELS: dict[str, tuple[str, Any]] = {
    "an honest 999": ("price", RNG.integers(0, 2000, N)),
    "999 is the end of a range": ("number", RNG.integers(0, 1000, N)),
    "999 is frequent in a range": ("price", planted(RNG.integers(0, 2000, N), 999, 100)),
    "three values": ("direction", RNG.integers(-1, 2, N)),
    "differences": ("goals", RNG.poisson(2, N) - RNG.poisson(2, N)),
    "a smooth slope down to -1": ("x", np.maximum(np.round(RNG.normal(4, 1.4, N)), -1).astype(int)),
    "zeros of counts": ("children", COUNT),
    "zeros of amounts": ("tips", np.where(RNG.random(N) < 0.4, 0, FARE)),
    "the equator": ("lat", WIDE),
    "hours": ("hour", RNG.integers(0, 24, N)),
    "ages up to 99": ("age", np.minimum(AGE + RNG.integers(0, 20, N), 99)),
    "99 of percentages": ("percent", RNG.integers(0, 101, N)),
    "a flag": ("flag", ROW % 2),
    "a label of -1 and 1": ("x", np.where(ROW % 2, 1, -1)),
}


@pytest.mark.parametrize(("name", "cells", "value", "count"), SENTINELS.values(), ids=SENTINELS)
def test_sentinels(name: str, cells: Any, value: float, count: int):
    found = kinds(cells, name=name)
    assert found["sentinel"].evidence["value"] == pytest.approx(value)
    assert found["sentinel"].evidence["count"] == count or not found["sentinel"].evidence["count_is_exact"]
    assert found["sentinel"].severity == "warning"
    assert not {"outliers", "skewed"} & set(found)


@pytest.mark.parametrize(("name", "cells"), NO_SENTINELS.values(), ids=NO_SENTINELS)
def test_no_sentinels(name: str, cells: Any):
    assert [one for one in kinds(cells, name=name).values() if one.kind == "sentinel"] == []


def test_several_sentinels_are_told_one_by_one():
    cells = planted(planted(planted(AGE, 999, 40), -999, 25), -1, 10)
    found = [one for one in find(of_one(cells, name="age")) if one.kind == "sentinel"]
    assert {one.evidence["value"]: one.evidence["count"] for one in found} == {999: 15, -999: 15, -1: 10}


def test_sentinel_as_text():
    (one,) = find(of_one(planted(AGE, -999, 12), name="age"))
    assert one.text == (
        "age: -999 occurs 12 times, far from the other values, whose median is 45, and may stand for a missing value"
    )
    (one,) = find(of_one(planted(FARE, -999, 3), name="fare"))
    assert one.text.startswith("fare: -999 occurs at least once, far from the other values")
    (one,) = find(of_one(planted(DAYS, 0, 2), name="created"))
    assert one.text.startswith("created: 0 (1970-01-01) occurs 2 times, ")


OTHERS: dict[str, tuple[Any, Sequence[str]]] = {
    "NaN": (planted(NORMAL, np.nan), ["nan"]),
    "infinite": (planted(NORMAL, -np.inf, 3), ["nan"]),
    "nothing but NaN": (np.full(N, np.nan), ["nan"]),
    "skewed": (RNG.lognormal(0, 2, N), ["skewed"]),
    "not skewed enough": (FARE, []),
    "mostly zeros": (np.where(RNG.random(N) < 0.7, 0, NORMAL), ["many_zeros"]),
    "a rare flag": ((RNG.random(N) < 0.02).astype(int), []),
    "fewer zeros": (np.where(RNG.random(N) < 0.3, 0, NORMAL), []),
    "a normal column": (NORMAL, []),
}


@pytest.mark.parametrize(("cells", "expected"), OTHERS.values(), ids=OTHERS)
def test_others(cells: Any, expected: Sequence[str]):
    assert list(kinds(cells)) == expected


def test_splits_are_told_in_one_finding():
    (one,) = find(of_one(planted(AGE, 50_000), planted(AGE, 60_000, 2), AGE, name="age"))
    assert one.kind == "outliers"
    assert one.splits == ("train", "eval")
    assert one.text.startswith("age: 2 values are far above the rest, up to 60,000 (99% are at most 74)")
    assert one.text.endswith(" (in eval; 50,000 in train)")
    assert one.evidence["split"] == "eval"
