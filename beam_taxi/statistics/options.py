"""TFDV's options from the settings of a run."""

from __future__ import annotations

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.public.proto import slicing_spec_pb2

from beam_taxi.settings import Settings, StatisticsSettings
from beam_taxi.statistics.merge import RANKED_VALUES

_PARTITIONS = 1024
"""The number of parts in which TFDV merges the statistics of all features.

After every ten features it parses and serializes again all that it has merged, so the time for a part grows with the
square of its features. With several thousand columns, a part still has fewer than ten.
"""

_COLUMNS_AT_ONCE = 500
"""How many columns have their sketches in one element, of about 50 MB.

Beam copies each element, and cannot send one of more than 2 GB.
"""


def stats_options(settings: StatisticsSettings, schema: str | None = None, columns: int = 0) -> tfdv.StatsOptions:
    """Return TFDV's options for these settings; a given schema, as text, decides which integers are categorical.

    `columns` is the number of columns, if known. The sketches of more than 500 are several elements, which are merged
    one after the other.
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
    There is one part, since StatisticsGen would write each part as a data set of its own.
    """
    chosen = settings.statistics
    options = stats_options(chosen)
    options.experimental_result_partitions = 1
    options.feature_allowlist = chosen.described_columns() or None
    if chosen.slice_features:
        specs = [slicing_spec_pb2.SlicingSpec(feature_keys=[name]) for name in chosen.slice_features]
        options.slicing_config = slicing_spec_pb2.SlicingConfig(slicing_specs=specs)
    return str(options.to_json())
