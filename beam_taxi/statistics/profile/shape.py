"""What bins of numbers say: percentiles, and a histogram of equal widths."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from beam_taxi.run.profile import PERCENTILES, Histogram, Number, Percentile, Tail
from beam_taxi.statistics.profile.bins import Bins, as_floats

MOST_BARS = 128

_TAIL_PERCENT = 1
"""Percentiles from either end beyond which a histogram may be cut."""


def percentiles(bins: Bins, percents: tuple[int, ...] = PERCENTILES) -> Mapping[str, Percentile]:
    """Return the percentiles of nearest rank, and by how much the ranks may be off. There must be values."""
    ends = np.cumsum(bins.counts)
    return {str(percent): _percentile(bins, ends, percent) for percent in percents}


def _percentile(bins: Bins, ends: npt.NDArray[np.int64], percent: int) -> Percentile:
    total = int(ends[-1])
    rank = max(1, -(-percent * total // 100))
    i = int(np.searchsorted(ends, rank))
    last = int(ends[i])
    first = last - int(bins.counts[i]) + 1
    low, high = bins.lows[i].item(), bins.highs[i].item()
    if low == high:
        return Percentile(low)
    # The smallest number in a bin has the first rank of it, and the largest the last.
    return (
        Percentile(low, (rank - first) / total)
        if rank - first <= last - rank
        else Percentile(high, (last - rank) / total)
    )


def histogram(bins: Bins, is_whole: bool) -> Histogram:
    """Return an exact histogram of at most `MOST_BARS` bars; bars of whole numbers are at least 1 wide.

    It is cut a quarter of their distance beyond the 1st or the 99th percentile if the rest takes more than twice that.
    """
    low, high = _drawn_range(bins)
    lows, highs = as_floats(bins.lows), as_floats(bins.highs)
    is_drawn = (highs >= low) & (lows <= high)
    width = max(_smallest_width(low, high), 1.0 if is_whole else 0.0)
    # A range of large numbers may be wider than a bar, but never crosses the edge of a bar that is wider.
    while (np.floor(lows[is_drawn] / width) != np.floor(highs[is_drawn] / width)).any():
        width *= 2
    first, last = math.floor(low / width), math.floor(high / width)
    bars = np.floor(lows / width)
    inside = (bars >= first) & (bars <= last)
    counts = np.bincount((bars[inside] - first).astype(np.int64), bins.counts[inside], last - first + 1)
    return Histogram(
        first * width,
        width,
        tuple(counts.astype(np.int64).tolist()),
        _tail(bins.counts[bars < first], bins.lows[:1]),
        _tail(bins.counts[bars > last], bins.highs[-1:]),
    )


def _drawn_range(bins: Bins) -> tuple[float, float]:
    ends = as_floats(np.concatenate([bins.lows[:1], bins.highs[-1:]]))
    low, high = float(ends[0]), float(ends[1])
    cuts = percentiles(bins, (_TAIL_PERCENT, 100 - _TAIL_PERCENT))
    inner_low, inner_high = (float(one.value) for one in cuts.values())
    span = inner_high - inner_low
    if span <= 0 or not math.isfinite(span):
        return low, high
    margin = span / 4
    return (
        inner_low - margin if inner_low - low > 2 * margin else low,
        inner_high + margin if high - inner_high > 2 * margin else high,
    )


def _smallest_width(low: float, high: float) -> float:
    """Return the smallest power of two such that at most `MOST_BARS` bars cover the range, whose edges are floats."""
    if low == high:
        return float(2.0 ** math.frexp(low)[1] / MOST_BARS) if low else 1.0
    width = 2.0 ** (math.frexp((high - low) / MOST_BARS)[1] - 1)
    width = max(width, math.ulp(max(abs(low), abs(high))))
    while math.floor(high / width) - math.floor(low / width) >= MOST_BARS:
        width *= 2
    return width


def _tail(counts: npt.NDArray[np.int64], extreme: npt.NDArray[np.int64 | np.float64]) -> Tail | None:
    count = int(counts.sum())
    value: Number = extreme.item() if len(extreme) else 0
    return Tail(count, value) if count else None
