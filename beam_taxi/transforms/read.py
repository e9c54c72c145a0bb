"""From input files to a plan and units of work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from beam_taxi import counters, layout
from beam_taxi.settings import Settings
from beam_taxi.sources.csv.scan import BlockScan
from beam_taxi.sources.memory import keep_freed_memory
from beam_taxi.sources.plan import InputPlan, iter_blocks, scan
from beam_taxi.sources.source import Block
from beam_taxi.sources.units import Unit, plan_units, tasks

_READ_BYTES = Metrics.counter(counters.NAMESPACE, counters.READ_BYTES)


class PlannedInput(NamedTuple):
    """The outcome of `PlanInput`: tasks of one or more units, balanced over the workers, and the one DataPlan."""

    tasks: PCollection[tuple[Unit, ...]]
    plan: AsSingleton


@beam.typehints.with_input_types(Block)
@beam.typehints.with_output_types(BlockScan)
class _ScanBlock(beam.DoFn):
    def __init__(self, plan: InputPlan, versions: Mapping[str, str]) -> None:
        self._plan = plan
        self._versions = versions

    def setup(self) -> None:
        layout.check_versions(self._versions)
        keep_freed_memory()

    def process(self, block: Block) -> Iterator[BlockScan]:
        found = scan(self._plan, block)
        _READ_BYTES.inc(block.end - block.start)
        yield found


class _PlanUnits(beam.DoFn):
    def __init__(self, plan: InputPlan, settings: Settings) -> None:
        self._plan = plan
        self._settings = settings

    def process(self, scans: tuple[None, Iterable[BlockScan]]) -> Iterator[tuple[Unit, ...] | TaggedOutput]:
        data, units = plan_units(self._plan, self._settings, scans[1])
        yield TaggedOutput("data", data)
        yield from tasks(self._plan, units)


class PlanInput(beam.PTransform):
    """Scan all blocks of the input in parallel and cut it into units of whole records.

    Only what a block's scan found crosses the GroupByKey, about a kilobyte for 32 MiB; the last step raises DataError.

        planned = pipeline | PlanInput(plan_input(settings, {}), settings)
    """

    def __init__(self, plan: InputPlan, settings: Settings, versions: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._plan = plan
        self._settings = settings
        self._versions = versions or {}

    def expand(self, pipeline: beam.pvalue.PBegin) -> PlannedInput:
        plan = self._plan
        planned = (
            pipeline
            | "Files" >> beam.Create(range(len(plan.files)), reshuffle=False)
            | "Blocks" >> beam.FlatMap(lambda file: iter_blocks(plan, file)).with_output_types(Block)
            | "SpreadBlocks" >> beam.Reshuffle()
            | "ScanBlocks" >> beam.ParDo(_ScanBlock(plan, self._versions))
            | "KeyScans" >> beam.Map(lambda scan: (None, scan))
            | "GroupScans" >> beam.GroupByKey()
            | "PlanUnits" >> beam.ParDo(_PlanUnits(plan, self._settings)).with_outputs("data", main="tasks")
        )
        spread = planned.tasks | "SpreadTasks" >> beam.Reshuffle().with_output_types(tuple[Unit, ...])
        return PlannedInput(spread, AsSingleton(planned.data))
