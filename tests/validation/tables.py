"""Columns, and TFDV's statistics of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.settings import StatisticsSettings
from beam_taxi.statistics.options import stats_options

Statistics = statistics_pb2.DatasetFeatureStatistics
Values = Sequence[float | str | None] | np.ndarray


@cache
def options(weight_feature: str | None) -> tfdv.StatsOptions:
    """Return the product's options."""
    return stats_options(StatisticsSettings(weight_feature=weight_feature))


def statistics(columns: Mapping[str, Values], weight_feature: str | None = None) -> Statistics:
    """Return the statistics of columns; None is a missing cell."""
    arrays = [pa.array([None if v is None else [v] for v in column]) for column in columns.values()]
    batch = pa.RecordBatch.from_arrays(arrays, list(columns))
    return generate_statistics_in_memory(batch, options(weight_feature)).datasets[0]


def random(seed: int = 0) -> np.random.Generator:
    """Return a source of random numbers."""
    return np.random.default_rng(seed)


def words(shares: Mapping[str, float], rows: int) -> list[str]:
    """Return values in these shares exactly, up to rounding."""
    return [value for value, share in shares.items() for _ in range(round(share * rows))]
