"""Counts of a number column."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.run.profile import FLOAT, INT, Distinct, FeatureProfile, Number, Values
from beam_taxi.statistics.profile import shape
from beam_taxi.statistics.profile.bins import EMPTY, Bins, Numbers
from beam_taxi.statistics.profile.distinct import DistinctHashes
from beam_taxi.statistics.profile.hashes import Hashes, hash_values
from beam_taxi.statistics.profile.limits import Limits
from beam_taxi.statistics.profile.values import most_frequent

Counts = npt.NDArray[np.int64]

_LISTED = 20
"""Values listed where there are too many to list them all."""


class NumberCounts:
    """Counts of finite numbers, NaN and infinite ones, with their moments."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.type = INT
        self.zeros = self.nan = self.above = self.below = 0
        """Values that are 0, NaN, infinite, and infinite below 0."""
        # The mean is `pivot + offset`, of which the pivot is exact: numbers that are close together may be far from 0.
        self.pivot: Number | None = None
        self.offset = self.squares = 0.0
        self.bins = EMPTY
        self.distinct: DistinctHashes | None = None

    def add(self, values: pa.Array, counts: Counts, hashes: Hashes) -> None:
        """Add distinct values, without nulls, with their counts and hashes."""
        numbers = values.to_numpy()
        if numbers.dtype != np.int64:
            self.type = FLOAT
            # Which of -0.0 and 0.0 came first must not matter.
            numbers = numbers.astype(np.float64) + 0.0
            finite = np.isfinite(numbers)
            if not finite.all():
                is_nan = np.isnan(numbers)
                self.nan += int(counts[is_nan].sum())
                self.above += int(counts[numbers == np.inf].sum())
                self.below += int(counts[numbers == -np.inf].sum())
                numbers, counts, hashes = numbers[finite], counts[finite], hashes[finite]
        if not len(numbers):
            return
        self.zeros += int(counts[numbers == 0].sum())
        self._add_moments(int(counts.sum()), *_moments(numbers, counts))
        self._add_bins(Bins.of(numbers, counts), hashes)

    def merge(self, other: NumberCounts) -> None:
        """Add the values of another column."""
        if other.type == FLOAT:
            self.type = FLOAT
        self.nan += other.nan
        self.above += other.above
        self.below += other.below
        self.zeros += other.zeros
        if other.pivot is not None:
            self._add_moments(other.bins.total, other.pivot, other.offset, other.squares)
        self._add_bins(other.bins, None, other.distinct)

    def _add_moments(self, count: int, pivot: Number, offset: float, squares: float) -> None:
        """Add the moments of more values (Chan et al., Updating Formulae and a Pairwise Algorithm, 1979)."""
        if self.pivot is None:
            self.pivot, self.offset, self.squares = pivot, offset, squares
            return
        before = self.bins.total
        difference = (pivot - self.pivot) + (offset - self.offset)
        self.squares += squares + difference * difference * before * count / (before + count)
        self.offset += difference * count / (before + count)

    def _add_bins(self, bins: Bins, hashes: Hashes | None, distinct: DistinctHashes | None = None) -> None:
        """Add bins. Hashes are of their values; as long as all values are counted, none are kept."""
        known = self.bins
        merged = known.merged(bins, self._limits.distinct)
        if not merged.by_value and self.distinct is None:
            self.distinct = DistinctHashes()
            self.distinct.add(_hashes_of(known))
        if self.distinct is not None:
            if distinct is not None:
                self.distinct.merge(distinct)
            else:
                self.distinct.add(_hashes_of(bins) if hashes is None else hashes)
        self.bins = merged

    def to_floats(self) -> None:
        """Take integers, of which none is beyond 2**24, for the floats that they are."""
        bins = self.bins
        self.type, self.pivot = FLOAT, None if self.pivot is None else float(self.pivot)
        self.bins = replace(bins, lows=bins.lows.astype(np.float64), highs=bins.highs.astype(np.float64))

    def limit(self, limits: Limits) -> None:
        """Keep no more than these limits allow."""
        self._limits = limits
        self._add_bins(EMPTY, None)

    def moments(self) -> tuple[Number, float, float]:
        """Return pivot, offset and squares of the finite values; there must be some.

        While all values are counted, these do not depend on the order of the parts.
        """
        if self.distinct is None:
            return _moments(self.bins.lows, self.bins.counts)
        assert self.pivot is not None
        return self.pivot, self.offset, self.squares

    @property
    def mean(self) -> float:
        """The mean of the finite values; there must be some."""
        pivot, offset, _ = self.moments()
        return float(pivot) + offset

    @property
    def std(self) -> float:
        """The standard deviation of the finite values, as a population; there must be some."""
        return math.sqrt(max(0.0, self.moments()[2] / self.bins.total))

    def count_distinct(self) -> Distinct:
        """Return the number of distinct finite values."""
        return Distinct(len(self.bins.keys)) if self.distinct is None else self.distinct.estimate()

    def profile(self, present: int, values: int) -> FeatureProfile:
        """Return what is known of the column, given the rows with a value and the number of values."""
        bins = self.bins
        count = bins.total
        numeric = FeatureProfile(self.type, present, values, self.zeros, self.nan, self.above + self.below)
        if not count:
            return replace(numeric, counts=Values((), True))
        return replace(
            numeric,
            mean=self.mean,
            std=self.std,
            min=bins.lows[0].item(),
            max=bins.highs[-1].item(),
            distinct=self.count_distinct(),
            percentiles=shape.percentiles(bins),
            histogram=shape.histogram(bins, self.type == INT),
            counts=self._values(),
        )

    def _values(self) -> Values:
        bins, listed = self.bins, self._limits.listed
        alone = bins.lows == bins.highs
        is_complete = bool(alone.all()) and len(bins.keys) <= listed
        return Values(
            most_frequent(bins.lows[alone].tolist(), bins.counts[alone].tolist(), listed if is_complete else _LISTED),
            is_complete,
        )


def _moments(numbers: Numbers, counts: Counts) -> tuple[Number, float, float]:
    """Return the pivot, the offset and the squares of some numbers with their counts."""
    offsets = _offsets(numbers)
    offset = float(np.average(offsets, weights=counts))
    return numbers[0].item(), offset, float(((offsets - offset) ** 2 * counts).sum())


def _offsets(numbers: Numbers) -> npt.NDArray[np.float64]:
    """Return the distances of numbers from the first."""
    if numbers.dtype == np.int64 and int(numbers.max()) - int(numbers.min()) < 2**63:
        numbers = numbers - numbers[0]
    floats: npt.NDArray[np.float64] = numbers.astype(np.float64)
    return floats - float(floats[0])


def _hashes_of(bins: Bins) -> Hashes:
    """Return the hashes of bins that have one value each."""
    kind = pa.int64() if bins.lows.dtype == np.int64 else pa.float64()
    return hash_values(pa.array(bins.lows, kind))
