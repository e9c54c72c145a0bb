"""Limits that are learned from earlier runs."""

from __future__ import annotations

import pytest

from beam_taxi.run.validation import PASSED, WARNED
from beam_taxi.validation.drift import compare
from beam_taxi.validation.limits import MINIMUM_EFFECTS, Limit, Limits, limits_from_history
from tests.validation.tables import Statistics, random, statistics

ROWS = 1000
MONDAY, SUNDAY = 0, 6


def run(mean: float, seed: int) -> Statistics:
    """Return the statistics of a run in which `x` has a mean and `y` never changes."""
    return statistics({"x": random(seed).normal(mean, 1, ROWS), "y": random(seed + 100).normal(0, 1, ROWS)})


RESTLESS = [run(mean, i) for i, mean in enumerate((0, 0.6, 0.1, 0.9, 0.3, 0.5))]
CALM = [run(0, 50 + i) for i in range(5)]


def test_fewer_than_five_runs_keep_the_declared_limits():
    assert limits_from_history([(MONDAY, one) for one in RESTLESS[:4]], MONDAY) == Limits()
    assert Limits().of("x", "ks") == Limit(MINIMUM_EFFECTS["ks"])


def test_a_feature_that_always_moves_gets_a_wider_limit_and_the_text_says_why():
    limits = limits_from_history([(day, one) for day, one in enumerate(RESTLESS)], SUNDAY)
    assert limits.of("x", "mean").value > 0.6
    assert (limits.of("y", "mean").value, limits.of("y", "mean").runs) == (pytest.approx(0.2, abs=0.1), 6)
    assert limits.of("unseen", "mean") == Limit(0.2)
    now = run(0.5, 99)
    assert [one.outcome for one in compare(now, RESTLESS[0])] == [PASSED, WARNED, PASSED]
    results = compare(now, RESTLESS[0], limits)
    assert [one.outcome for one in results] == [PASSED, PASSED, PASSED]
    assert "from 6 earlier runs, chance" in results[1].text
    assert results[1].evidence["limit_runs"] == 6


def test_one_odd_run_does_not_widen_the_limit():
    odd = [*CALM, run(50, 1), CALM[0], CALM[1]]
    limits = limits_from_history([(MONDAY, one) for one in odd], MONDAY)
    assert limits.of("x", "mean").value < 0.5


@pytest.mark.parametrize(("weekday", "wide"), [(MONDAY, False), (SUNDAY, True)], ids=["monday", "sunday"])
def test_runs_of_the_same_weekday_are_preferred(weekday: int, wide: bool):
    history = [*((MONDAY, one) for one in CALM), *((SUNDAY, one) for one in RESTLESS)]
    limit = limits_from_history(history, weekday).of("x", "mean")
    assert (limit.value > 0.6) == wide
    assert limit.origin == f" from {6 if wide else 5} earlier runs on the same weekday"


def test_the_number_of_rows_is_learned():
    history = [(MONDAY, Statistics(num_examples=rows)) for rows in (100_000, 800_000, 90_000, 700_000, 400_000)]
    assert limits_from_history(history, MONDAY).of("", "rows").value > 2
    assert compare(history[0][1], history[1][1], limits_from_history(history, MONDAY))[0].outcome == PASSED
    assert compare(history[0][1], history[1][1])[0].outcome == WARNED


def test_a_feature_that_is_new_in_every_run_is_as_usual():
    runs = [statistics({"day": [f"2026-01-{day:02}"] * 100}) for day in range(1, 8)]
    limits = limits_from_history([(MONDAY, one) for one in runs[:-1]], MONDAY)
    assert [one.outcome for one in compare(runs[-1], runs[-2])] == [PASSED, WARNED]
    assert [one.outcome for one in compare(runs[-1], runs[-2], limits)] == [PASSED, PASSED]
