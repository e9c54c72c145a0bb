"""Rough estimates of what a job takes: time on rented machines, memory on this one."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

CPU_SECONDS_PER_GB = 30
"""Seconds of one vCPU for 10^9 bytes of plain CSV: both passes and the statistics.

Rounded up from 26: `/usr/bin/time` on a run of 30 million taxi trips, 3.86 GB, on 2 vCPUs, less the imports.
"""
START_SECONDS = 240
"""Seconds from the start of a worker until it begins to work."""

SHARED_GB, FORKED_GB = 0.4, 0.4
"""The memory of this process, mostly libraries, and what forked workers add, however many they are.

These figures and the next two are from `scripts/benchmarks/memory.py` with 1, 2, 4 and 8 workers on 3 million taxi
trips, with 1 and 2 workers on 2,000 columns and 20,000 rows of `scripts/benchmarks/wide.py`, and with 2 workers on 200
columns and 60,000 rows.
"""
WORKER_GB = 0.25
"""What each worker adds: the bytes of a unit, batches, examples."""
COLUMN_MB, DOUBLED_MB = 0.5, 0.4
"""What each worker adds for each column and split: TFDV's sketches and exact counts, and what Beam copies of them.

The second is added each time that the bytes of a column in the input double, from `_COLUMN_BYTES` on: tfx_bsl's
sketch of random numbers grows by 0.3 to 0.5 MB as these double, and not all columns are numbers.
"""
_COLUMN_BYTES = 1 << 18


@dataclass(frozen=True)
class Memory:
    """The most memory that workers on this machine use, all processes together.

    `column_bytes` is how many bytes a column has in the input.
    """

    workers: int
    columns: int
    splits: int
    column_bytes: int
    is_forked: bool

    @property
    def bytes(self) -> int:
        """The sum."""
        worker = WORKER_GB * 1e9 + self.columns * self.splits * self._column_mb * 1e6
        return round(self._shared_gb * 1e9 + self.workers * worker)

    def __str__(self) -> str:
        columns, splits = _counted(self.columns, "column"), _counted(self.splits, "split")
        return (
            f"about {self.bytes / 1e9:.1f} GB = {self._shared_gb:.1f} GB + {_counted(self.workers, 'worker')} x "
            f"({WORKER_GB} GB + {columns} x {splits} x {self._column_mb:.1f} MB)"
        )

    @property
    def _shared_gb(self) -> float:
        return SHARED_GB + FORKED_GB * self.is_forked

    @property
    def _column_mb(self) -> float:
        return COLUMN_MB + DOUBLED_MB * max(0.0, math.log2(max(1, self.column_bytes) / _COLUMN_BYTES))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Estimate:
    """A job of `size` bytes on `workers` machines of `vcpus` each."""

    size: int
    workers: int
    vcpus: int

    @property
    def vcpu_hours(self) -> float:
        """vCPU hours for the work and the start of every worker."""
        work = self.size / 1e9 * CPU_SECONDS_PER_GB
        return (work + self.workers * self.vcpus * START_SECONDS) / 3600

    def __str__(self) -> str:
        return (
            f"{self.vcpu_hours:.2f} vCPU hours = ({self.size / 1e9:.3f} GB x {CPU_SECONDS_PER_GB} s + "
            f"{self.workers} workers x {self.vcpus} vCPUs x {START_SECONDS} s to start) / 3600"
        )


def vcpus_of(machine_type: str) -> int:
    """Return the vCPUs of a machine type of Compute Engine, by its name: n2-standard-4, n2-custom-4-8192."""
    found = re.search(r"(?:custom-|-)(\d+)", machine_type)
    return int(found[1]) if found else 1
