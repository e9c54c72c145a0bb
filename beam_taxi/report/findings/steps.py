"""The largest gap between the distributions of two columns of numbers, from exact counts at common points."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate

from beam_taxi.run.profile import FeatureProfile

_INEXACT = 0.01
"""Error of a share of values if a histogram is an estimate."""


@dataclass(frozen=True)
class Gap:
    """The shares `one` and `two` of the values below `x`, and by how much their difference may be wrong."""

    x: float
    one: float
    two: float
    error: float

    @property
    def value(self) -> float:
        """The Kolmogorov-Smirnov distance, or less if the point where they differ most is not known of both."""
        return abs(self.one - self.two)

    @property
    def share(self) -> float:
        """The mean of the two shares."""
        return (self.one + self.two) / 2


class _Steps:
    """How many finite values of a column are below x, where that is known."""

    def __init__(self, one: FeatureProfile) -> None:
        assert one.min is not None
        assert one.max is not None
        self._min, self._max, self._total = float(one.min), float(one.max), one.finite
        self.error = 0.0
        if one.counts.complete:
            ordered = sorted(
                (float(each.value), each.count) for each in one.counts.counts if not isinstance(each.value, str)
            )
            self.points = [value for value, _ in ordered]
            self._below = [0, *accumulate(count for _, count in ordered)][:-1]
            self._every_x = True
            return
        self._every_x = False
        self.points, self._below = [], []
        if one.histogram is not None:
            histogram = one.histogram
            below = 0 if histogram.below is None else histogram.below.count
            self._below = list(accumulate(histogram.counts, initial=below))
            self.points = [histogram.low + i * histogram.width for i in range(len(self._below))]
            self.error = 0.0 if histogram.exact else _INEXACT
            if histogram.above is None:
                # The last bin is closed.
                self.points.pop()
                self._below.pop()

    def below(self, x: float) -> float | None:
        """Return the share of the values below x, or None if it is not known."""
        if x <= self._min:
            return 0.0
        if x > self._max:
            return 1.0
        at = bisect_left(self.points, x)
        if at < len(self.points) and self.points[at] == x:
            return self._below[at] / self._total
        if self._every_x:
            return self._below[at] / self._total if at < len(self.points) else 1.0
        return None


def largest_gap(one: FeatureProfile, two: FeatureProfile) -> Gap | None:
    """Return the largest gap between two columns with finite values, or None if no point is known of both."""
    if one.min is None or two.min is None or one.max is None or two.max is None:
        return None
    first, second = _Steps(one), _Steps(two)
    found = []
    for x in {*first.points, *second.points, float(one.min), float(two.min)}:
        a, b = first.below(x), second.below(x)
        if a is not None and b is not None:
            found.append(Gap(x, a, b, first.error + second.error))
    return max(found, key=lambda gap: (gap.value, -gap.x), default=None)
