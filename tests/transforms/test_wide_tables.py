"""The statistics of many columns, which are computed and merged in parts, are those of TFDV in one part."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow_data_validation as tfdv
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that
from tensorflow_data_validation.statistics.stats_impl import GenerateSlicedStatisticsImpl

from beam_taxi.settings import StatisticsSettings
from beam_taxi.statistics.options import stats_options
from beam_taxi.statistics.splits import by_split
from beam_taxi.tfexample.batches import to_list_columns

SPLITS = ("train", "eval", "empty")
COLUMNS = 12
ROWS = 300


def batches() -> list[tuple[str, pa.RecordBatch]]:
    generator = np.random.default_rng(1)
    kinds = (
        lambda: generator.lognormal(size=ROWS).astype(np.float32),
        lambda: generator.integers(0, 9, ROWS),
        lambda: np.array(["a", "b", "ü"])[generator.integers(0, 3, ROWS)],
    )
    table = pa.RecordBatch.from_pydict({f"column {i}": kinds[i % len(kinds)]() for i in range(COLUMNS)})
    lists = to_list_columns(table)
    return [("train", lists[:150]), ("train", lists[150:200]), ("train:a", lists[:150]), ("eval", lists[200:])]


def one_part(settings: StatisticsSettings) -> tfdv.StatsOptions:
    options = stats_options(settings)
    options.experimental_result_partitions = 1
    return options


def test_parts_have_the_statistics_of_all():
    settings = StatisticsSettings(weight_feature="column 0")
    with TestPipeline() as pipeline:
        rows = pipeline | beam.Create(batches())
        for name, options in (("one", one_part(settings)), ("several", stats_options(settings, columns=1200))):
            computed = rows | name >> GenerateSlicedStatisticsImpl(options, is_slicing_enabled=True)
            results = (
                computed | f"{name} Gather" >> beam.combiners.ToList() | f"{name} Key" >> beam.Map(lambda x: (0, x))
            )
            if name == "one":
                expected = results
        both = {"one": expected, "several": results} | beam.CoGroupByKey()
        assert_that(both, check_equal)


def check_equal(both: list[Any]) -> None:
    ((_, found),) = both
    one, several = (by_split(parts, SPLITS) for (parts,) in (found["one"], found["several"]))
    assert len(found["one"][0]) == 1 < len(found["several"][0])
    assert one == several
    assert {split: [len(data.features) for data in one[split].datasets] for split in SPLITS} == {
        "train": [COLUMNS, COLUMNS],
        "eval": [COLUMNS],
        "empty": [0],
    }
