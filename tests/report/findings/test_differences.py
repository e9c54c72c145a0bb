"""Differences between splits and from a baseline, by tables of pairs that differ and of pairs that do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from beam_taxi.report.findings.find import find
from beam_taxi.run.profile import Profile
from tests.report.findings.profiles import of_one, profile

RNG = np.random.default_rng(5)
N = 3000


def fares(median: float = 8.0, n: int = N) -> np.ndarray:
    return np.round(RNG.lognormal(np.log(median), 0.7, n), 2)


def times(start: int) -> np.ndarray:
    return start + RNG.integers(0, 10**7, N)


def flags(share: float) -> np.ndarray:
    return (RNG.random(N) < share).astype(int)


def words(*shares: float, n: int = N) -> list[str]:
    return [str(one) for one in RNG.choice([f"word {i}" for i in range(len(shares))], n, p=shares)]


def some(values: Any, share: float) -> list[Any]:
    return [None if absent else one for one, absent in zip(list(values), RNG.random(len(values)) < share, strict=True)]


DIFFERENT: dict[str, tuple[Any, Any, str, str]] = {
    "medians": (fares(), fares(8.9), "info", "x: median "),
    "medians far apart": (fares(), fares(14), "warning", "x: median "),
    "tails": (RNG.normal(size=N), np.r_[RNG.normal(size=N - 500), RNG.normal(4, 1, 500)], "warning", "in train, "),
    "integers": (RNG.poisson(4, N), RNG.poisson(5, N), "warning", "x: median 4 in train, 5 in eval"),
    "scale": (fares(), fares() * 1000, "warning", "x: median "),
    "a flag": (flags(0.02), flags(0.3), "warning", "% of the values are 1 in train, "),
    "shares": (words(0.6, 0.4), words(0.4, 0.6), "warning", "% in eval"),
    "times": (times(1_380_000_000), times(1_390_000_000), "warning", " (2013-11-"),
    "a new value": (words(0.6, 0.4), words(0.5, 0.4, 0.1), "warning", "'word 2' ("),
    "a lost value": (words(0.5, 0.4, 0.1), words(0.6, 0.4), "warning", ") is only in train"),
    "missing": (words(1.0), some(words(1.0), 0.3), "warning", "x: 0% missing in train, "),
    "constant here": ([1] * N, [2] * N, "warning", "x: 1 (3,000) is only in train; 2 (3,000) is only in eval"),
}  # fmt: skip
SAME: dict[str, tuple[Any, Any]] = {
    "numbers": (fares(), fares(n=900)),
    "hardly any rows": (fares(), fares(20, 12)),
    "integers": (RNG.poisson(4, N), RNG.poisson(4, 500)),
    "words": (words(0.6, 0.39, 0.01), words(0.6, 0.39, 0.01, n=100)),
    "rare words": (words(0.999, 0.001), words(1.0, n=300)),
    "many words": (words(*[0.001] * 1000), words(*[0.001] * 1000, n=500)),
    "missing": (some(fares(), 0.3), some(fares(n=500), 0.3)),
    "texts of each row": ([f"a{i}" for i in range(N)], [f"b{i}" for i in range(N)]),
}


@pytest.mark.parametrize(("one", "two", "severity", "text"), DIFFERENT.values(), ids=DIFFERENT)
def test_different(one: Any, two: Any, severity: str, text: str):
    (found,) = (each for each in find(of_one(one, two)) if each.kind == "split_difference")
    assert text in found.text
    assert found.severity == severity
    assert found.splits == ("train", "eval")


@pytest.mark.parametrize(("one", "two"), SAME.values(), ids=SAME)
def test_not_different(one: Any, two: Any):
    assert "split_difference" not in [each.kind for each in find(of_one(one, two))]


def test_training_data_is_compared_with_the_other_splits():
    splits = profile(eval={"x": fares()}, train={"x": fares(20)}, test={"x": fares(20)})
    (found,) = (one for one in find(splits) if one.kind == "split_difference")
    assert found.splits == ("train", "eval")


def drift(now: Profile, baseline: Profile) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.text, one.splits) for one in find(now, None, baseline) if one.kind == "drift"]


def test_baseline():
    fare, company = np.full(N, 8.05), words(0.5, 0.5)
    now = profile(train={"fare": fare + 1.26, "new": fare, "code": company, "same": company})
    then = profile(train={"fare": fare, "old": fare, "code": fare, "same": company})
    assert sorted(drift(now, then)) == [
        ("code: type FLOAT in the baseline, STRING in this run", ()),
        ("fare: 8.05 (3,000) is only in the baseline; 9.31 (3,000) is only in this run", ("train",)),
        ("new: is not in the baseline", ()),
        ("old: is only in the baseline", ()),
    ]
    assert drift(then, then) == []


def test_each_split_is_compared_with_its_namesake():
    now = profile(train={"x": fares()}, eval={"x": fares(20)})
    then = profile(train={"x": fares()}, eval={"x": fares()})
    ((text, splits),) = drift(now, then)
    assert splits == ("eval",)
    assert " in the baseline in eval, " in text
    assert " in this run" in text


def test_first_splits_are_compared_if_no_names_agree():
    assert len(drift(of_one(fares(20)), profile(train={"x": fares()}))) == 1
    assert drift(Profile(()), of_one(fares())) == []
