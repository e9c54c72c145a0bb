"""The most frequent strings of columns with too many values to count, from TFDV's sketches."""

from __future__ import annotations

from dataclasses import replace

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.profile import STRING, DatasetProfile, FeatureProfile, Values
from beam_taxi.statistics.profile.values import most_frequent
from beam_taxi.statistics.splits import overall

_LISTED = 20


def add_ranked_values(
    profile: DatasetProfile, statistics: statistics_pb2.DatasetFeatureStatisticsList
) -> DatasetProfile:
    """Return the profile with the most frequent values of such columns, given the statistics of its split."""
    wanted = [
        name for name, one in profile.features.items() if one.type == STRING and one.values and not one.counts.counts
    ]
    if not wanted:
        return profile
    by_slice = {one.name: one for one in statistics.datasets}
    dataset = by_slice.get(profile.slice) if profile.slice else overall(statistics)
    features = {".".join(one.path.step): one for one in dataset.features} if dataset is not None else {}
    added = {name: _ranked(profile.features[name], features[name]) for name in wanted if name in features}
    return replace(profile, features={**profile.features, **added})


def _ranked(profile: FeatureProfile, statistics: statistics_pb2.FeatureNameStatistics) -> FeatureProfile:
    top = statistics.string_stats.top_values
    ranked = most_frequent([one.value for one in top], [round(one.frequency) for one in top], _LISTED)
    return replace(profile, counts=Values(ranked, exact=False))
