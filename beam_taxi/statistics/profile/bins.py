"""Counts of numbers: by value while there are few distinct ones, else by ranges that adapt to the data.

A number's key is the bit pattern of its float64, rearranged to be in the order of the numbers. Dropping low bits of the
key rounds the number down to fewer binary digits, so a range is narrow where numbers are small and wide where they are
large, its edges are exact, and ranges of fewer bits are unions of those of more. Bits are dropped until at most a given
number of ranges is occupied. Part of the data never needs more dropped than the whole, so the result does not depend on
the order in which the data arrive.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]
"""int64 or float64."""

_KEY_BITS = 64


@dataclass(frozen=True)
class Bins:
    """Occupied ranges in ascending order, with the count, the smallest and the largest number in each of them.

    `shift` is the number of bits that are dropped from the keys.
    """

    shift: int
    keys: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    lows: Numbers
    highs: Numbers

    @staticmethod
    def of(values: Numbers, counts: npt.NDArray[np.int64]) -> Bins:
        """Return the bins of distinct finite numbers, in any order, and their counts."""
        keys = _keys(values)
        order = np.argsort(keys)
        values = values[order]
        return _reduced(Bins(0, keys[order], counts[order], values, values))

    @staticmethod
    def stored(shift: int, counts: npt.NDArray[np.int64], lows: Numbers, highs: Numbers) -> Bins:
        """Return the bins that have had these values; their keys follow from them."""
        return Bins(shift, _keys(lows) >> shift, counts, lows, highs)

    @property
    def by_value(self) -> bool:
        """Whether each bin has one value alone, so that the counts are those of all values."""
        return bool((self.lows == self.highs).all())

    @property
    def total(self) -> int:
        """The number of values."""
        return int(self.counts.sum())

    def merged(self, other: Bins, limit: int) -> Bins:
        """Return the bins of both, at most `limit` of them, which is at least 2, one for each sign."""
        shift = max(self.shift, other.shift)
        parts = (self, other)
        keys = np.concatenate([part.keys >> (shift - part.shift) for part in parts])
        # A stable sort merges runs that are sorted already.
        order = np.argsort(keys, kind="stable")
        columns = (
            np.concatenate([getattr(part, name) for part in parts])[order] for name in ("counts", "lows", "highs")
        )
        return _reduced(Bins(shift, keys[order], *columns)).limited(limit)

    def limited(self, limit: int) -> Bins:
        """Return at most `limit` bins."""
        if len(self.keys) <= limit:
            return self

        def occupied(more: int) -> int:
            return 1 + int(np.count_nonzero(np.diff(self.keys >> more)))

        more = bisect_left(range(_KEY_BITS), -limit, key=lambda bits: -occupied(bits))
        return _reduced(Bins(self.shift + more, self.keys >> more, self.counts, self.lows, self.highs))


EMPTY = Bins(0, *(np.zeros(0, np.int64) for _ in range(4)))


def _keys(values: Numbers) -> npt.NDArray[np.int64]:
    bits = as_floats(values).view(np.int64)
    # The bits of a negative number grow with its magnitude.
    ordered: npt.NDArray[np.int64] = bits ^ ((bits >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))
    return ordered


def as_floats(values: Numbers) -> npt.NDArray[np.float64]:
    """Return numbers as float64, rounded down, and 0.0 for -0.0."""
    floats: npt.NDArray[np.float64] = values.astype(np.float64) + 0.0
    if values.dtype != np.int64:
        return floats
    with np.errstate(invalid="ignore"):
        # The largest integers round to 2**63, which is none.
        is_above = (floats >= 2.0**63) | (floats.astype(np.int64) > values)
    return np.where(is_above, np.nextafter(floats, -np.inf), floats)


def _reduced(bins: Bins) -> Bins:
    """Return sorted bins with those of the same key joined."""
    is_next = bins.keys[1:] != bins.keys[:-1]
    if is_next.all():
        return bins
    starts = np.flatnonzero(np.concatenate([[True], is_next]))
    return Bins(
        bins.shift,
        bins.keys[starts],
        np.add.reduceat(bins.counts, starts),
        np.minimum.reduceat(bins.lows, starts),
        np.maximum.reduceat(bins.highs, starts),
    )
