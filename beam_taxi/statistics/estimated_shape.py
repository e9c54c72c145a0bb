"""Percentiles and the histogram of a number column, from TFDV's buckets or from the counts of all values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby, pairwise

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.profile import PERCENTILES, Histogram, Number, Percentile, Tail
from beam_taxi.statistics.distribution import BINS, Bucket, Distribution, drawn_range
from beam_taxi.statistics.profile.bins import Bins
from beam_taxi.statistics.profile.shape import histogram, percentiles
from beam_taxi.statistics.sketches import INTERPOLATED, sketch_error

Counts = Mapping[Number, int]
"""The count of each value of a column."""

_LARGEST = 1e300
"""Values beyond it are in no bin: the width of all bins together must be finite, too."""


@dataclass(frozen=True)
class Shape:
    """How numbers are distributed; empty if nothing is known."""

    percentiles: Mapping[str, Percentile] = field(default_factory=dict)
    histogram: Histogram | None = None


def shape_of_counts(counts: Counts) -> Shape:
    """Return exact percentiles of nearest rank and an exact histogram."""
    values = list(counts)
    bins = Bins.of(np.array(values), np.array([counts[value] for value in values]))
    found = percentiles(bins)
    if max(map(abs, values)) > _LARGEST:
        return Shape(found)
    return Shape(found, histogram(bins, all(isinstance(value, int) for value in values)))


def shape_of_histograms(
    stats: statistics_pb2.NumericStatistics, whole: bool, finite: int, low: Number, high: Number
) -> Shape:
    """Return estimates for `finite` values from `low` to `high`, which are integers if `whole`."""
    by_type = {histogram.type: histogram for histogram in stats.histograms}
    found = by_type.get(statistics_pb2.Histogram.QUANTILES)
    error = sketch_error(finite) + 1 / finite
    if found is None or any(math.isinf(b.low_value) or math.isinf(b.high_value) for b in found.buckets):
        # The quantiles of the finite values cannot be told from these, but they went into the equi-width buckets.
        found = by_type.get(statistics_pb2.Histogram.STANDARD)
        error += INTERPOLATED
    if found is None:
        return Shape()
    buckets = [Bucket(b.low_value, b.high_value, b.sample_count) for b in found.buckets]
    buckets = [b for b in buckets if math.isfinite(b.low) and math.isfinite(b.high) and b.count > 0]
    if not buckets:
        return Shape()
    placed = _on_integers(buckets, stats.num_zeros / finite) if whole else buckets
    return Shape(_percentiles(buckets, whole, error), _histogram(placed, whole, finite, low, high))


def _percentiles(buckets: Sequence[Bucket], whole: bool, error: float) -> dict[str, Percentile]:
    """Return percentiles by interpolation in the buckets, whose boundaries may be off by `error`."""
    total = sum(b.count for b in buckets)
    found: dict[str, Percentile] = {}
    before = 0.0
    for _, same in groupby(buckets, lambda b: b.high):
        group = list(same)
        share = sum(b.count for b in group) / total
        for percent in PERCENTILES[len(found) :]:
            if percent / 100 > before + share and group[-1] is not buckets[-1]:
                break
            value, off = _within(group, percent / 100 - before, share, 1 / len(buckets))
            # No integer is between a number and the one that it is rounded down to, so this does not change the rank.
            found[str(percent)] = Percentile(math.floor(value) if whole else value, min(1.0, off + error))
        before += share
    return found


def _within(group: Sequence[Bucket], rank: float, share: float, nominal: float) -> tuple[float, float]:
    """Return the value at a rank among buckets of one upper end, and by how much its rank may be off.

    TFDV divides the count of such buckets evenly among them. Quantiles are a `nominal` share apart, so no more than
    that is below the end if several have it.
    """
    first = group[0]
    if first.low == first.high:
        return first.high, 0.0
    if len(group) > 1:
        return first.high, max(0.0, nominal - rank)
    part = min(1.0, rank / share)
    # A sum of parts, since the difference of the ends may be infinite.
    value = first.low * (1 - part) + first.high * part
    return min(max(value, first.low), first.high), max(rank, share - rank)


def _on_integers(buckets: Sequence[Bucket], zeros: float) -> list[Bucket]:
    """Return buckets without the open intervals between integers; `zeros` is the share of zeros.

    A bucket excludes its lower end, which is the upper end of the one before it. The first bucket has the minimum, too,
    whose count is known if it is 0.
    """
    first = buckets[0].low
    head = [b for b in buckets if b.low == first]
    tail = [Bucket(min(b.low + 1, b.high), b.high, b.count) for b in buckets[len(head) :]]
    if first:
        return [*head, *tail]
    count, total = sum(b.count for b in head), sum(b.count for b in buckets)
    at_zero = min(count, zeros * total)
    return [Bucket(0, 0, at_zero), Bucket(min(1, head[-1].high), head[-1].high, count - at_zero), *tail]


def _histogram(buckets: Sequence[Bucket], whole: bool, finite: int, low: Number, high: Number) -> Histogram | None:
    """Return bins over the range that is drawn, with whole counts that add up to `finite`."""
    distribution = Distribution(b for b in buckets if abs(b.low) < _LARGEST and abs(b.high) < _LARGEST)
    if not distribution.total:
        return None
    start, end = drawn_range([distribution])
    first, width, bins = _grid(start, end, whole)
    edges = [first + width * i for i in range(bins + 1)]
    upto = [round(finite * distribution.share(edge, inclusive=False)) for edge in edges]
    upto[0] = max(upto[0], int(low < edges[0]))
    upto[-1] = finite if high < edges[-1] else min(upto[-1], finite - 1)
    upto = list(accumulate((min(max(one, upto[0]), upto[-1]) for one in upto), max))
    below = Tail(upto[0], low) if upto[0] else None
    above = Tail(finite - upto[-1], high) if upto[-1] < finite else None
    return Histogram(first, width, tuple(b - a for a, b in pairwise(upto)), below, above, exact=False)


def _grid(low: Number, high: Number, whole: bool) -> tuple[float, float, int]:
    """Return the start, width and number of at most `BINS` + 2 bins that have all values from `low` to `high`."""
    span = high - low or abs(high)
    # The next power of two. Below the distance of adjacent floats, edges would not be exact.
    width = max(2.0 ** math.frexp(span / BINS)[1], math.ulp(max(abs(low), abs(high))))
    width = max(width, 1.0) if whole else width
    first = math.floor(low / width)
    return first * width, width, math.floor(high / width) - first + 1
