"""TFDV's statistics of all splits, and their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PCollection, TaggedOutput
from tensorflow_data_validation.statistics.stats_impl import GenerateSlicedStatisticsImpl
from tensorflow_data_validation.utils.slicing_util import generate_slices, get_feature_value_slicer
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.folder import STATISTICS, RunFolder, statistics_path
from beam_taxi.run.manifest import Artifact
from beam_taxi.settings import Settings
from beam_taxi.statistics.options import options_json, stats_options
from beam_taxi.statistics.redact import redact_statistics
from beam_taxi.statistics.splits import SEPARATOR, by_split, overall
from beam_taxi.transforms.write_examples import SplitBatch

StatisticsBySplit = Mapping[str, statistics_pb2.DatasetFeatureStatisticsList]


class ComputedStatistics(NamedTuple):
    """The output of `ComputeStatistics`: parts of its artifact, and one mapping from splits to their statistics.

    `batches` are the rows that they are of, by split, and by split and slice. `options` are TFDV's, as JSON.
    """

    artifacts: PCollection[Artifact]
    statistics: PCollection[StatisticsBySplit]
    batches: PCollection[SplitBatch]
    options: str


class ComputeStatistics(beam.PTransform):
    """Compute TFDV's statistics of all splits at once: for each, a data set of all rows, and one of each slice.

    TFDV's `GenerateStatistics` is the same transform with one key for all rows. A copy of it for each split would take
    twice as long to build, and have twice as many stages. `columns` is the number of columns, if known.

        computed = examples.batches | ComputeStatistics(settings, len(plan.columns))
    """

    def __init__(self, settings: Settings, columns: int = 0) -> None:
        super().__init__()
        self._settings = settings
        self._columns = len(settings.statistics.described_columns()) or columns

    def expand(self, batches: PCollection[SplitBatch]) -> ComputedStatistics:
        settings = self._settings
        slicers = [get_feature_value_slicer({name: None}) for name in settings.statistics.slice_features]
        if slicers:
            batches = batches | "Slice" >> beam.FlatMap(_slices, slicers).with_output_types(tuple[str, pa.RecordBatch])
        options = stats_options(settings.statistics, settings.schema, self._columns)
        write = beam.ParDo(_WriteStatistics(settings)).with_output_types(Artifact, statistics=StatisticsBySplit)
        outputs = (
            batches
            | "Generate" >> GenerateSlicedStatisticsImpl(options, is_slicing_enabled=True)
            | "Gather" >> beam.combiners.ToList()
            | "WriteStatistics" >> write.with_outputs("statistics", main="artifacts")
        )
        return ComputedStatistics(outputs.artifacts, outputs.statistics, batches, options_json(settings))


def _slices(keyed: SplitBatch, slicers: Iterable[Any]) -> Iterator[SplitBatch]:
    """Yield a batch, and its slices, whose keys follow that of the split."""
    split, batch = keyed
    yield keyed
    for key, part in generate_slices(batch, slicers):
        yield f"{split}{SEPARATOR}{key}", part


class _WriteStatistics(beam.DoFn):
    def __init__(self, settings: Settings) -> None:
        self._folder = RunFolder(settings.run_uri)
        self._splits = [split.name for split in settings.splits]
        self._redacted = settings.columns.redacted

    def process(
        self, parts: Sequence[statistics_pb2.DatasetFeatureStatisticsList]
    ) -> Iterator[Artifact | TaggedOutput]:
        published: dict[str, statistics_pb2.DatasetFeatureStatisticsList] = {}
        for split, computed in by_split(parts, self._splits).items():
            redact_statistics(computed, self._redacted)
            content = computed.SerializeToString(deterministic=True)
            # Sketches depend on the order in which they are merged, so a second execution may differ in a digit.
            file, content = self._folder.publish_bytes(STATISTICS, statistics_path(split), content, split)
            published[split] = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
            rows = int(overall(published[split]).num_examples)
            yield Artifact(STATISTICS, "ExampleStatistics", (replace(file, rows=rows),))
        yield TaggedOutput("statistics", published)
