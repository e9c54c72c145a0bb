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

_READ_BYTES = Metrics.counter(counters.NAMESPACE, counters.READ_BYTES)

AnyScan = Scan[Any]
PartAgain = tuple[Part, int]
"""A part to scan again, and what to assume."""


class Table(NamedTuple):
    """The outcome of `ReadTable`: tasks of one or more units, balanced over the workers, and the one DataPlan."""

    tasks: PCollection[tuple[Unit, ...]]
    data: PCollection[DataPlan]


class _Scan(beam.DoFn):
    """Scans parts; counts and shows what it reads."""

    def __init__(self, plan: TablePlan, versions: Mapping[str, str]) -> None:
        self._plan = plan
        self._versions = versions

    def setup(self) -> None:
        check_versions(self._versions)
        keep_freed_memory()

    def process(self, part: Part) -> Iterator[AnyScan]:
        yield self._plan.sources[part.source].scan(part, progress=_progress)


def _progress(stored_bytes: int, rows: int) -> None:
    _READ_BYTES.inc(stored_bytes)
    tick("scan", stored_bytes, rows)


def _key_joints(scan: AnyScan) -> tuple[int, tuple[int, Any]]:
    return scan.part.source, (scan.part.index, scan.joint)


def _join(keyed: tuple[int, Iterable[tuple[int, Any]]], plan: TablePlan) -> tuple[int, AnyJoined]:
    source, joints = keyed
    ordered = sorted(joints, key=lambda item: item[0])
    return source, plan.sources[source].join([joint for _, joint in ordered])


def _parts_to_scan_again(keyed: tuple[int, AnyJoined], plan: TablePlan) -> Iterator[PartAgain]:
    source, joined = keyed
    assumptions = dict(joined.again)
    if assumptions:
        yield from ((part, assumptions[part.index]) for part in plan.parts(source) if part.index in assumptions)


def _scan_again(item: PartAgain, plan: TablePlan) -> AnyScan:
    part, assumption = item
    return plan.sources[part.source].scan(part, assumption)


def _is_sound(scan: AnyScan, joined: Mapping[int, AnyJoined]) -> bool:
    """Return whether a part was scanned under the right assumption."""
    return scan.part.index not in dict(joined[scan.part.source].again)


class MergeContent(beam.CombineFn):
    """Merges the content of parts, in any order: what it holds grows with columns and sources, not with parts."""

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
        self, content: TableContent, joined: Mapping[int, AnyJoined]
    ) -> Iterator[tuple[Unit, ...] | TaggedOutput]:
        data, units = plan_units(self._plan, self._settings, joined, content)
        yield TaggedOutput("data", data)
        yield from tasks(self._plan, units)


class ReadTable(beam.PTransform):
    """Scan all parts of the input in parallel, and cut it into units of whole records.

    What joins the parts of a source, some hundred bytes for each, is grouped by source. Parts of which it tells that
    they were scanned under a wrong assumption are scanned again, in parallel, and the content of all is merged by a
    CombineFn. The last step raises DataError.

        table = pipeline | ReadTable(plan_input(settings, {}), settings)
    """

    def __init__(self, plan: TablePlan, settings: Settings, versions: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._plan = plan
        self._settings = settings
        self._versions = versions or {}

    def expand(self, pipeline: beam.pvalue.PBegin) -> Table:
        plan = self._plan
        scans = (
            pipeline
            | "Sources" >> beam.Create(range(len(plan.sources)), reshuffle=False)
            | "Parts" >> beam.FlatMap(plan.parts).with_output_types(Part)
            | "SpreadParts" >> beam.Reshuffle()
            | "ScanParts" >> beam.ParDo(_Scan(plan, self._versions)).with_output_types(AnyScan)
        )
        joined = (
            scans
            | "KeyJoints" >> beam.Map(_key_joints).with_output_types(tuple[int, tuple[int, Any]])
            | "GroupJoints" >> beam.GroupByKey()
            | "JoinParts" >> beam.Map(_join, plan).with_output_types(tuple[int, AnyJoined])
        )
        again = (
            joined
            | "FindWrongGuesses" >> beam.FlatMap(_parts_to_scan_again, plan).with_output_types(PartAgain)
            | "SpreadPartsAgain" >> beam.Reshuffle()
            | "ScanAgain" >> beam.Map(_scan_again, plan).with_output_types(AnyScan)
        )
        sound = scans | "KeepSound" >> beam.Filter(_is_sound, AsDict(joined)).with_output_types(AnyScan)
        cut = beam.ParDo(_PlanUnits(plan, self._settings), AsDict(joined))
        planned = (
            (sound, again)
            | "AllParts" >> beam.Flatten()
            | "MergeContent" >> beam.CombineGlobally(MergeContent()).without_defaults()
            | "PlanUnits" >> cut.with_outputs("data", main="tasks")
        )
        spread = planned.tasks | "SpreadTasks" >> beam.Reshuffle().with_output_types(tuple[Unit, ...])
        return Table(spread, planned.data)
