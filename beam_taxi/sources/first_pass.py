"""The first pass in this process, part by part; the graph does the same in parallel."""

from __future__ import annotations

from collections.abc import Mapping

from beam_taxi.settings import Settings
from beam_taxi.sources.content import TableContent
from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.units import AnyJoined, DataPlan, Unit, plan_units


def scan_table(plan: TablePlan) -> tuple[Mapping[int, AnyJoined], TableContent]:
    """Return the joined sources by number, and the content of all parts. Raises DataError."""
    content, joined = TableContent(), dict[int, AnyJoined]()
    for number, source in enumerate(plan.sources):
        scans = [source.scan(part) for part in plan.parts(number)]
        joined[number] = source.join([scan.joint for scan in scans])
        for index, assumption in joined[number].again.items():
            scans[index] = source.scan(scans[index].part, assumption)
        for scan in scans:
            content.merge(TableContent.of_part(number, scan.part.index, scan.content))
    return joined, content


def plan_table(plan: TablePlan, settings: Settings) -> tuple[DataPlan, list[Unit]]:
    """Scan the table and cut it into units. Raises DataError."""
    return plan_units(plan, settings, *scan_table(plan))
