"""From input files to a plan and units of work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from beam_taxi.ingest.plan import InputPlan, Unit, iter_blocks, plan_units
from beam_taxi.ingest.scan import Block, BlockScan, scan_block


class PlannedInput(NamedTuple):
    """The outcome of `PlanCsv`: the units, balanced over the workers, and the one DataPlan."""

    units: PCollection[Unit]
    plan: AsSingleton


@beam.typehints.with_input_types(Block)
@beam.typehints.with_output_types(BlockScan)
class _ScanBlock(beam.DoFn):
    def __init__(self, plan: InputPlan) -> None:
        self._plan = plan

    def process(self, block: Block) -> Iterator[BlockScan]:
        plan = self._plan
        yield scan_block(plan.files[block.file], block, plan.delimiter, plan.declared, plan.batch_bytes)


class _PlanUnits(beam.DoFn):
    def __init__(self, plan: InputPlan) -> None:
        self._plan = plan

    def process(self, scans: tuple[None, Iterable[BlockScan]]) -> Iterator[Unit | TaggedOutput]:
        data, units = plan_units(self._plan, scans[1])
        yield TaggedOutput("data", data)
        yield from units


class PlanCsv(beam.PTransform):
    """Scan all blocks of the input in parallel and cut it into units of whole records.

    Only what a block's scan found crosses the GroupByKey, about a kilobyte for 32 MiB; the last step raises DataError.

        planned = pipeline | PlanCsv(plan_input(settings, {}))
    """

    def __init__(self, plan: InputPlan) -> None:
        super().__init__()
        self._plan = plan

    def expand(self, pipeline: beam.pvalue.PBegin) -> PlannedInput:
        plan = self._plan
        planned = (
            pipeline
            | "Files" >> beam.Create(range(len(plan.files)), reshuffle=False)
            | "Blocks" >> beam.FlatMap(lambda file: iter_blocks(plan, file)).with_output_types(Block)
            | "SpreadBlocks" >> beam.Reshuffle()
            | "ScanBlocks" >> beam.ParDo(_ScanBlock(plan))
            | "KeyScans" >> beam.Map(lambda scan: (None, scan))
            | "GroupScans" >> beam.GroupByKey()
            | "PlanUnits" >> beam.ParDo(_PlanUnits(plan)).with_outputs("data", main="units")
        )
        units = planned.units | "SpreadUnits" >> beam.Reshuffle().with_output_types(Unit)
        return PlannedInput(units, AsSingleton(planned.data))
