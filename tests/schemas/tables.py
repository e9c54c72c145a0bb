"""Tables for the tests of schemas, and TFDV's statistics of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.settings import StatisticsSettings
from beam_taxi.statistics.options import stats_options
from beam_taxi.tfexample.batches import to_list_columns

Cell = float | str | bytes | None

ARROW = {float: pa.float32(), int: pa.int64(), str: pa.large_string(), bytes: pa.large_binary()}


def table(columns: Mapping[str, Sequence[Cell]], **empty: type) -> pa.RecordBatch:
    """Return columns as a batch; the type is that of the first value, or given by name for columns without values."""
    arrays = {}
    for name, values in columns.items():
        kind = empty.get(name) or next((type(value) for value in values if value is not None), str)
        arrays[name] = pa.array(values, ARROW[kind])
    return pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays))


def statistics(batch: pa.RecordBatch, **settings: Any) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return TFDV's statistics with the options of a run."""
    options = stats_options(StatisticsSettings(**settings))
    return generate_statistics_in_memory(to_list_columns(batch), options)


def statistics_of(columns: Mapping[str, Sequence[Cell]], **empty: type) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return TFDV's statistics of a table."""
    return statistics(table(columns, **empty))
