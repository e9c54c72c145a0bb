"""Bars of equal width for several histograms at once, from bins whose widths are powers of two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from beam_taxi.run.profile import FeatureProfile, Histogram, Tail

MOST = 40
"""Default maximum number of bars."""


@dataclass(frozen=True)
class Bins:
    """Counts in bins from `low`, each `width` wide, for each histogram, and the values beyond either end."""

    low: float
    width: float
    counts: tuple[tuple[int, ...], ...]
    below: tuple[Tail | None, ...]
    above: tuple[Tail | None, ...]

    @property
    def high(self) -> float:
        """The upper end of the last bin."""
        return self.low + self.width * len(self.counts[0])


def merge(features: Sequence[FeatureProfile | None], most: int = MOST) -> Bins | None:
    """Return common bins, or None if there is no range in which the counts of all features are known.

    The range is that of all of them together, but it ends where the values of a feature are beyond its histogram. Bins
    are merged, never divided, so each count is as exact as those it is made from. A feature without values is flat.
    """
    known = [one.histogram for one in features if one is not None and one.histogram and one.histogram.counts]
    if not known:
        return None
    width = max(one.width for one in known)
    first, last = _range(known, width)
    while last - first > most:
        width *= 2
        first, last = _range(known, width)
    if first >= last:
        return None
    parts = [_rebin(one, width, first, last) for one in features]
    below, counts, above = zip(*parts, strict=True)
    return Bins(first * width, width, counts, below, above)


def _range(known: Sequence[Histogram], width: float) -> tuple[int, int]:
    """Return the first bin and the one after the last, counted from zero in bins of this width.

    Where values are beyond the end of a histogram, the bin that it ends in would lack some of them.
    """
    lows = [one.low for one in known if one.below is not None]
    highs = [one.high for one in known if one.above is not None]
    first = math.ceil(max(lows) / width) if lows else math.floor(min(one.low for one in known) / width)
    last = math.floor(min(highs) / width) if highs else math.ceil(max(one.high for one in known) / width)
    return first, last


def _rebin(
    feature: FeatureProfile | None, width: float, first: int, last: int
) -> tuple[Tail | None, tuple[int, ...], Tail | None]:
    """Return what is below the first bin, the counts of the bins, and what is above the last one."""
    counts, below, above = [0] * (last - first), 0, 0
    if feature is None or feature.histogram is None:
        return None, tuple(counts), None
    found = feature.histogram
    # The low end is a multiple of the narrower width, so this is exact.
    start, ratio = round(found.low / found.width), round(width / found.width)
    for number, count in enumerate(found.counts):
        place = (start + number) // ratio - first
        if place < 0:
            below += count
        elif place >= len(counts):
            above += count
        else:
            counts[place] += count
    below += 0 if found.below is None else found.below.count
    above += 0 if found.above is None else found.above.count
    return _tail(below, feature.min), tuple(counts), _tail(above, feature.max)


def _tail(count: int, extreme: float | None) -> Tail | None:
    return Tail(count, 0 if extreme is None else extreme) if count else None
