"""How far beyond a sample's range another sample of the same distribution may go."""

from __future__ import annotations

import math

from beam_taxi.statistics.distribution import Distribution

_NEAR, _FAR = 0.9, 0.98
"""Shares of the values beyond which the tail is measured; the outermost of 50 buckets begins at 0.98."""

_DOMINATED = 0.05
"""Share of the largest value in the sum of squares from which the variance of a tail is assumed to be infinite."""

FEWEST = 50
"""Minimum number of values that show a tail."""

_UNKNOWN = 1.0
"""Tail index that is assumed if nothing is known about the tail: the mean is infinite."""


def farthest(
    one: Distribution, ends: tuple[float, float], std_dev: float, m: float, n: float, level: float, upper: bool
) -> float:
    """Return how far beyond the end of m values, at least `FEWEST`, the farthest of n others is, at this level.

    `ends` and `std_dev` are those of the m values. Beyond its end, a Pareto tail of index gamma goes on from the
    median by (n / (m * level))^gamma: the ratio of the maxima of n and m values exceeds c with a probability of
    1/(1 + m/n * c^(1/gamma)). Tails that are lighter than Pareto's become lighter further out, so this is far enough.
    gamma is at least 1/ln(m), which is that of an exponential tail at the end of m values.
    """
    median = one.quantile(0.5)
    end = abs(ends[1 if upper else 0] - median)
    gamma = min(2.0, max(1 / math.log(m), _index(one, end, std_dev, m, upper)))
    exponent = gamma * max(0.0, math.log(n / (m * level)))
    return end * math.expm1(min(exponent, 600.0))


def _index(one: Distribution, end: float, std_dev: float, m: float, upper: bool) -> float:
    """Return the tail index gamma from the slope of the tail in logarithms.

    Between the 90% and the 98% quantile it is Hill's estimator of m/10 values, plus 2.5 times its relative error,
    1/sqrt(m/10). From there to the end it is nearer to what is extrapolated, but the end is a single value: this slope
    is used alone if that value is a small part of the sum of squares, which shows that the variance is finite and gamma
    below 1/2.
    """
    median = one.quantile(0.5)
    near, far = (abs(one.quantile(p if upper else 1 - p) - median) for p in (_NEAR, _FAR))
    squares = m * std_dev**2
    dominance = end**2 / squares if 0 < squares < math.inf else 1.0
    outer = _slope(far, end, m * (1 - _FAR)) if m > 4 / (1 - _FAR) else 0.0
    inner = _slope(near, far, (1 - _NEAR) / (1 - _FAR)) * (1 + 2.5 / math.sqrt(m * (1 - _NEAR)))
    if not far:
        return _UNKNOWN if dominance >= _DOMINATED or m < 2 else _of_dominance(dominance, m)
    if dominance < _DOMINATED and outer:
        return max(outer, _of_dominance(dominance, m))
    return max(outer, inner) if near else _UNKNOWN


def _slope(near: float, far: float, ratio: float) -> float:
    return math.log(far / near) / math.log(ratio) if far > near > 0 else 0.0


def _of_dominance(dominance: float, m: float) -> float:
    """Return gamma of a tail whose largest of m values is this part of the sum of squares, about m^(2 gamma - 1)."""
    return max(0.0, 0.5 * (1 + math.log(dominance) / math.log(m))) if dominance > 0 else 0.0
