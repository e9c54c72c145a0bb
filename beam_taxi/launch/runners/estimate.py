"""A rough estimate of what a job on rented machines takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

CPU_SECONDS_PER_GB = 30
"""Seconds of one vCPU for 10^9 bytes of plain CSV: both passes and the statistics.

Rounded up from 26: `/usr/bin/time` on a run of 30 million taxi trips, 3.86 GB, on 2 vCPUs, less the imports.
"""
START_SECONDS = 240
"""Seconds from the start of a worker until it begins to work."""


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
