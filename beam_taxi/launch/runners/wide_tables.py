"""Whether the statistics of all columns fit in the memory of this machine."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from beam_taxi.errors import UsageError

SHARED_GB = 0.8
"""Memory of a run of few columns: that of the libraries."""
COLUMN_MB = 0.65
"""Memory for each column and split: sketches, exact counts, what Beam copies of them, and batches of rows.

`/usr/bin/time -v` of one worker, less the libraries: 0.4 MB for 6,000 rows of `scripts/benchmarks/wide.py
--columns 2000 --out FILE`, and 0.65 MB for 20,000.
"""


def check_memory(columns: int, splits: int, available: int | None = None) -> None:
    """Raises UsageError if one worker needs more memory than this machine has, or `available` bytes."""
    have = (memory_of_machine() if available is None else available) / 1e9
    needed = SHARED_GB + columns * splits * COLUMN_MB / 1000
    if needed > have:
        raise UsageError(
            f"{columns:,} columns in {splits} split{'' if splits == 1 else 's'} need about {needed:.1f} GB of memory, "
            f"and this machine has {have:.1f} GB; choose fewer columns with --columns, --drop_columns or "
            "--stats_features, or use a larger machine"
        )


def memory_of_machine(root: Path = Path("/")) -> int:
    """Return the bytes that this process may use: those of the machine, or the limit of its control group."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limits.append(int((root / "sys/fs/cgroup" / name).read_text()))
    return min(limits)
