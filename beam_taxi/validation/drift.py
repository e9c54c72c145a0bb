"""Distances between two samples of a feature, and how large they would be by chance alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from beam_taxi.statistics.distribution import Distribution

CHANCE = 0.001
"""The probability that two samples of one distribution differ by more than the noise floor."""


@dataclass(frozen=True)
class Distance:
    """A distance between 0 and 1, the method that measured it, and the noise floor for samples of these sizes."""

    method: str
    value: float
    floor: float

    @property
    def beyond_noise(self) -> bool:
        """Return whether the distance exceeds the noise floor."""
        return self.value > self.floor


def kolmogorov_smirnov(one: Distribution, two: Distribution, rows: tuple[float, float]) -> Distance:
    """Return the largest gap between the two cumulative distributions, from their buckets.

    The floor is the asymptotic critical value sqrt(-ln(p/2)/2 * (n+m)/(n*m)) of the two-sample test, which ties
    only make stricter, plus half of the largest share inside one bucket, whose distribution there is unknown.
    """
    points = {*one.points, *two.points}
    value = max(abs(one.share(x, i) - two.share(x, i)) for x in points for i in (False, True))
    n, m = rows
    floor = math.sqrt(-math.log(CHANCE / 2) / 2 * (n + m) / (n * m))
    return Distance("KS", value, min(1.0, floor + max(one.coarseness, two.coarseness) / 2))


def l_infinity(one: Mapping[str, float], two: Mapping[str, float], rows: tuple[float, float]) -> Distance:
    """Return the largest difference in the share of a value, TFDV's L-infinity norm, from counts by value.

    The floor is that of a two-proportion z-test with pooled shares, with its level divided by the number of values
    (Bonferroni).
    """
    n, m = rows
    value = floor = 0.0
    values = {*one, *two}
    z = NormalDist().inv_cdf(1 - CHANCE / 2 / max(len(values), 1))
    for key in values:
        a, b = one.get(key, 0.0), two.get(key, 0.0)
        pooled = min(1.0, (a + b) / (n + m))
        value = max(value, abs(a / n - b / m))
        floor = max(floor, z * math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)))
    return Distance("L∞", min(1.0, value), min(1.0, floor))


def absence(one: tuple[float, float], two: tuple[float, float]) -> Distance | None:
    """Return the difference in the share of missing cells, given (missing, rows) of both; None if one has no rows."""
    (a, n), (b, m) = one, two
    if not n or not m:
        return None
    pooled = (a + b) / (n + m)
    z = NormalDist().inv_cdf(1 - CHANCE / 2)
    return Distance("absent", abs(a / n - b / m), z * math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)))
