"""Rough estimates of what a job takes: time on rented machines, memory on this one."""

from __future__ import annotations

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

These figures and the next are from `scripts/benchmarks/memory.py` with 1, 2, 4 and 8 workers on 3 million taxi trips,
386 MB of 18 columns, and with 2 workers on 60,000 rows of 200 columns.
"""
WORKER_GB = 0.25
"""What each worker adds: the bytes of a unit, batches, examples."""
COLUMN_MB = 2
"""What each worker adds for each column: TFDV's sketches and exact counts, of every split."""


@dataclass(frozen=True)
class Memory:
    """The most memory that workers on this machine use, all processes together; it does not grow with the rows."""

    workers: int
    columns: int
    is_forked: bool

    def __str__(self) -> str:
        shared = SHARED_GB + FORKED_GB * self.is_forked
        size = shared + self.workers * (WORKER_GB + self.columns * COLUMN_MB / 1000)
        return (
            f"about {size:.1f} GB = {shared:.1f} GB + {self.workers} worker{'' if self.workers == 1 else 's'} x "
            f"({WORKER_GB} GB + {self.columns:,} columns x {COLUMN_MB} MB)"
        )


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
