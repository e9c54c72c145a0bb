"""How far from the rest a genuine value can be: the tail of a column, continued beyond its last values.

A tail is known by how many values are beyond some points. If it is exponential, these counts fall evenly with the
distance; if it is that of a log-normal distribution, normally with the logarithm; if it is Pareto's, evenly with the
logarithm. The farthest of these continuations is the limit: no tail has outliers merely for being heavy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import NormalDist

from beam_taxi.run.profile import FeatureProfile, Number

FEWEST = 50
"""Minimum number of values that show a tail."""

_FEWEST_BEYOND = 20
"""Minimum number of values beyond a point from which a tail is continued."""

_FAR, _NEAR = 25, 150
"""Wanted numbers of values beyond the two points from which a tail is continued."""

_NOT_BODY = 0.3
"""Maximum share of the values beyond the nearer point."""

_MOST_GROUPS = 5

_APART = 2.5
"""Minimum ratio of the numbers of values beyond the two points: between near ones, the slope is chance."""

_BODY, _USUAL_INDEX = 0.05, 0.3
"""Share of the values beyond a point from which a tail may become heavier, and the index that it may have then."""

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Limits:
    """Where values are unlikely, and where they are all but impossible."""

    unlikely: float
    impossible: float


@dataclass(frozen=True)
class Tail:
    """The upper tail of numbers, or the lower one of their negatives if `sign` is -1.

    `points` are ascending (x, number of values beyond x); `total` values are beyond the most frequent one, if that is
    most of the column, and else all of them. `end` is the farthest value, or None if it was removed. `is_complete` says
    that there is a point for every value.
    """

    sign: int
    points: tuple[tuple[float, float], ...]
    median: float
    total: float
    end: float | None
    is_complete: bool = False

    @staticmethod
    def of(one: FeatureProfile, upper: bool, removed: Mapping[Number, int] | None = None) -> Tail | None:
        """Return the tail of a column without some values, of which there are so many; None if too few are left."""
        removed = removed or {}
        sign = 1 if upper else -1
        beyond = sum(removed.values())
        if one.min is None or one.max is None or "50" not in one.percentiles:
            return None
        counts = _points(one, sign)
        inner = min((sign * value for value in removed), default=math.inf)
        points = [(x, max(0.0, count - beyond)) for x, count in counts.items() if x < inner]
        points = _falling(points)
        end = float(sign * (one.max if upper else one.min))
        total = float(one.finite - beyond)
        mode = one.counts.counts[0] if one.counts.counts else None
        if (
            mode is not None
            and not isinstance(mode.value, str)
            and mode.value not in removed
            and mode.count > total / 2
        ):
            total = min((count for x, count in points if x <= sign * mode.value), default=total)
            points = [point for point in points if point[0] >= sign * mode.value]
        if total < FEWEST or len(points) < 2:
            return None
        median = float(sign * one.percentiles["50"].value)
        known_end = end if not any(sign * value == end for value in removed) else None
        return Tail(sign, tuple(points), median, total, known_end, one.counts.complete)

    def groups(self, most: float) -> list[float]:
        """Return the sizes of groups of the farthest values that may hide how far the rest goes, up to a share of all.

        They are those that are farthest from the rest.
        """
        gaps: dict[float, float] = {}
        for (before, _), (x, count) in pairwise(self.points):
            if _FEWEST_BEYOND <= count <= most * self.total:
                gaps[count] = gaps.get(count, 0.0) + x - before
        return sorted(gaps, key=lambda count: (-gaps[count], count))[:_MOST_GROUPS]

    def limits(self, group: float = 0) -> Limits | None:
        """Return how far genuine values can be, judged without a group of the farthest values."""
        pair = _anchors(self, group)
        if pair is None:
            return None
        total = self.total - group
        return Limits(
            _farthest(pair, self.median, total, 1e-5, 0.1),
            _farthest(pair, self.median, total, 1e-7, 0.01),
        )


Point = tuple[float, float]


def _points(one: FeatureProfile, sign: int) -> dict[float, float]:
    """Return how many values are beyond points, from all that the profile says."""
    found: dict[float, float] = {}

    def add(x: float, count: float) -> None:
        found[sign * x] = min(found.get(sign * x, math.inf), count)

    # A share of (100 - q)% is beyond a percentile, or less.
    for key, percentile in one.percentiles.items():
        q = int(key) / 100
        add(float(percentile.value), one.finite * (1 - q if sign > 0 else q))
    if one.counts.complete:
        ordered = sorted(
            (float(each.value), each.count) for each in one.counts.counts if not isinstance(each.value, str)
        )
        left = one.finite
        for x, count in reversed(ordered) if sign < 0 else ordered:
            left -= count
            add(x, left)
    elif one.histogram is not None:
        histogram = one.histogram
        below = 0 if histogram.below is None else histogram.below.count
        for i, count in enumerate(accumulate(histogram.counts, initial=below)):
            edge = histogram.low + i * histogram.width
            add(edge, one.finite - count if sign > 0 else count)
    if one.min is None or one.max is None:
        return found
    start, end = (one.min, one.max)[::sign]
    add(float(end), 0)
    # All values are beyond a point just before the first.
    unit = 1.0 if one.type == "INT" else 0.0
    add(float(start) - sign * unit, one.finite if unit else one.finite - 1)
    return found


def _falling(points: list[Point]) -> list[Point]:
    """Return points by x, with counts that never grow."""
    least = math.inf
    found = []
    for x, count in sorted(points):
        least = min(least, count)
        found.append((x, least))
    return found


def _anchors(tail: Tail, group: float) -> tuple[Point, Point] | None:
    """Return two points of the tail, beyond which there are few values without the group, but not too few."""
    known = [(x, count - group) for x, count in tail.points if count - group >= _FEWEST_BEYOND]
    if len(known) < 2:
        return None

    def closest(wanted: float, among: list[Point]) -> Point:
        return min(among, key=lambda point: (abs(math.log(point[1] / wanted)), point[0]))

    second = closest(_FAR, known)
    nearer = [point for point in known if point[0] < second[0] and point[1] >= _APART * second[1]]
    # Where most values are, a column says nothing of its tail.
    wanted = min(_NEAR, _NOT_BODY * (tail.total - group))
    return (closest(wanted, nearer), second) if nearer else None


def _farthest(pair: tuple[Point, Point], median: float, total: float, light: float, heavy: float) -> float:
    """Return where so few values are to be expected, `light` for light tails and `heavy` for Pareto's."""
    (a, beyond_a), (b, beyond_b) = pair
    # The slope from so few values may be too small by chance.
    caution = 1 + 1 / math.sqrt(beyond_a)
    fall = math.log(beyond_a / beyond_b)
    # Where few values recur, as places do, their distances say little: twice as far from the median is not far.
    found = [b + caution * (b - a) / fall * math.log(beyond_b / light), b + abs(b - median)]
    for origin in (0.0, median):
        if a > origin:
            index = caution * math.log((b - origin) / (a - origin)) / fall
            if origin == median and beyond_b > _BODY * total:
                index = max(index, _USUAL_INDEX)
            found.append(origin + _scaled(b - origin, index * math.log(beyond_b / heavy)))
    if a > 0 and beyond_a < total:
        z_a, z_b, z = (-_NORMAL.inv_cdf(count / total) for count in (beyond_a, beyond_b, light))
        found.append(_scaled(b, caution * math.log(b / a) / (z_b - z_a) * (z - z_b)))
    return max(found)


def _scaled(x: float, exponent: float) -> float:
    return x * math.exp(min(exponent, 600.0))


def beyond(one: FeatureProfile, x: float, upper: bool) -> float:
    """Return an upper bound on the number of values beyond x."""
    sign = 1 if upper else -1
    return min((count for point, count in _points(one, sign).items() if point <= sign * x), default=float(one.finite))
