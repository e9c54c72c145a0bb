"""Clean data of many distributions and sizes has no finding that is an error or a warning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from beam_taxi.report.findings.find import find
from tests.report.findings.profiles import profile

Rng = np.random.Generator

PAYMENTS = ["Cash", "Credit Card", "No Charge", "Unknown", "Dispute", "Prepaid", "Mobile"]
SEASONS = ["spring", "summer", "autumn", "winter"]


def inflated(rng: Rng, n: int, values: np.ndarray, share: float) -> np.ndarray:
    """Return the values with a share of zeros."""
    return np.where(rng.random(n) < share, 0, values)


def flags(rng: Rng, n: int, share: float) -> np.ndarray:
    """Return flags of which exactly a share is 1."""
    return rng.permutation((np.arange(n) < share * n).astype(int))


CLEAN: dict[str, Callable[[Rng, int], Any]] = {
    "uniform": lambda rng, n: rng.random(n),
    "uniform integers": lambda rng, n: rng.integers(0, 100, n),
    "wide integers": lambda rng, n: rng.integers(0, 5000, n),
    "normal": lambda rng, n: rng.normal(50, 10, n),
    "standard normal": lambda rng, n: rng.normal(size=n),
    "rounded normal": lambda rng, n: np.round(rng.normal(3, 1.3, n)).astype(int),
    "log-normal": lambda rng, n: rng.lognormal(2, 0.8, n),
    "log-normal cents": lambda rng, n: np.round(rng.lognormal(2, 0.8, n), 2),
    "wide log-normal": lambda rng, n: rng.lognormal(2, 1.5, n),
    "very wide log-normal": lambda rng, n: rng.lognormal(2, 2.5, n),
    "exponential": lambda rng, n: rng.exponential(10, n),
    "gamma": lambda rng, n: rng.gamma(0.3, 10, n),
    "Weibull": lambda rng, n: rng.weibull(0.5, n),
    "Laplace": lambda rng, n: rng.laplace(size=n),
    "beta": lambda rng, n: np.round(rng.beta(0.5, 0.5, n) * 100, 1),
    "Pareto": lambda rng, n: rng.pareto(3, n),
    "rare counts": lambda rng, n: rng.poisson(0.1, n),
    "counts": lambda rng, n: rng.poisson(3, n),
    "large counts": lambda rng, n: rng.poisson(200, n),
    "geometric": lambda rng, n: rng.geometric(0.3, n),
    "negative binomial": lambda rng, n: rng.negative_binomial(1, 0.1, n),
    "differences of counts": lambda rng, n: rng.poisson(2, n) - rng.poisson(2, n),
    "zero-inflated": lambda rng, n: inflated(rng, n, rng.lognormal(1, 1, n), 0.6),
    "very zero-inflated": lambda rng, n: inflated(rng, n, rng.lognormal(1, 1, n), 0.95),
    "zeros apart": lambda rng, n: inflated(rng, n, rng.normal(200, 10, n), 0.3),
    "tips": lambda rng, n: inflated(rng, n, np.round(rng.lognormal(1, 0.5, n), 2), 0.4),
    "timestamps": lambda rng, n: rng.integers(1_380_000_000, 1_420_000_000, n),
    "recent timestamps": lambda rng, n: 1_420_000_000 - rng.exponential(1e7, n).astype(int),
    "timestamps in milliseconds": lambda rng, n: rng.integers(1_380_000_000_000, 1_420_000_000_000, n),
    "latitude": lambda rng, n: rng.normal(41.9, 0.05, n),
    "longitude": lambda rng, n: rng.normal(-87.6, 0.05, n),
    "world latitude": lambda rng, n: rng.uniform(-60, 70, n),
    "hours": lambda rng, n: rng.integers(0, 24, n),
    "rare flags": lambda rng, n: flags(rng, n, 0.02),
    "flags": lambda rng, n: flags(rng, n, 0.5),
    "two groups": lambda rng, n: np.where(rng.random(n) < 0.5, rng.normal(100, 1, n), rng.normal(10, 1, n)),
    "three values": lambda rng, n: rng.integers(-1, 2, n),
    "ages": lambda rng, n: np.clip(np.round(rng.normal(40, 15, n)), 18, 99).astype(int),
    "stars": lambda rng, n: rng.choice(5, n, p=[0.05, 0.05, 0.1, 0.3, 0.5]) + 1,
    "Zipf": lambda rng, n: [f"value {i}" for i in rng.zipf(1.5, n)],
    "few of Zipf": lambda rng, n: [f"Ward {i}" for i in np.minimum(rng.zipf(1.5, n), 50)],
    "payments": lambda rng, n: [PAYMENTS[min(i, 7) - 1] for i in rng.zipf(1.4, n)],
    "seasons": lambda rng, n: rng.choice(SEASONS, n).tolist(),
    "grades": lambda rng, n: [("A+", "A", "A-", "B+", "B", "B-", "C")[min(i, 6)] for i in rng.poisson(2, n)],
    "dates": lambda rng, n: [f"2014-{1 + i % 12:02}-{1 + i % 28:02}" for i in rng.integers(0, 10**6, n)],
    "postal codes": lambda rng, n: [f"{i:05}" for i in rng.integers(500, 99_999, n)],
    "some missing": lambda rng, n: [None if i % 10 == 0 else i * 0.5 for i in rng.integers(0, 1000, n)],
}
SEEDS = {100: 8, 300: 5, 1000: 3, 10_000: 2, 100_000: 1}


@pytest.mark.parametrize("rows", SEEDS)
def test_clean_data_has_no_warnings(rows: int):
    wrong = []
    for seed in range(SEEDS[rows]):
        rng = np.random.default_rng([seed, rows])
        whole = {name: make(rng, rows) for name, make in CLEAN.items()}
        cut = int(0.7 * rows)
        halves = {name: (values[:cut], values[cut:]) for name, values in whole.items()}
        for one in (
            profile(all=whole),
            profile(
                train={name: one for name, (one, _) in halves.items()}, eval={k: two for k, (_, two) in halves.items()}
            ),
        ):
            wrong += [found.text for found in find(one) if found.severity != "info"]
    assert wrong == []
