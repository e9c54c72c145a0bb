"""Critical values against the literature and against simulation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from beam_taxi.statistics.distribution import Bucket, Distribution
from beam_taxi.validation import chance
from beam_taxi.validation.tail import farthest

KNOWN: dict[str, tuple[float, float]] = {
    "Kolmogorov-Smirnov, 5%, 100 and 100": (chance.kolmogorov_smirnov(0.05, 100, 100), 1.358 * 0.02**0.5),
    "Student's t, 1%, 19 degrees": (chance.mean(0.01, 1, 20, 20), 2.861 * 0.1**0.5),
    "Student's t, 0.001%, 19 degrees": (chance.mean(0.00001, 1, 20, 1e12), 5.97 * 0.05**0.5),
    "ten of ten in one sample": (chance.one_sided(0.5**10, 100, 100), 10),
    "eighteen values are too few": (chance.mean(0.01, 1, 18, 100), float("inf")),
    "a sample of values seen once": (chance.unseen(0.01, 100, 100), 1),
    "eight of 100 against none": (chance.share(0.01, (0.08, 0), 100, 100), 0.0792),
    "no value of two constants": (chance.share(0.01, (0, 0), 100, 100), 0.03532),
}


@pytest.mark.parametrize(("found", "expected"), KNOWN.values(), ids=KNOWN)
def test_known_values(found: float, expected: float):
    assert found == pytest.approx(expected, rel=0.02)


SIZES = [(50, 50), (50, 2000), (2000, 50)]
LEVEL = 0.01


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("p", [0.001, 0.02, 0.3, 0.5])
def test_shares_stay_within(p: float, n: int, m: int):
    source = np.random.default_rng(1)
    a, b = source.binomial(n, p, 5000), source.binomial(m, p, 5000)
    beyond = [abs(x / n - y / m) > chance.share(LEVEL, (x / n, y / m), n, m) for x, y in zip(a, b, strict=True)]
    assert np.mean(beyond) <= LEVEL


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("values", [2, 20, 500])
def test_total_variation_stays_within(values: int, n: int, m: int):
    source = np.random.default_rng(1)
    shares = 1 / np.arange(1, values + 1)
    shares /= shares.sum()
    a, b = source.multinomial(n, shares, 400), source.multinomial(m, shares, 400)
    distances = abs(a / n - b / m).sum(axis=1) / 2
    floors = [chance.total_variation(LEVEL, row, n, m) for row in (a + b) / (n + m)]
    assert np.mean(distances > floors) <= LEVEL


TAILS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda source, size: source.normal(size=size),
    "exponential": lambda source, size: source.exponential(size=size),
    "lognormal": lambda source, size: source.lognormal(size=size),
    "Pareto 1.5": lambda source, size: source.pareto(1.5, size) + 1,
    "uniform": lambda source, size: source.random(size),
    "small integers": lambda source, size: source.poisson(2, size).astype(float),
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
@pytest.mark.parametrize(("m", "n"), [(50, 50), (100, 3000), (3000, 3000)])
def test_values_beyond_the_range_stay_within(tail: Callable[..., np.ndarray], m: int, n: int):
    source = np.random.default_rng(1)
    beyond = 0
    for _ in range(400):
        base, now = np.sort(tail(source, m)), tail(source, n)
        cuts = base[np.linspace(0, m - 1, 51).round().astype(int)]
        distribution = Distribution(Bucket(a, b, m / 50) for a, b in pairwise(cuts))
        limit = farthest(distribution, (base[0], base[-1]), base.std(), m, n, LEVEL, upper=True)
        beyond += now.max() - base[-1] > limit
    assert beyond / 400 <= 2 * LEVEL


def test_an_outlier_is_beyond_the_tail():
    base = np.sort(np.random.default_rng(1).lognormal(2, 0.6, 100_000))
    cuts = base[np.linspace(0, len(base) - 1, 51).round().astype(int)]
    distribution = Distribution(Bucket(a, b, 2000) for a, b in pairwise(cuts))
    ends = float(base[0]), float(base[-1])
    limit = farthest(distribution, ends, float(base.std()), len(base), len(base), 1e-5, upper=True)
    assert 10 * base[-1] < ends[1] + limit < 7000
