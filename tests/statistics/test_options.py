"""TFDV's options, and their JSON, from which TFDV computes the same statistics."""

from __future__ import annotations

import json

import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import json_format

from beam_taxi.settings import Settings, StatisticsSettings
from beam_taxi.statistics.options import options_json, stats_options

CASES = {
    "defaults": (StatisticsSettings(), None, None),
    "other numbers": (StatisticsSettings(histogram_buckets=3, quantile_buckets=4, top_k=5), None, None),
    "weight": (StatisticsSettings(weight_feature="w"), None, None),
    "slices": (
        StatisticsSettings(slice_features=("a", "b")),
        None,
        {"slicing_specs": [{"feature_keys": ["a"]}, {"feature_keys": ["b"]}]},
    ),
    "columns": (StatisticsSettings(features=("x",), label="y", weight_feature="w"), ["w", "x", "y"], None),
}


@pytest.mark.parametrize(("given", "columns", "slices"), CASES.values(), ids=CASES)
def test_tfdv_reads_the_options(given: StatisticsSettings, columns: list[str] | None, slices: object):
    schema = 'feature { name: "x" type: FLOAT }'
    options = tfdv.StatsOptions.from_json(
        options_json(Settings(("x",), "/out/r", "r", schema=schema, statistics=given))
    )
    assert options.feature_allowlist == columns
    config = options.slicing_config
    assert (config and json_format.MessageToDict(config, preserving_proto_field_name=True)) == slices
    # TFX refuses a schema that is also an input.
    assert options.schema is None
    # TFX writes each part as a data set of its own.
    assert (options.experimental_result_partitions, options.experimental_num_feature_partitions) == (1, 1)
    options.feature_allowlist = options.slicing_config = None
    ours = stats_options(given)
    ours.experimental_result_partitions = 1
    assert json.loads(options.to_json()) == json.loads(ours.to_json())
