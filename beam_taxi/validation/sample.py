"""One sample of a feature, as TFDV's statistics describe it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.statistics import distribution
from beam_taxi.statistics.distribution import Distribution
from beam_taxi.statistics.merge import count_nans

DESIGN_EFFECT = 2.0
"""Number of rows that count as one independent row, if rows have weights that the statistics do not describe.

It is Kish's 1 + (standard deviation / mean)² for weights that spread as far as their mean, as exponential ones do.
"""

NUMBERS, STRINGS, BYTES, OTHER = "numbers", "strings", "bytes", "other"
"""The statistics that a feature may have. Integers that the schema declares categorical have those of strings."""

_FIELDS = {"num_stats": NUMBERS, "string_stats": STRINGS, "bytes_stats": BYTES}
_TYPES = {0: "INT", 1: "FLOAT", 2: "STRING", 3: "BYTES", 4: "STRUCT"}
"""By FeatureNameStatistics.Type."""


@dataclass(frozen=True)
class Sample:
    """The statistics of one feature among `rows` rows, of which a share of `independence` counts as independent.

    Where TFDV has weighted statistics, shares, means and distances are weighted. Minimum, maximum, zeros, NaN, distinct
    values and lengths are not.
    """

    stats: statistics_pb2.FeatureNameStatistics
    rows: float
    weighted_rows: float = 0.0
    independence: float = 1.0

    @cached_property
    def kind(self) -> str:
        """The kind of statistics that the feature has."""
        return _FIELDS.get(self.stats.WhichOneof("stats") or "string_stats", OTHER)

    @cached_property
    def type(self) -> str:
        """The type of the values, such as `INT`."""
        return _TYPES.get(self.stats.type, OTHER)

    @cached_property
    def _common(self) -> Any:
        return getattr(self.stats, self.stats.WhichOneof("stats") or "string_stats").common_stats

    @cached_property
    def weighted(self) -> bool:
        """Whether there are weighted statistics."""
        return bool(self._common.HasField("weighted_common_stats")) and self.weighted_rows > 0

    @cached_property
    def present(self) -> float:
        """Rows with a value; an empty string is not one."""
        return max(0.0, min(self.rows, float(self._common.num_non_missing)) - self._empty(False))

    @cached_property
    def total(self) -> float:
        """Values in all rows, unweighted."""
        return max(float(self._common.tot_num_values), 1.0)

    @cached_property
    def missing(self) -> float:
        """Share of the rows, by their weight, without a value."""
        if self.weighted:
            present = self._common.weighted_common_stats.num_non_missing - self._empty(True)
            return min(1.0, max(0.0, 1 - float(present) / self.weighted_rows))
        return min(1.0, max(0.0, 1 - self.present / self.rows)) if self.rows else 0.0

    @cached_property
    def size(self) -> float:
        """The effective number of rows with a value."""
        return self.present * (self.independence if self.weighted else 1.0)

    @cached_property
    def row_size(self) -> float:
        """The effective number of rows."""
        return self.rows * (self.independence if self.weighted else 1.0)

    @cached_property
    def numbers(self) -> Any:
        """TFDV's moments and histograms, weighted if possible."""
        stats = self.stats.num_stats
        return stats.weighted_numeric_stats if self.weighted and stats.HasField("weighted_numeric_stats") else stats

    @cached_property
    def distribution(self) -> Distribution | None:
        """The distribution of a numeric feature's finite values, None without any."""
        return distribution.from_statistics(self.numbers) if self.kind == NUMBERS else None

    @cached_property
    def not_finite(self) -> float:
        """Values that are NaN or infinite. Infinities have buckets of their own in TFDV's equi-width histogram."""
        standard = [h for h in self.stats.num_stats.histograms if h.type == statistics_pb2.Histogram.STANDARD]
        infinite = sum(b.sample_count for h in standard for b in h.buckets if math.isinf(b.low_value))
        return float(infinite + count_nans(self.stats.num_stats))

    @cached_property
    def range(self) -> tuple[float, float] | None:
        """The least and the greatest finite value, None without any."""
        found = [b for h in self.stats.num_stats.histograms for b in h.buckets]
        ends = [x for b in found for x in (b.low_value, b.high_value) if math.isfinite(x)]
        return (min(ends), max(ends)) if ends else None

    @cached_property
    def counts(self) -> dict[str, float]:
        """Rows by listed value, by their weight; the empty string is left out."""
        return {value: count for value, count in self._listed(True).items() if value and count > 0}

    @cached_property
    def values(self) -> float:
        """Rows with a value, by their weight: what `counts` are shares of."""
        if self.weighted:
            return float(self._common.weighted_common_stats.num_non_missing) - self._empty(True)
        return self.present

    @cached_property
    def complete(self) -> bool:
        """Whether all values of a string feature are listed."""
        return sum(self.counts.values()) >= self.values * (1 - 1e-6)

    @cached_property
    def unlisted(self) -> float:
        """The largest share that a value may have that is not listed."""
        if self.complete or not self.counts:
            return 0.0
        return min(self.counts.values()) / self.values

    @cached_property
    def distinct(self) -> float:
        """TFDV's estimate of the number of distinct strings."""
        return float(self.stats.bytes_stats.unique if self.kind == BYTES else self.stats.string_stats.unique)

    @cached_property
    def length(self) -> float:
        """Mean length of strings in characters, or of bytes."""
        return float(self.stats.bytes_stats.avg_num_bytes if self.kind == BYTES else self.stats.string_stats.avg_length)

    def as_numbers(self) -> Sample | None:
        """Return a sample of integers with statistics of strings as one of numbers, or None if some are not listed.

        It has only those statistics of numbers that drift is measured by.
        """
        if self.kind != STRINGS or self.type != "INT" or not self.counts or not self.complete:
            return None
        stats = statistics_pb2.FeatureNameStatistics(path=self.stats.path, type=self.stats.type)
        numbers = stats.num_stats
        numbers.common_stats.CopyFrom(self._common)
        _describe(numbers, self._listed(False))
        if self.weighted:
            _describe(numbers.weighted_numeric_stats, self._listed(True))
        return replace(self, stats=stats)

    def _listed(self, weighted: bool) -> dict[str, float]:
        if self.kind != STRINGS:
            return {}
        strings: Any = self.stats.string_stats
        if weighted and self.weighted and strings.HasField("weighted_string_stats"):
            strings = strings.weighted_string_stats
        listed = {bucket.label: bucket.sample_count for bucket in strings.rank_histogram.buckets}
        return listed or {value.value: value.frequency for value in strings.top_values}

    def _empty(self, weighted: bool) -> float:
        return self._listed(weighted).get("", 0.0)


def alike(now: Sample, base: Sample) -> tuple[Sample, Sample]:
    """Return two samples with statistics of the same kind, if possible.

    Integers have statistics of strings if the schema makes them categorical, also by a `bool_domain`; a baseline from
    before that schema has statistics of numbers.
    """
    if now.kind == NUMBERS and base.type == "INT":
        return now, base.as_numbers() or base
    if base.kind == NUMBERS and now.type == "INT":
        return now.as_numbers() or now, base
    return now, base


def _describe(numbers: Any, counts: Mapping[str, float]) -> None:
    """Set the moments, range and buckets of numeric statistics from the counts of integers."""
    found = sorted((int(value), count) for value, count in counts.items() if count > 0)
    total = math.fsum(count for _, count in found)
    numbers.mean = math.fsum(value * count for value, count in found) / total
    numbers.std_dev = math.sqrt(math.fsum((value - numbers.mean) ** 2 * count for value, count in found) / total)
    if isinstance(numbers, statistics_pb2.NumericStatistics):
        numbers.min, numbers.max = found[0][0], found[-1][0]
        numbers.num_zeros = round(dict(found).get(0, 0))
    histogram = numbers.histograms.add(type=statistics_pb2.Histogram.QUANTILES)
    for value, count in found:
        histogram.buckets.add(low_value=value, high_value=value, sample_count=count)


def samples(
    statistics: statistics_pb2.DatasetFeatureStatistics, weight_feature: str | None = None
) -> dict[str, Sample]:
    """Return the samples of a data set by feature; the steps of a path are joined by dots.

    The effective number of rows is Kish's, from the mean and standard deviation of the weight feature (Kish, Survey
    Sampling, 1965, 11.7), which ignores that weights may depend on whether a feature is missing. If the weight feature
    is unknown or not among the features, it is approximated by `DESIGN_EFFECT`.
    """
    named = {".".join(one.path.step) or one.name: one for one in statistics.features}
    rows, weighted_rows = float(statistics.num_examples), float(statistics.weighted_num_examples)
    independence = 1 / DESIGN_EFFECT
    weights = named.get(weight_feature or "")
    if weights is not None and weights.HasField("num_stats") and weights.num_stats.mean > 0:
        independence = 1 / (1 + (weights.num_stats.std_dev / weights.num_stats.mean) ** 2)
    return {name: Sample(one, rows, weighted_rows, independence) for name, one in named.items()}
