"""Distributions of numeric features from TFDV's buckets: shares, quantiles, and the range to draw."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensorflow_metadata.proto.v0 import statistics_pb2

BINS = 24
"""Bars of a histogram."""

_TAIL = 0.02
"""Share of the values at either end that may be left out of the drawing: one of 50 quantile buckets."""


@dataclass(frozen=True)
class Bucket:
    """`count` values spread evenly from `low` to `high`; if both are equal, all values are at that point."""

    low: float
    high: float
    count: float


class Distribution:
    """A cumulative distribution: linear inside buckets, with a jump where a bucket is a point."""

    def __init__(self, buckets: Iterable[Bucket]) -> None:
        found = sorted((b for b in buckets if b.count > 0 and b.low <= b.high), key=lambda b: (b.low, b.high))
        self.total = sum(b.count for b in found)
        self.points = sorted({x for b in found for x in (b.low, b.high)})
        self._before, self._upto = self._accumulate(found)

    def _accumulate(self, buckets: Sequence[Bucket]) -> tuple[list[float], list[float]]:
        """Return the share of values below each point, and at or below it."""
        index = {x: i for i, x in enumerate(self.points)}
        jumps = [0.0] * len(self.points)
        slopes = [0.0] * (len(self.points) + 1)
        for b in buckets:
            if b.low == b.high:
                jumps[index[b.low]] += b.count / self.total
            else:
                slopes[index[b.low]] += b.count / self.total / (b.high - b.low)
                slopes[index[b.high]] -= b.count / self.total / (b.high - b.low)
        before: list[float] = []
        upto: list[float] = []
        slope = 0.0
        for i, x in enumerate(self.points):
            # Slopes are added and subtracted again, so a rounding error of one may be multiplied by a very wide bucket.
            below = min(1.0, upto[-1] + max(0.0, slope * (x - self.points[i - 1]))) if i else 0.0
            before.append(below)
            upto.append(min(1.0, below + jumps[i]))
            slope += slopes[i]
        return before, upto

    @property
    def coarseness(self) -> float:
        """The largest share of values known only to lie between two adjacent points."""
        return max((self._before[i] - self._upto[i - 1] for i in range(1, len(self.points))), default=0.0)

    def share(self, x: float, inclusive: bool) -> float:
        """Return the share of values below `x`, or at or below it."""
        i = bisect_left(self.points, x)
        if i == len(self.points):
            return 1.0
        if self.points[i] == x:
            return self._upto[i] if inclusive else self._before[i]
        if i == 0:
            return 0.0
        left, right = self.points[i - 1], self.points[i]
        return self._upto[i - 1] + (self._before[i] - self._upto[i - 1]) * ((x - left) / (right - left))

    def quantile(self, q: float) -> float:
        """Return the smallest x such that a share of at least `q` of the values is at or below x."""
        i = bisect_left(self._upto, q)
        if i == len(self.points):
            return self.points[-1]
        if i == 0 or q > self._before[i]:
            return self.points[i]
        low, high = self._upto[i - 1], self._before[i]
        return self.points[i - 1] + (self.points[i] - self.points[i - 1]) * ((q - low) / (high - low))


def from_statistics(stats: statistics_pb2.NumericStatistics) -> Distribution | None:
    """Return the distribution from the quantile buckets, else the equi-width ones, or None if there are no values."""
    by_type = {histogram.type: histogram for histogram in stats.histograms}
    quantiles, standard = statistics_pb2.Histogram.QUANTILES, statistics_pb2.Histogram.STANDARD
    histogram = by_type.get(quantiles) or by_type.get(standard)
    if histogram is None:
        return None
    buckets = [Bucket(b.low_value, b.high_value, b.sample_count) for b in histogram.buckets]
    # This excludes more than infinities: the width of a range must be finite, too.
    finite = [b for b in buckets if abs(b.low) < 1e300 and abs(b.high) < 1e300]
    distribution = Distribution(finite)
    return distribution if distribution.total > 0 else None


def drawn_range(series: Sequence[Distribution]) -> tuple[float, float]:
    """Return the range, without an end whose 2% of the values would take more than a third of the width."""
    low, high = min(one.points[0] for one in series), max(one.points[-1] for one in series)
    inner_low = min(one.quantile(_TAIL) for one in series)
    inner_high = max(one.quantile(1 - _TAIL) for one in series)
    width = inner_high - inner_low
    if width <= 0:
        return low, high
    return (
        inner_low if inner_low - low > width / 2 else low,
        inner_high if high - inner_high > width / 2 else high,
    )
