"""Statistics and profiles without the values of columns that must not be shown."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.profile import DatasetProfile, Distinct, FeatureProfile, Profile, Sample, Values

_KEPT_OF_NUMBERS = {"common_stats", "num_zeros"}
_SHOWN_OF_STRINGS = ("top_values", "rank_histogram", "weighted_string_stats")


def redact_statistics(statistics: statistics_pb2.DatasetFeatureStatisticsList, columns: Collection[str]) -> None:
    """Remove the values of columns, in place: what is left are counts and lengths."""
    for dataset in statistics.datasets:
        for feature in dataset.features:
            if ".".join(feature.path.step) not in columns:
                continue
            del feature.custom_stats[:]
            if feature.HasField("num_stats"):
                for field, _ in feature.num_stats.ListFields():
                    if field.name not in _KEPT_OF_NUMBERS:
                        feature.num_stats.ClearField(field.name)
            elif feature.HasField("string_stats"):
                for name in _SHOWN_OF_STRINGS:
                    feature.string_stats.ClearField(name)


def redact_profile(profile: Profile, columns: Collection[str], distinct: Distinct | None = None) -> Profile:
    """Return a profile without the values of columns; `distinct` replaces their numbers of distinct values."""
    if not columns:
        return profile
    datasets = tuple(_redact_dataset(one, columns, distinct) for one in profile.datasets)
    return replace(profile, datasets=datasets, first=_redact_sample(profile.first, columns))


def _redact_dataset(dataset: DatasetProfile, columns: Collection[str], distinct: Distinct | None) -> DatasetProfile:
    features = {name: _redact(one, distinct) if name in columns else one for name, one in dataset.features.items()}
    return replace(dataset, features=features, sample=_redact_sample(dataset.sample, columns))


def _redact(one: FeatureProfile, distinct: Distinct | None) -> FeatureProfile:
    counted = (one.type, one.present, one.values, one.zeros, one.nan, one.infinite)
    return FeatureProfile(*counted, distinct=distinct or one.distinct, counts=Values(), length=one.length)


def _redact_sample(sample: Sample | None, columns: Collection[str]) -> Sample | None:
    if sample is None:
        return None
    kept = [number for number, name in enumerate(sample.columns) if name not in columns]
    cells = tuple(tuple(row[number] for number in kept) for row in sample.cells)
    return Sample(tuple(sample.columns[number] for number in kept), cells)
