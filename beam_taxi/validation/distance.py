"""Distances between two samples of a feature, and how large they would be by chance alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from beam_taxi.statistics.distribution import Distribution
from beam_taxi.statistics.sketches import SKETCH
from beam_taxi.validation import chance

CHANCE = 0.001
"""The default probability that two samples of one distribution differ by more than the noise floor."""


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


def kolmogorov_smirnov(
    one: Distribution, two: Distribution, rows: tuple[float, float], level: float = CHANCE
) -> Distance:
    """Return the largest gap between the two cumulative distributions, from their buckets.

    TFDV's buckets include their upper ends, so the shares at or below the ends are known, and those inside are not. The
    floor is the critical value, plus half of the largest share inside one bucket, plus the error of the sketches.
    """
    points = {*one.points, *two.points}
    value = max(abs(one.share(x, True) - two.share(x, True)) for x in points)
    allowance = max(one.coarseness, two.coarseness) / 2 + SKETCH
    return Distance("KS", value, min(1.0, chance.kolmogorov_smirnov(level, *rows) + allowance))


def l_infinity(
    one: Mapping[str, float], two: Mapping[str, float], rows: tuple[float, float], level: float = CHANCE
) -> Distance:
    """Return the largest difference in the share of a value, TFDV's L-infinity norm, from counts by value.

    The floor is the largest critical value of a share's difference, with the level divided by the number of values
    (Bonferroni).
    """
    n, m = rows
    value = floor = 0.0
    values = {*one, *two}
    for key in values:
        a, b = one.get(key, 0.0) / n, two.get(key, 0.0) / m
        value = max(value, abs(a - b))
        floor = max(floor, chance.share(level / len(values), (a, b), n, m))
    return Distance("L∞", min(1.0, value), floor)


def absence(one: tuple[float, float], two: tuple[float, float], level: float = CHANCE) -> Distance | None:
    """Return the difference in the share of missing cells, given (missing, rows) of both; None if one has no rows."""
    (a, n), (b, m) = one, two
    if not n or not m:
        return None
    return Distance("absent", abs(a / n - b / m), chance.share(level, (a / n, b / m), n, m))
