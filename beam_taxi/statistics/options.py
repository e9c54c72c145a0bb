"""TFDV's options from the settings of a run."""

from __future__ import annotations

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.settings import Settings


def stats_options(settings: Settings) -> tfdv.StatsOptions:
    """Return TFDV's options for these settings; a given schema says which integers are categorical."""
    statistics = settings.statistics
    return tfdv.StatsOptions(
        schema=None if settings.schema is None else text_format.Parse(settings.schema, schema_pb2.Schema()),
        weight_feature=statistics.weight_feature,
        num_top_values=statistics.top_k,
        num_rank_histogram_buckets=1000,
        num_histogram_buckets=statistics.histogram_buckets,
        num_quantiles_histogram_buckets=statistics.quantile_buckets,
    )
