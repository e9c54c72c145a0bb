"""What schemas depend on is merged exactly."""

from __future__ import annotations

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.statistics.merge import merge
from tests.schemas.tables import statistics_of


def test_what_is_merged():
    first = statistics_of({"n": [3.0, None, float("nan")], "s": ["a", "b", "b"], "e": [None, None, None]}, e=int)
    second = statistics_of({"n": [None, None], "s": ["c", "a"], "e": [2, 2]}, n=float)
    third = statistics_of({"n": [float("nan")]})
    merged = merge(one.datasets[0] for one in (first, second, third))
    e, n, s = merged.features
    assert merged.num_examples == 6
    assert [tuple(one.path.step) for one in merged.features] == [("e",), ("n",), ("s",)]
    assert (e.type, e.num_stats.min, e.num_stats.max) == (statistics_pb2.FeatureNameStatistics.INT, 2, 2)
    assert (n.num_stats.min, n.num_stats.max, n.num_stats.histograms[0].num_nan) == (3, 3, 2)
    assert (n.num_stats.common_stats.num_missing, n.num_stats.common_stats.tot_num_values) == (3, 3)
    assert s.string_stats.common_stats.num_missing == 1
    assert s.string_stats.unique == 3
    assert [(one.label, one.sample_count) for one in s.string_stats.rank_histogram.buckets] == [
        ("b", 2),
        ("a", 2),
        ("c", 1),
    ]


def test_a_single_part_is_returned_as_it_is():
    only = statistics_of({"n": [1.0, 2.0]}).datasets[0]
    assert merge([statistics_pb2.DatasetFeatureStatistics(), only]) is only
    assert merge([]) == statistics_pb2.DatasetFeatureStatistics(num_examples=0)


def test_truncated_ranks_keep_the_most_frequent():
    parts = [statistics_of({"s": [f"{half}{i}" for i in range(900)] + ["x"] * 3}).datasets[0] for half in "ab"]
    (feature,) = merge(parts).features
    buckets = feature.string_stats.rank_histogram.buckets
    assert (len(buckets), feature.string_stats.unique) == (1000, 1801)
    assert [(one.label, one.sample_count) for one in buckets[:2]] == [("x", 6), ("b99", 1)]


def test_lists_of_several_lengths():
    counts = [(1, 2, 5), (0, 0, 0), (3, 3, 3)]
    parts = []
    for low, high, total in counts:
        part = statistics_pb2.DatasetFeatureStatistics(num_examples=4)
        feature = part.features.add(type=statistics_pb2.FeatureNameStatistics.INT)
        feature.path.step.append("x")
        common = feature.num_stats.common_stats
        common.num_non_missing = 3 if total else 0
        common.min_num_values, common.max_num_values, common.tot_num_values = low, high, total
        parts.append(part)
    common = merge(parts).features[0].num_stats.common_stats
    assert (common.min_num_values, common.max_num_values, common.tot_num_values) == (1, 3, 8)
    assert (common.num_non_missing, common.num_missing) == (6, 6)
