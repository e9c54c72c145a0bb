"""What a source reads: kinds, rows, places and rejects, whatever its parts and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from beam_taxi.settings import Settings
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import plan_input
from beam_taxi.sources.reading import TableReader
from beam_taxi.sources.source import Place, Reject
from beam_taxi.sources.units import DataPlan, tasks


@dataclass
class Read:
    """What was read: the rows without their missing values."""

    data: DataPlan
    columns: tuple[str, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    rows_of_units: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def kinds(self) -> dict[str, str]:
        return {name: kind.name for name, kind in self.data.kinds.items()}


def settings_for(path: Path, **options: Any) -> Settings:
    return Settings((str(path),), "unused", "run", **options)


def read(path: Path, declared: Mapping[str, Kind] | None = None, part_bytes: int = 1 << 20, **options: Any) -> Read:
    """Read a file in both passes."""
    settings = settings_for(path, **options)
    plan = replace(plan_input(settings, declared or {}), part_bytes=part_bytes)
    data, units = plan_table(plan, settings)
    found = Read(data, plan.columns)
    for task in tasks(plan, units):
        reader = TableReader(plan, data, with_places=True)
        for unit in task:
            before = len(found.rows)
            for batch in reader.read(unit):
                every = np.arange(len(batch.rows))
                places = [place for _, place in batch.places_of(every)]
                assert [place.number for place in places] == batch.numbers_of(every)[2].tolist()
                found.places += places
                found.rejects += [one for _, some in batch.rejects for one in some]
                found.rows += [
                    {name: value for name, value in row.items() if value is not None} for row in batch.rows.to_pylist()
                ]
            found.rows_of_units.append(len(found.rows) - before)
        reader.close()
    return found
