"""A pass before the second: how the rows of each class are spread over the hashes, from which the splits follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection

from beam_taxi.progress import tick
from beam_taxi.run.versions import check_versions
from beam_taxi.settings import Settings
from beam_taxi.sources.memory import keep_freed_memory
from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.reading import TableReader
from beam_taxi.sources.units import DataPlan
from beam_taxi.splits.strata import ClassCounts, Strata
from beam_taxi.storage import credentials
from beam_taxi.tfexample.batches import encode_rows
from beam_taxi.transforms.combining import combine_globally
from beam_taxi.transforms.read_table import Task
from beam_taxi.validation.row_rules import column_of


class _CountUnits(beam.DoFn):
    def __init__(self, plan: TablePlan, settings: Settings, versions: Mapping[str, str]) -> None:
        self._plan = plan
        self._settings = settings
        self._versions = versions

    def setup(self) -> None:
        check_versions(self._versions)
        credentials.bill(self._settings.project)
        keep_freed_memory()

    def process(self, keyed: tuple[int, Iterable[Task]], data: DataPlan) -> Iterator[ClassCounts]:
        label = self._settings.statistics.label or ""
        for task in keyed[1]:
            counts = ClassCounts(label)
            with closing(TableReader(self._plan, data, _progress)) as reader:
                for batch in (batch for unit in task for batch in reader.read(unit)):
                    counts.add(column_of(batch.rows, label), encode_rows(batch.rows).checksums)
            counts.count()
            yield counts


def _progress(stored_bytes: int, rows: int) -> None:
    tick("count", stored_bytes, rows)


class MergeClasses(beam.CombineFn):
    """Merges the counts of units in any order."""

    def __init__(self, label: str) -> None:
        self._label = label

    def create_accumulator(self) -> ClassCounts:
        return ClassCounts(self._label)

    def add_input(self, merged: ClassCounts, counts: ClassCounts) -> ClassCounts:
        merged.merge(counts)
        return merged

    def merge_accumulators(self, accumulators: Iterable[ClassCounts]) -> ClassCounts:
        merged = self.create_accumulator()
        for one in accumulators:
            merged.merge(one)
        return merged

    def extract_output(self, merged: ClassCounts) -> ClassCounts:
        return merged


class CountClasses(beam.PTransform):
    """Read the rows, and return the one `Strata`: where the splits end in each class of the label.

    strata = table.tasks | CountClasses(plan, table.for_units, settings)
    """

    def __init__(
        self,
        plan: TablePlan,
        data: PCollection[DataPlan],
        settings: Settings,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._count = _CountUnits(plan, settings, versions or {})
        self._data = data
        self._n_units = plan.n_units
        self._label = settings.statistics.label or ""
        self._weights = [split.weight or 0 for split in settings.splits]

    def expand(self, tasks: PCollection[tuple[int, Iterable[Task]]]) -> PCollection[Strata]:
        return (
            tasks
            | "CountUnits" >> beam.ParDo(self._count, AsSingleton(self._data)).with_output_types(ClassCounts)
            | "MergeClasses" >> combine_globally(MergeClasses(self._label), self._n_units)
            | "EndSplits" >> beam.Map(_strata, self._weights).with_output_types(Strata)
        )


def _strata(counts: ClassCounts, weights: list[int]) -> Strata:
    return counts.strata(weights)
