"""The profile of data of which only TFDV's statistics are known: what they count is exact, the rest is estimated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.profile import (
    FLOAT,
    INT,
    STRING,
    DatasetProfile,
    Distinct,
    FeatureProfile,
    Lengths,
    Number,
    Profile,
    ValueCount,
    Values,
)
from beam_taxi.statistics.estimated_shape import Counts, Shape, shape_of_counts, shape_of_histograms
from beam_taxi.statistics.merge import common_stats_of, count_nans, path_of
from beam_taxi.statistics.sketches import DISTINCT
from beam_taxi.statistics.splits import overall

Feature: TypeAlias = statistics_pb2.FeatureNameStatistics

_TYPES = {Feature.INT: INT, Feature.FLOAT: FLOAT, Feature.STRING: STRING, Feature.BYTES: STRING}
"""Types of columns; a struct is none, and the features in it are columns of their own."""

_EXACT = 2.0**53
"""The largest integer to which all are exact as floats, which is what TFDV's figures are."""

_NOT_TEXT = "__BYTES_VALUE__"
"""What TFDV writes instead of a value that is not valid UTF-8."""


def estimated_profile(
    statistics: Mapping[str, statistics_pb2.DatasetFeatureStatisticsList], label: str | None = None
) -> Profile:
    """Return the profile of splits from their statistics, with their slices; weighted statistics are not used.

    Exact are the numbers of rows, of present cells and of values, zeros, NaN, mean, standard deviation, minimum and
    maximum; the last four are None if TFDV computed them from infinite values, or rounded them. A cell with an empty
    list is present here, since TFDV does not tell it from others. Values, percentiles and bars are exact if the
    statistics prove them. A number of distinct values that is 0 and not exact is unknown: TFDV does not count those of
    numbers.

        estimated_profile(read_statistics("out/RUN")).splits()["train"].features["fare"].percentiles["50"]
    """
    return Profile(tuple(one for split, found in statistics.items() for one in _datasets(split, found)), label)


def _datasets(split: str, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> list[DatasetProfile]:
    """Return the data set of all rows, then the slices."""
    if not statistics.datasets:
        return [DatasetProfile(split, 0)]
    whole = overall(statistics)
    slices = [one for one in statistics.datasets if one is not whole and one.name != whole.name]
    return [_dataset(split, whole, ""), *(_dataset(split, one, one.name) for one in slices)]


def _dataset(split: str, dataset: statistics_pb2.DatasetFeatureStatistics, slice_key: str) -> DatasetProfile:
    features = {".".join(path_of(one)): _feature(one) for one in dataset.features if one.type in _TYPES}
    return DatasetProfile(split, dataset.num_examples, features, slice_key)


def _feature(feature: Feature) -> FeatureProfile:
    common = common_stats_of(feature)
    type_ = _TYPES[feature.type]
    values = int(common.tot_num_values)
    if not values:
        return FeatureProfile(type_, int(common.num_non_missing), 0, counts=Values(complete=True))
    kind = feature.WhichOneof("stats")
    if kind == "num_stats":
        return _numbers(type_, feature.num_stats)
    if kind == "string_stats" and type_ == STRING:
        return _strings(feature.string_stats)
    if kind == "string_stats":
        return _categories(type_, feature.string_stats)
    return _bytes(feature.bytes_stats)


def _numbers(type_: str, stats: statistics_pb2.NumericStatistics) -> FeatureProfile:
    common, nan = stats.common_stats, count_nans(stats)
    values = int(common.tot_num_values)
    infinite = _infinities(stats)
    finite = values - nan - infinite
    low, high = _range(type_, stats, infinite) if finite else (None, None)
    has_moments = finite > 0 and not infinite
    found = _provable(type_, stats, finite, low, high) if has_moments else None
    if found is not None:
        shape = shape_of_counts(found)
    elif low is not None and high is not None:
        shape = shape_of_histograms(stats, type_ == INT, finite, low, high)
    else:
        shape = Shape()
    return FeatureProfile(
        type_,
        int(common.num_non_missing),
        values,
        int(stats.num_zeros),
        nan,
        infinite,
        _if_finite(stats.mean) if has_moments else None,
        _if_finite(stats.std_dev) if has_moments else None,
        low,
        high,
        Distinct(0, exact=False) if found is None else Distinct(len(found)),
        shape.percentiles,
        shape.histogram,
        Values(exact=False) if found is None else _ranked(found, complete=True),
        _numbers_of_values(common),
    )


def _infinities(stats: statistics_pb2.NumericStatistics) -> int:
    """Return how many values are infinite; of those below zero, TFDV has an estimate."""
    return sum(
        round(bucket.sample_count)
        for histogram in stats.histograms
        if histogram.type == statistics_pb2.Histogram.STANDARD
        for bucket in histogram.buckets
        if math.isinf(bucket.low_value) or math.isinf(bucket.high_value)
    )


def _range(
    type_: str, stats: statistics_pb2.NumericStatistics, infinite: int
) -> tuple[Number, Number] | tuple[None, None]:
    """Return the smallest and the largest finite value; None where TFDV has rounded integers."""
    low, high = stats.min, stats.max
    if infinite:
        ends = [
            end
            for histogram in stats.histograms
            if histogram.type == statistics_pb2.Histogram.STANDARD
            for bucket in histogram.buckets
            for end in (bucket.low_value, bucket.high_value)
            if math.isfinite(end)
        ]
        if not ends:
            return None, None
        low, high = min(ends), max(ends)
    if type_ != INT:
        return low, high
    return (int(low), int(high)) if max(-low, high) <= _EXACT else (None, None)


def _provable(
    type_: str, stats: statistics_pb2.NumericStatistics, finite: int, low: Number | None, high: Number | None
) -> Counts | None:
    """Return the count of each value where range and mean leave only one possibility, such as for flags."""
    if low is None or high is None:
        return None
    if low == high:
        return {low: finite}
    if type_ != INT or high - low != 1:
        return None
    count = stats.num_zeros if high == 0 else finite - stats.num_zeros if low == 0 else None
    if count is None:
        count = round((stats.mean - low) * finite)
    return {low: finite - int(count), high: int(count)}


def _strings(stats: statistics_pb2.StringStatistics) -> FeatureProfile:
    common = stats.common_stats
    counts = _listed(stats)
    complete = sum(counts.values()) == common.tot_num_values
    length = None
    if complete:
        sizes = {value: len(value.encode()) for value in counts}
        mean = sum(sizes[value] * count for value, count in counts.items()) / common.tot_num_values
        length = Lengths(min(sizes.values()), mean, max(sizes.values()))
    return FeatureProfile(
        STRING,
        int(common.num_non_missing),
        int(common.tot_num_values),
        distinct=_distinct(stats, counts, complete),
        counts=_ranked(counts, complete),
        length=_numbers_of_values(common) or length,
    )


def _categories(type_: str, stats: statistics_pb2.StringStatistics) -> FeatureProfile:
    """Return the profile of numbers that the schema calls categorical: TFDV counts them like strings."""
    common = stats.common_stats
    read = float if type_ == FLOAT else int
    counts: Counts = {read(value): count for value, count in _listed(stats).items()}
    complete = sum(counts.values()) == common.tot_num_values
    profile = FeatureProfile(
        type_,
        int(common.num_non_missing),
        int(common.tot_num_values),
        counts.get(0, 0),
        distinct=_distinct(stats, counts, complete),
        counts=_ranked(counts, complete),
        length=_numbers_of_values(common),
    )
    return _with_moments(profile, counts) if complete else profile


def _with_moments(profile: FeatureProfile, counts: Counts) -> FeatureProfile:
    n = sum(counts.values())
    mean = math.fsum(value * count for value, count in counts.items()) / n
    variance = math.fsum((value - mean) ** 2 * count for value, count in counts.items()) / n
    shape = shape_of_counts(counts)
    return replace(
        profile,
        mean=mean,
        std=math.sqrt(variance),
        min=min(counts),
        max=max(counts),
        percentiles=shape.percentiles,
        histogram=shape.histogram,
    )


def _bytes(stats: statistics_pb2.BytesStatistics) -> FeatureProfile:
    common = stats.common_stats
    length = Lengths(round(stats.min_num_bytes), stats.avg_num_bytes, round(stats.max_num_bytes))
    return FeatureProfile(
        STRING,
        int(common.num_non_missing),
        int(common.tot_num_values),
        distinct=Distinct(int(stats.unique), False, DISTINCT),
        counts=Values(exact=False),
        length=_numbers_of_values(common) or length,
    )


def _listed(stats: statistics_pb2.StringStatistics) -> dict[str, int]:
    """Return the counts of the values that are listed, as far as they are text."""
    ranked = {one.label: int(one.sample_count) for one in stats.rank_histogram.buckets if one.low_rank == one.high_rank}
    found = ranked or {one.value: int(one.frequency) for one in stats.top_values}
    return {value: count for value, count in found.items() if value != _NOT_TEXT}


def _distinct(stats: statistics_pb2.StringStatistics, counts: Mapping[str, int] | Counts, complete: bool) -> Distinct:
    return Distinct(len(counts)) if complete else Distinct(int(stats.unique), False, DISTINCT)


def _ranked(counts: Mapping[str, int] | Counts, complete: bool) -> Values:
    pairs = sorted(counts.items(), key=lambda pair: pair[0])
    pairs.sort(key=lambda pair: -pair[1])
    return Values(tuple(ValueCount(value, count) for value, count in pairs), complete, exact=complete)


def _numbers_of_values(common: statistics_pb2.CommonStatistics) -> Lengths | None:
    """Return the lengths of lists; None if no row has more than one value."""
    if common.max_num_values <= 1:
        return None
    mean = common.tot_num_values / common.num_non_missing
    return Lengths(int(common.min_num_values), mean, int(common.max_num_values))


def _if_finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
