"""TFDV's statistics of a data set, computed from its counts instead of its rows.

What TFDV counts is exact. Its quantiles are sketches; here they are those of the counts, and go through TFDV's own
functions, so that the histograms are the same wherever both know all values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from tensorflow_data_validation.utils import quantiles_util
from tensorflow_metadata.proto.v0.statistics_pb2 import (
    CommonStatistics,
    DatasetFeatureStatistics,
    FeatureNameStatistics,
    Histogram,
    NumericStatistics,
    StringStatistics,
)

from beam_taxi.run.profile import FLOAT, INT, STRING
from beam_taxi.settings import StatisticsSettings
from beam_taxi.statistics.histograms import equi_width_histogram
from beam_taxi.statistics.merge import RANKED_VALUES
from beam_taxi.statistics.profile.bins import Bins
from beam_taxi.statistics.profile.dataset import DatasetCounts, Rows
from beam_taxi.statistics.profile.numbers import NumberCounts
from beam_taxi.statistics.profile.texts import TextCounts

_TYPES = {INT: FeatureNameStatistics.INT, FLOAT: FeatureNameStatistics.FLOAT, STRING: FeatureNameStatistics.STRING}
_LENGTH_BUCKETS = 10
"""TFDV's `num_values_histogram_buckets`, whose default no option of ours changes."""

_PER_BUCKET = 100
"""Quantiles for each bucket, from which TFDV computes the equi-width histogram."""

_LONGEST = 1024
_LARGE, _NOT_TEXT = b"__LARGE_BYTES__", b"__BYTES_VALUE__"
"""What TFDV lists instead of values of more bytes, and of values that are not UTF-8."""

Quantiles = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Boundaries, and the number of values up to each of them."""


def statistics_of(counts: DatasetCounts, name: str, settings: StatisticsSettings) -> DatasetFeatureStatistics:
    """Return the statistics of a data set, with its columns by name; statistics by weight are left out."""
    counts.compact()
    dataset = DatasetFeatureStatistics(name=name, num_examples=counts.rows)
    for column, found in sorted(counts.columns.items()):
        feature = dataset.features.add(type=_TYPES[found.type or STRING])
        feature.path.step.append(column)
        if found.type in (INT, FLOAT):
            _add_common(found.rows, counts.rows, feature.num_stats.common_stats)
            if isinstance(found.counts, NumberCounts):
                _add_numbers(found.counts, feature.num_stats, settings)
        else:
            _add_common(found.rows, counts.rows, feature.string_stats.common_stats)
            if isinstance(found.counts, TextCounts):
                _add_strings(found.counts, feature.string_stats, settings)
    return dataset


def _add_common(rows: Rows, total: int, common: CommonStatistics) -> None:
    common.num_non_missing = rows.empty + rows.present
    common.num_missing = total - common.num_non_missing
    if not common.num_non_missing:
        return
    common.min_num_values = 0 if rows.empty else rows.shortest
    common.max_num_values = rows.longest
    common.tot_num_values = rows.values
    common.avg_num_values = rows.values / common.num_non_missing
    lengths = _runs([(0.0, rows.empty), (1.0, rows.single)], rows.longer, [])
    common.num_values_histogram.CopyFrom(
        quantiles_util.generate_quantiles_histogram(*lengths.quantiles(_LENGTH_BUCKETS))
    )


def _add_numbers(found: NumberCounts, stats: NumericStatistics, settings: StatisticsSettings) -> None:
    runs = _runs([(-np.inf, found.below)], found.bins, [(np.inf, found.above)])
    if not runs.total:
        for kind in (Histogram.STANDARD, Histogram.QUANTILES) if found.nan else ():
            stats.histograms.add(type=kind, num_nan=found.nan)
        return
    stats.mean, stats.std_dev = _moments(found)
    stats.num_zeros = found.zeros
    stats.min, stats.max = runs.lows[0], runs.highs[-1]
    quantiles = runs.quantiles(_PER_BUCKET * settings.quantile_buckets)
    stats.median = float(quantiles_util.find_median(quantiles[0]))
    ends = np.concatenate([found.bins.lows[:1], found.bins.highs[-1:]]).astype(np.float64).tolist()
    low, high = ends or (np.inf, -np.inf)
    equal = equi_width_histogram(*quantiles, low, high, settings.histogram_buckets, found.above)
    by_rank = quantiles_util.generate_quantiles_histogram(*quantiles_util.rebin_quantiles(*quantiles, _PER_BUCKET))
    for histogram in (equal, by_rank):
        histogram.num_nan = found.nan
        stats.histograms.append(histogram)


def _moments(found: NumberCounts) -> tuple[float, float]:
    """Return mean and standard deviation; TFDV has these of infinite values."""
    return (np.nan, 0.0) if found.above or found.below else (found.mean, found.std)


class _Runs:
    """Ranges of values in ascending order, with the number of values in each."""

    def __init__(self, lows: Sequence[float], highs: Sequence[float], counts: Sequence[int]) -> None:
        is_used = np.array(counts, np.int64) > 0
        self.lows = np.array(lows, np.float64)[is_used]
        self.highs = np.array(highs, np.float64)[is_used]
        self._counts = np.array(counts, np.int64)[is_used]
        self.total = int(self._counts.sum())

    def quantiles(self, buckets: int) -> Quantiles:
        """Return the boundaries of buckets of about the same size, each the largest value of a range."""
        ends = np.cumsum(self._counts)
        # As TFDV's sketch has it, in the same floating point: the value of rank q * n, counted from 0, is at q.
        ranks = np.arange(buckets + 1) * (self.total / buckets)
        ranks = np.minimum(ranks, self.total - 1)
        found = np.searchsorted(ends, ranks, side="right")
        boundaries, upto = self.highs[found], ends[found].astype(np.float64)
        if self.lows[0] < self.highs[0]:
            # All that is known of the smallest value is that it occurs.
            boundaries[0], upto[0] = self.lows[0], 1.0
        return boundaries, upto


def _runs(before: Sequence[tuple[float, int]], bins: Bins, after: Sequence[tuple[float, int]]) -> _Runs:
    lows, highs = bins.lows.astype(np.float64), bins.highs.astype(np.float64)
    values, counts = [one for one, _ in before], [count for _, count in before]
    others, more = [one for one, _ in after], [count for _, count in after]
    return _Runs(
        [*values, *lows.tolist(), *others],
        [*values, *highs.tolist(), *others],
        [*counts, *bins.counts.tolist(), *more],
    )


def _add_strings(found: TextCounts, stats: StringStatistics, settings: StatisticsSettings) -> None:
    stats.unique = found.count_distinct().value
    stats.avg_length = found.bytes / max(1, found.total)
    stats.invalid_utf8_count = found.all_looks().counts["invalid"]
    ranked = list(_ranked(found))
    for value, count in ranked[: settings.top_k]:
        stats.top_values.add(value=value, frequency=count)
    stats.rank_histogram.SetInParent()
    for rank, (value, count) in enumerate(ranked[:RANKED_VALUES]):
        stats.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=value, sample_count=count)


def _ranked(found: TextCounts) -> Iterator[tuple[str, int]]:
    """Yield values with their counts in TFDV's order: by count, then by value, the largest first."""
    counts: dict[bytes, int] = {}
    for value, count in zip(found.values.to_pylist(), found.counts.tolist(), strict=True):
        shown = _shown(value)
        # The error is that of one value, not of many that are shown as one.
        if found.distinct is None or shown == value:
            counts[shown] = counts.get(shown, 0) + count
    yield from (
        (value.decode(), count)
        for value, count in sorted(counts.items(), key=lambda one: (one[1], one[0]), reverse=True)
    )


def _shown(value: bytes) -> bytes:
    try:
        value.decode()
    except UnicodeDecodeError:
        return _NOT_TEXT
    return _LARGE if len(value) > _LONGEST else value
