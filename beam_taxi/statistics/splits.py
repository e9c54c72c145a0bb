"""Separate the statistics of all splits and slices into those of each split."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from tensorflow_metadata.proto.v0 import statistics_pb2

ALL_ROWS = "All Examples"
"""TFDV's name for the data set of all rows, if there are slices."""

SEPARATOR = ":"
"""Separates a split from a slice key; names of splits do not contain it."""


def by_split(
    parts: Iterable[statistics_pb2.DatasetFeatureStatisticsList], splits: Iterable[str]
) -> dict[str, statistics_pb2.DatasetFeatureStatisticsList]:
    """Return the statistics of each split, from data sets named by split or by split and slice key.

    The features of a data set may be in several parts. The data set of all rows comes first, then the slices by name;
    features are sorted by name. A split without rows has an empty data set.
    """
    found = {split: statistics_pb2.DatasetFeatureStatisticsList() for split in splits}
    datasets = (dataset for part in parts for dataset in part.datasets)
    for name, same in groupby(sorted(datasets, key=lambda one: one.name), key=lambda one: one.name):
        split, _, slice_key = name.partition(SEPARATOR)
        if split in found:
            merged = found[split].datasets.add()
            for dataset in same:
                merged.MergeFrom(dataset)
            merged.name = slice_key
    for one in found.values():
        if not one.datasets:
            one.datasets.add()
        if len(one.datasets) > 1:
            one.datasets[0].name = ALL_ROWS
        for dataset in one.datasets:
            dataset.features.sort(key=lambda feature: tuple(feature.path.step))
    return found


def overall(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> statistics_pb2.DatasetFeatureStatistics:
    """Return the data set of all rows."""
    by_name = {dataset.name: dataset for dataset in statistics.datasets}
    found: statistics_pb2.DatasetFeatureStatistics = by_name.get(ALL_ROWS, statistics.datasets[0])
    return found
