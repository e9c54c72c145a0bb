"""From sources to units of work: the first pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsDict, PCollection, TaggedOutput

from beam_taxi import counters
from beam_taxi.progress import tick
from beam_taxi.run.versions import check_versions
from beam_taxi.settings import Settings
from beam_taxi.sources.content import TableContent
from beam_taxi.sources.memory import keep_freed_memory
from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.source import Part, Scan
from beam_taxi.sources.units import AnyJoined, DataPlan, Unit, plan_units, tasks
from beam_taxi.storage import credentials
from beam_taxi.transforms.combining import combine_per_key

_READ_BYTES = Metrics.counter(counters.NAMESPACE, counters.READ_BYTES)

AnyScan = Scan[Any]
Task = tuple[Unit, ...]
"""Units for one worker."""
PartKey = tuple[int, int]
"""The numbers of a source and of a part of it."""
KeyedJoint = tuple[int, tuple[int, Any]]
"""The number of a source; the number of a part of it, and its joint."""
PartAgain = tuple[PartKey, tuple[Part, int]]
"""A part to scan again, and the right assumption."""


class Table(NamedTuple):
    """The output of `ReadTable`: tasks keyed by their first unit, spread over the workers, and the one DataPlan.

    `for_units` is the part of the DataPlan that units are read with, since every worker that reads some is sent it.
    """

    tasks: PCollection[tuple[int, Iterable[Task]]]
    data: PCollection[DataPlan]
    for_units: PCollection[DataPlan]


class _Parts(beam.DoFn):
    """Lists the parts of all sources."""

    def __init__(self, plan: TablePlan) -> None:
        self._plan = plan

    def process(self, _: bytes) -> Iterator[tuple[PartKey, Part]]:
        for source in range(len(self._plan.sources)):
            yield from (((source, part.index), part) for part in self._plan.parts(source))


class _ScanParts(beam.DoFn):
    """Scans parts, and reports progress."""

    def __init__(self, plan: TablePlan, versions: Mapping[str, str], project: str | None) -> None:
        self._plan = plan
        self._versions = versions
        self._project = project

    def setup(self) -> None:
        check_versions(self._versions)
        credentials.bill(self._project)
        keep_freed_memory()

    def process(self, keyed: tuple[PartKey, Iterable[Part]]) -> Iterator[AnyScan | TaggedOutput]:
        for part in keyed[1]:
            scan = self._plan.sources[part.source].scan(part, progress=_progress)
            yield scan
            yield TaggedOutput("joints", (part.source, (part.index, scan.joint)))


def _progress(stored_bytes: int, rows: int) -> None:
    _READ_BYTES.inc(stored_bytes)
    tick("scan", stored_bytes, rows)


class _JoinParts(beam.DoFn):
    """Joins the parts of each source, and lists those to scan again under another assumption."""

    def __init__(self, plan: TablePlan) -> None:
        self._plan = plan

    def process(self, keyed: tuple[int, Iterable[tuple[int, Any]]]) -> Iterator[tuple[int, AnyJoined] | TaggedOutput]:
        source, joints = keyed
        ordered = sorted(joints, key=lambda item: item[0])
        joined = self._plan.sources[source].join([joint for _, joint in ordered])
        yield source, joined
        for part in self._plan.parts(source) if joined.again else ():
            if part.index in joined.again:
                yield TaggedOutput("again", ((source, part.index), (part, joined.again[part.index])))


class _ScanAgain(beam.DoFn):
    def __init__(self, plan: TablePlan) -> None:
        self._plan = plan

    def process(self, keyed: tuple[PartKey, Iterable[tuple[Part, int]]]) -> Iterator[tuple[None, AnyScan]]:
        for part, assumption in keyed[1]:
            yield None, self._plan.sources[part.source].scan(part, assumption)


class _KeepSound(beam.DoFn):
    """Drops scans that were made under a wrong assumption."""

    def process(self, scan: AnyScan, again: Mapping[PartKey, object]) -> Iterator[tuple[None, AnyScan]]:
        if (scan.part.source, scan.part.index) not in again:
            yield None, scan


class MergeContent(beam.CombineFn):
    """Merges the content of parts in any order; of each part, the accumulator keeps only the 32 bytes of its digest."""

    def create_accumulator(self) -> TableContent:
        return TableContent()

    def add_input(self, merged: TableContent, scan: AnyScan) -> TableContent:
        merged.merge(TableContent.of_part(scan.part.source, scan.part.index, scan.content))
        return merged

    def merge_accumulators(self, accumulators: Iterable[TableContent]) -> TableContent:
        merged = TableContent()
        for one in accumulators:
            merged.merge(one)
        return merged

    def extract_output(self, merged: TableContent) -> TableContent:
        return merged


class _PlanUnits(beam.DoFn):
    def __init__(self, plan: TablePlan, settings: Settings) -> None:
        self._plan = plan
        self._settings = settings

    def process(
        self, keyed: tuple[None, TableContent], joined: Mapping[int, AnyJoined]
    ) -> Iterator[tuple[int, Task] | TaggedOutput]:
        data, units = plan_units(self._plan, self._settings, joined, keyed[1])
        yield TaggedOutput("data", data)
        yield TaggedOutput("for_units", data.for_units())
        yield from ((task[0].index, task) for task in tasks(self._plan, units))


class ReadTable(beam.PTransform):
    """Scan all parts of the input in parallel, and cut it into units of whole records.

    The joints of the parts, a few hundred bytes each, are grouped by source. Parts that were scanned under a wrong
    assumption are scanned again, in parallel, and a CombineFn merges the content of all parts. The last step raises
    DataError.

    A GroupByKey with one key per element spreads parts and tasks over the workers. Beam's Reshuffle takes five steps
    for that, and every step adds a few milliseconds to the construction of the graph.

        table = pipeline | ReadTable(plan_input(settings, {}), settings)
    """

    def __init__(self, plan: TablePlan, settings: Settings, versions: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._plan = plan
        self._settings = settings
        self._versions = versions or {}

    def expand(self, pipeline: beam.pvalue.PBegin) -> Table:
        plan = self._plan
        scan = beam.ParDo(_ScanParts(plan, self._versions, self._settings.project)).with_output_types(
            AnyScan, joints=KeyedJoint
        )
        join = beam.ParDo(_JoinParts(plan)).with_output_types(tuple[int, AnyJoined], again=PartAgain)
        scanned = (
            pipeline
            | "Impulse" >> beam.Impulse()
            | "Parts" >> beam.ParDo(_Parts(plan)).with_output_types(tuple[PartKey, Part])
            | "SpreadParts" >> beam.GroupByKey()
            | "ScanParts" >> scan.with_outputs("joints", main="scans")
        )
        joined = (
            scanned.joints
            | "GroupJoints" >> beam.GroupByKey()
            | "JoinParts" >> join.with_outputs("again", main="joined")
        )
        again = (
            joined.again
            | "SpreadPartsAgain" >> beam.GroupByKey()
            | "ScanAgain" >> beam.ParDo(_ScanAgain(plan)).with_output_types(tuple[None, AnyScan])
        )
        keep = beam.ParDo(_KeepSound(), AsDict(joined.again)).with_output_types(tuple[None, AnyScan])
        cut = beam.ParDo(_PlanUnits(plan, self._settings), AsDict(joined.joined)).with_output_types(
            tuple[int, Task], data=DataPlan, for_units=DataPlan
        )
        merge = combine_per_key(MergeContent(), len(plan.sources) + plan.size // plan.part_bytes)
        planned = (
            (scanned.scans | "KeepSound" >> keep, again)
            | "AllParts" >> beam.Flatten()
            | "MergeContent" >> merge
            | "PlanUnits" >> cut.with_outputs("data", "for_units", main="tasks")
        )
        return Table(planned.tasks | "SpreadTasks" >> beam.GroupByKey(), planned.data, planned.for_units)
