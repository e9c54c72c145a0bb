"""Merge the statistics of several data sets, to infer a schema from them or to validate them against one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from tensorflow_metadata.proto.v0.statistics_pb2 import (
    CommonStatistics,
    DatasetFeatureStatistics,
    FeatureNameStatistics,
    Histogram,
    NumericStatistics,
    PresenceAndValencyStatistics,
    RankHistogram,
    StringStatistics,
)

Path = tuple[str, ...]

RANKED_VALUES = 1000
"""Maximum number of values of a string feature, the most frequent ones, that are kept with their counts."""


def merge(datasets: Iterable[DatasetFeatureStatistics]) -> DatasetFeatureStatistics:
    """Return the statistics of the rows of all data sets together, as far as schemas depend on them.

    These are exact: the numbers of examples, of missing and present features, of values and of NaNs, also by weight;
    the smallest and largest number of values, and value; the counts of strings. The type of a feature is taken from a
    data set in which it has values. Features are sorted by path.

    A data set with more than 1,000 different strings has a truncated rank histogram: the merged one then has the most
    frequent known strings, and `unique` is a lower bound. A merged histogram of numbers has the buckets of all parts,
    which may overlap. Averages, medians and the like are left out, since schemas do not depend on them.

    A single data set with examples is returned unchanged.

        schema = tfdv.infer_schema(DatasetFeatureStatisticsList(datasets=[merge([train, evaluation])]))
    """
    parts = [one for one in datasets if one.num_examples]
    if len(parts) == 1:
        return parts[0]
    merged = DatasetFeatureStatistics(num_examples=sum(one.num_examples for one in parts))
    weight = sum(one.weighted_num_examples for one in parts)
    if weight:
        merged.weighted_num_examples = weight
    by_path: dict[Path, list[FeatureNameStatistics]] = {}
    for part in parts:
        for feature in part.features:
            by_path.setdefault(path_of(feature), []).append(feature)
    for _, features in sorted(by_path.items()):
        merged.features.append(_merge_feature(features, merged))
    return merged


def path_of(feature: FeatureNameStatistics) -> Path:
    """Return the steps of a feature's path, or its name: older files have no paths."""
    return tuple(feature.path.step) or (feature.name,)


def common_stats_of(feature: FeatureNameStatistics) -> CommonStatistics:
    """Return the statistics that features of all types have; empty ones if a feature has none."""
    kind = feature.WhichOneof("stats")
    return getattr(feature, kind).common_stats if kind else CommonStatistics()


def _merge_feature(
    features: Sequence[FeatureNameStatistics], dataset: DatasetFeatureStatistics
) -> FeatureNameStatistics:
    # In TFDV, a column without values or a type is STRING, so any other type says more.
    with_values = [one for one in features if common_stats_of(one).num_non_missing]
    typed = with_values or sorted(features, key=lambda one: bool(one.type == FeatureNameStatistics.STRING))
    merged = FeatureNameStatistics(type=typed[0].type)
    if typed[0].HasField("path"):
        merged.path.CopyFrom(typed[0].path)
    else:
        merged.name = typed[0].name
    kind = typed[0].WhichOneof("stats")
    if kind is None:
        return merged
    getattr(merged, kind).SetInParent()
    _merge_common([common_stats_of(one) for one in with_values], common_stats_of(merged), dataset)
    same = [one for one in with_values if one.WhichOneof("stats") == kind]
    if kind == "num_stats":
        _merge_numbers([one.num_stats for one in same], merged.num_stats)
    elif kind == "string_stats":
        _merge_strings([one.string_stats for one in same], merged.string_stats)
    return merged


def _merge_common(
    parts: Sequence[CommonStatistics], merged: CommonStatistics, dataset: DatasetFeatureStatistics
) -> None:
    """Merge the common statistics of the parts in which a feature has values; it is missing from all other rows."""
    merged.num_non_missing = sum(one.num_non_missing for one in parts)
    merged.num_missing = dataset.num_examples - merged.num_non_missing
    merged.tot_num_values = sum(one.tot_num_values for one in parts)
    _merge_number_of_values(parts, merged)
    if merged.num_non_missing:
        merged.avg_num_values = merged.tot_num_values / merged.num_non_missing
    levels = zip_longest(*(one.presence_and_valency_stats for one in parts))
    for level, of_parts in enumerate(levels):
        present = [one for one in of_parts if one is not None and one.num_non_missing]
        added = merged.presence_and_valency_stats.add()
        added.num_non_missing = sum(one.num_non_missing for one in present)
        added.tot_num_values = sum(one.tot_num_values for one in present)
        missing = sum(one.num_missing for one in of_parts if one is not None)
        added.num_missing = missing if level else merged.num_missing
        _merge_number_of_values(present, added)
    if dataset.weighted_num_examples:
        _merge_weights(parts, merged, dataset)


def _merge_number_of_values(
    parts: Sequence[CommonStatistics | PresenceAndValencyStatistics],
    merged: CommonStatistics | PresenceAndValencyStatistics,
) -> None:
    if parts:
        merged.min_num_values = min(one.min_num_values for one in parts)
        merged.max_num_values = max(one.max_num_values for one in parts)


def _merge_weights(
    parts: Sequence[CommonStatistics], merged: CommonStatistics, dataset: DatasetFeatureStatistics
) -> None:
    weighted = merged.weighted_common_stats
    weighted.num_non_missing = sum(one.weighted_common_stats.num_non_missing for one in parts)
    weighted.tot_num_values = sum(one.weighted_common_stats.tot_num_values for one in parts)
    # The difference may have a rounding error, so it does not show whether values are missing.
    weighted.num_missing = dataset.weighted_num_examples - weighted.num_non_missing if merged.num_missing else 0
    for level, of_parts in enumerate(zip_longest(*(one.weighted_presence_and_valency_stats for one in parts))):
        added = merged.weighted_presence_and_valency_stats.add()
        present = [one for one in of_parts if one is not None]
        added.num_non_missing = sum(one.num_non_missing for one in present)
        added.tot_num_values = sum(one.tot_num_values for one in present)
        added.num_missing = sum(one.num_missing for one in present) if level else weighted.num_missing


def _merge_numbers(parts: Sequence[NumericStatistics], merged: NumericStatistics) -> None:
    """Merge range and histograms. A part with no values but NaN has no range; TFDV leaves its limits at 0."""
    with_range = [one for one in parts if one.common_stats.tot_num_values > count_nans(one)]
    if with_range:
        merged.min = min(one.min for one in with_range)
        merged.max = max(one.max for one in with_range)
    merged.num_zeros = sum(one.num_zeros for one in parts)
    for kind in (Histogram.STANDARD, Histogram.QUANTILES):
        same = [histogram for one in parts for histogram in one.histograms if histogram.type == kind]
        if same:
            added = merged.histograms.add(type=kind, num_nan=sum(one.num_nan for one in same))
            added.num_undefined = sum(one.num_undefined for one in same)
            added.buckets.extend(bucket for one in same for bucket in one.buckets)


def count_nans(stats: NumericStatistics) -> int:
    """Return how many values are NaN."""
    return max((int(histogram.num_nan) for histogram in stats.histograms), default=0)


def _merge_strings(parts: Sequence[StringStatistics], merged: StringStatistics) -> None:
    merged.invalid_utf8_count = sum(one.invalid_utf8_count for one in parts)
    known = _merge_ranks([one.rank_histogram for one in parts], merged.rank_histogram)
    merged.unique = max([known, *(one.unique for one in parts)])
    for value in merged.rank_histogram.buckets[: max((len(one.top_values) for one in parts), default=0)]:
        merged.top_values.add(value=value.label, frequency=value.sample_count)
    if any(one.HasField("weighted_string_stats") for one in parts):
        weighted = [one.weighted_string_stats.rank_histogram for one in parts]
        _merge_ranks(weighted, merged.weighted_string_stats.rank_histogram)


def _merge_ranks(parts: Sequence[RankHistogram], merged: RankHistogram) -> int:
    """Merge rank histograms in TFDV's order, by count and then by value; return the number of known values."""
    counts: Counter[str] = Counter()
    for part in parts:
        for bucket in part.buckets:
            counts[bucket.label] += bucket.sample_count
    ranked = sorted(counts.items(), key=lambda pair: (pair[1], pair[0].encode()), reverse=True)
    for rank, (value, count) in enumerate(ranked[:RANKED_VALUES]):
        merged.buckets.add(low_rank=rank, high_rank=rank, label=value, sample_count=count)
    return len(counts)
