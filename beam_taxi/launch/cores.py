"""How many cores this process may use."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Return how many cores this process may use: its affinity, and no more than the CPU quotas of its control groups.

    A quota of one and a half cores counts as two, as in Java. `root` is where /proc and /sys are.
    """
    if sys.platform != "linux":
        return os.cpu_count() or 1
    return min([len(os.sched_getaffinity(0)), *(max(1, math.ceil(quota)) for quota in _quotas(root))])


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quotas, in cores, of the control groups of this process and of those above them, as far as visible.

    Files and formats: https://docs.kernel.org/admin-guide/cgroup-v2.html, and scheduler/sched-bwc.html for version 1.
    """
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / controllers
        # In a container, the path may be that of the host, of which only the end is mounted.
        for folder in (mount / path.strip("/"), *(mount / path.strip("/")).parents):
            if not folder.is_relative_to(mount):
                break
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if controllers else ("cpu.max",)
            words = " ".join(line for name in names for line in _lines(folder / name)).split()
            if len(words) == 2 and words[0] not in ("max", "-1"):
                yield int(words[0]) / int(words[1])


def _lines(path: Path) -> list[str]:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    return []
