"""How two samples of a column differ, by tables of cases."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from beam_taxi.report.comparison import Column, compare
from tests.report.make import feature_profile

SOURCE = random.Random(1)
NORMAL = [SOURCE.gauss(0, 1) for _ in range(4000)]


def column(label: str, cells: Sequence[Any] | None) -> Column:
    return Column(label, 100 if cells is None else len(cells), None if cells is None else feature_profile(cells))


def test_the_distance_of_numbers_is_that_of_their_values():
    one, two = [1] * 50 + [2] * 50, [1] * 20 + [3] * 80
    found = compare("train → eval", column("train", one), column("eval", two), 0.001)
    assert found is not None
    assert found.distance is not None
    assert (found.distance.method, found.distance.value) == ("KS", pytest.approx(0.8))
    assert found.exceeds


@pytest.mark.parametrize("seed", range(20))
def test_samples_of_one_distribution_stay_below_the_noise(seed: int):
    source = random.Random(seed)
    for draw in (lambda: source.lognormvariate(0, 1), lambda: source.choice("abcde"), lambda: source.randrange(8)):
        found = compare(
            "", column("a", [draw() for _ in range(4000)]), column("b", [draw() for _ in range(2000)]), 1e-3
        )
        assert found is not None
        assert found.distance is not None
        assert not found.exceeds


def test_bins_give_a_distance_no_greater_than_that_of_the_values():
    one, two = NORMAL, [value + 0.25 for value in NORMAL]
    found = compare("", column("a", one), column("b", two), 0.001)
    assert found is not None
    assert found.distance is not None
    assert 0.08 < found.distance.value <= 0.11
    assert found.exceeds


WORDS: dict[str, tuple[Sequence[Any] | None, Sequence[Any] | None, str]] = {
    "median": ([1.0 * x for x in range(100)], [x + 50.0 for x in range(100)], "median 49 → 99"),
    "mean": ([0] * 60 + [1] * 40 + [2], [0] * 60 + [1] * 10 + [9] * 30, "mean 0.41584 → 2.8"),
    "share of a value": (["a"] * 60 + ["b"] * 40, ["a"] * 20 + ["b"] * 80, "“b” 40.0% → 80.0%"),
    "share of a flag": ([0] * 90 + [1] * 10, [0] * 50 + [1] * 50, "“1” 10.0% → 50.0%"),
    "a value with a space": (["a "] * 90, ["a"] * 90, "“a␣” 100% → 0%"),
    "missing": ([1.0] * 100, [1.0] * 50 + [None] * 50, "missing 0% → 50.0%"),
    "no values": ([1.0] * 100, [None] * 100, "missing 0% → 100%"),
    "type": ([1] * 100, ["a"] * 100, "type INT → STRING"),
    "added": (None, [1] * 100, "added"),
    "removed": ([1] * 100, None, "removed"),
}


@pytest.mark.parametrize(("before", "now", "words"), WORDS.values(), ids=WORDS)
def test_words(before: Sequence[Any] | None, now: Sequence[Any] | None, words: str):
    found = compare("", column("a", before), column("b", now), 0.001)
    assert found is not None
    assert found.words == words


def test_a_value_that_only_one_sample_lists_is_not_compared():
    many = [f"word {i}" for i in range(3000)]
    found = compare("", column("a", many), column("b", [*many[:1500], *(f"other {i}" for i in range(1500))]), 0.001)
    assert found is not None
    assert not found.exceeds


def test_a_limit_decides_where_there_is_one():
    one, two = column("a", ["a"] * 600 + ["b"] * 400), column("b", ["a"] * 400)
    for limit, exceeds in ((None, True), (0.5, False), (0.3, True)):
        found = compare("", one, two, 0.001, limit)
        assert found is not None
        assert found.distance is not None
        assert (found.distance.value, found.exceeds) == (pytest.approx(0.4), exceeds)


def test_another_type_is_a_difference():
    found = compare("", column("a", [1] * 100), column("b", [1.0] * 100), 0.001)
    assert found is not None
    assert (found.words, found.exceeds) == ("type INT → FLOAT", True)


def test_without_rows_nothing_is_compared():
    assert compare("", Column("a", 0, None), column("b", [1]), 0.001) is None
