"""Combining few keys: the same result, in shares if there is much to merge."""

from __future__ import annotations

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.combiners import CountCombineFn

from beam_taxi.transforms.combining import combine_globally, combine_per_key


@pytest.mark.parametrize(("count", "is_shared"), [(1, False), (512, False), (513, True), (300_000, True)])
def test_combining_per_key(count: int, is_shared: bool):
    with TestPipeline(runner="FnApiRunner") as pipeline:
        rows = pipeline | beam.Create([("a", 1), ("b", 2), ("a", 3)])
        assert_that(rows | "Count" >> combine_per_key(CountCombineFn(), count), equal_to([("a", 2), ("b", 1)]))
        labels = [one.unique_name for one in pipeline.to_runner_api().components.transforms.values()]
    assert any(label.startswith("Count/") and "Hot" in label for label in labels) == is_shared


@pytest.mark.parametrize(("count", "is_shared"), [(512, False), (513, True)])
def test_combining_globally(count: int, is_shared: bool):
    with TestPipeline(runner="FnApiRunner") as pipeline:
        rows = pipeline | beam.Create(["a", "b", "a"])
        assert_that(rows | "Count" >> combine_globally(CountCombineFn(), count), equal_to([3]))
        labels = [one.unique_name for one in pipeline.to_runner_api().components.transforms.values()]
    assert any(label.startswith("Count/") and "Hot" in label for label in labels) == is_shared
