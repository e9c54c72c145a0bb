"""TFDV's options from the settings of a run."""

from __future__ import annotations

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.public.proto import slicing_spec_pb2

from beam_taxi.settings import Settings, StatisticsSettings
from beam_taxi.statistics.merge import RANKED_VALUES

_PARTITIONS = 1024
"""Parts into which TFDV merges the statistics of all features.

It adds the statistics of ten features at a time to those that it has merged, which it parses and serializes again, so
the time of a part grows with the square of its features. This many parts have less than ten of some thousand columns.
"""

_COLUMNS_AT_ONCE = 500
"""Columns whose sketches are one element, of some 50 MB. One of more than 2 GB cannot be sent, and Beam copies each."""


def stats_options(settings: StatisticsSettings, schema: str | None = None, columns: int = 0) -> tfdv.StatsOptions:
    """Return TFDV's options for these settings; a given schema, as text, decides which integers are categorical.

    The sketches of more than 500 columns are several elements, which are merged one after the other.
    """
    return tfdv.StatsOptions(
        schema=None if schema is None else text_format.Parse(schema, schema_pb2.Schema()),
        weight_feature=settings.weight_feature,
        num_top_values=settings.top_k,
        num_rank_histogram_buckets=RANKED_VALUES,
        # The default of 1 leaves out values with a smaller sum of weights, so merged splits would lack values.
        weighted_frequency_threshold=0,
        num_histogram_buckets=settings.histogram_buckets,
        num_quantiles_histogram_buckets=settings.quantile_buckets,
        experimental_result_partitions=_PARTITIONS,
        experimental_num_feature_partitions=max(1, -(-columns // _COLUMNS_AT_ONCE)),
    )


def options_json(settings: Settings) -> str:
    """Return TFDV's options for these settings as JSON that `tfdv.StatsOptions.from_json` reads.

    Columns and slices are chosen before TFDV sees the rows; here they are options, so that TFDV computes the same from
    the Examples. The given schema is left out: TFX's StatisticsGen has it as an input, and refuses it in both places.
    """
    chosen = settings.statistics
    options = stats_options(chosen)
    options.feature_allowlist = chosen.described_columns() or None
    if chosen.slice_features:
        specs = [slicing_spec_pb2.SlicingSpec(feature_keys=[name]) for name in chosen.slice_features]
        options.slicing_config = slicing_spec_pb2.SlicingConfig(slicing_specs=specs)
    return str(options.to_json())
