"""Bins of numbers, and the percentiles and histograms that they give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_taxi.run.profile import Tail
from beam_taxi.statistics.profile.bins import EMPTY, Bins
from beam_taxi.statistics.profile.shape import MOST_BARS, histogram, percentiles

LIMIT = 64
random = np.random.default_rng(3)
COLUMNS = {
    "one value": np.full(5, 7),
    "zero": np.zeros(3),
    "both zeros": np.array([0.0, -0.0, 0.0]),
    "few integers": random.integers(0, 40, 3000),
    "ids": random.integers(0, 2**40, 5000),
    "extreme integers": np.array([-(2**63), 2**63 - 1, 2**53 + 1, 2**53, 0, -(2**53) - 1, 2**63 - 2] * 20),
    "many extreme integers": 2**63 - 1 - random.integers(0, 2**20, 500),
    "uniform": random.random(4000),
    "normal": random.normal(0, 1e-3, 4000),
    "log-normal": random.lognormal(0, 4, 4000),
    "signed log-normal": random.lognormal(0, 4, 4000) * random.choice([-1, 1], 4000),
    "an outlier": np.append(random.normal(10, 1, 4000), 1e9),
    "mostly zeros": np.where(random.random(4000) < 0.995, 0.0, random.random(4000) * 1000),
    "largest floats": np.array([np.finfo(np.float32).max, -np.finfo(np.float32).max] * 3, np.float64),
    "tiny floats": np.array([1e-45, 2e-45, 5e-324, 1.0]),
    "far from zero": 1_388_534_400 + random.integers(0, 86_400, 4000),
    "coordinates": -87.6 + np.round(random.normal(0, 0.1, 4000), 6),
}


def merge_all(parts: Sequence[Bins], limit: int) -> Bins:
    return reduce(lambda merged, part: merged.merged(part, limit), parts, EMPTY)


def bins_of(values: np.ndarray, limit: int = LIMIT, parts: int = 4) -> Bins:
    found = [np.unique(part, return_counts=True) for part in np.array_split(values, parts)]
    return merge_all([Bins.of(*one) for one in found], limit)


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_percentiles_are_of_nearest_rank_within_their_error(values: np.ndarray):
    in_order = sorted(values.tolist())
    for percent, found in percentiles(bins_of(values)).items():
        rank = max(1, math.ceil(Fraction(int(percent) * len(values), 100)))
        first = 1 + sum(value < found.value for value in in_order)
        last = sum(value <= found.value for value in in_order)
        # A value that is in the data, whose ranks are near enough to the wanted one.
        assert last >= first
        assert max(first - rank, rank - last, 0) <= found.rank_error * len(values)
    exact = percentiles(bins_of(values, limit=len(values)))
    assert {key: one.value for key, one in exact.items()} == {
        key: in_order[max(1, math.ceil(Fraction(int(key) * len(values), 100))) - 1] for key in exact
    }


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_every_bar_is_the_count_of_its_range(values: np.ndarray):
    found = histogram(bins_of(values), is_whole=values.dtype == np.int64)
    numbers = [Fraction(value) for value in values.tolist()]
    low, width = Fraction(found.low), Fraction(found.width)
    assert len(found.counts) <= MOST_BARS + 1
    for bar, count in enumerate(found.counts):
        assert count == sum(low + bar * width <= value < low + (bar + 1) * width for value in numbers)
    assert sum(found.counts) + sum(tail.count for tail in (found.below, found.above) if tail) == len(values)
    below = [value for value in values.tolist() if value < found.low]
    assert found.below == (Tail(len(below), min(below)) if below else None)
    above = [value for value in values.tolist() if Fraction(value) >= low + len(found.counts) * width]
    assert found.above == (Tail(len(above), max(above)) if above else None)


numbers = st.one_of(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=300),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=300),
)


@given(numbers, st.integers(1, 5), st.integers(2, 50), st.randoms())
@settings(deadline=None)
def test_the_order_of_the_data_does_not_matter(values: list[float], parts: int, limit: int, shuffled):
    whole = bins_of(np.array(values), limit, 1)
    shuffled.shuffle(values)
    found = bins_of(np.array(values), limit, parts)
    assert found.shift == whole.shift
    for name in ("keys", "counts", "lows", "highs"):
        assert getattr(found, name).tolist() == getattr(whole, name).tolist()
    assert len(found.keys) <= limit
    assert found.total == len(values)
    assert (found.lows <= found.highs).all()


def test_no_values_are_no_bins():
    assert EMPTY.total == 0
    assert merge_all([EMPTY, EMPTY], LIMIT).total == 0
