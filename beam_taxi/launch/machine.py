"""How many cores and how much memory this process may use.

Files of control groups and their formats: https://docs.kernel.org/admin-guide/cgroup-v2.html, and for version 1
scheduler/sched-bwc.html and admin-guide/cgroup-v1/memory.html.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/")


def usable_cores(root: Path = _ROOT) -> int:
    """Return how many cores this process may use: its affinity, and no more than the CPU quotas of its control groups.

    A quota of one and a half cores counts as two, as in Java. `root` is where /proc and /sys are.
    """
    if sys.platform != "linux":
        return os.cpu_count() or 1
    quotas = _limits(root, "cpu", "cpu.max", ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
    cores = [int(quota) / int(period) for quota, period in quotas if quota not in ("max", "-1")]
    return min([len(os.sched_getaffinity(0)), *(max(1, math.ceil(one)) for one in cores)])


def usable_memory(root: Path = _ROOT) -> int:
    """Return how many bytes this process may use: those of the machine, and no more than its control groups may use."""
    limits = _limits(root, "memory", "memory.max", ("memory.limit_in_bytes",))
    # Version 1 has a number beyond the memory of any machine for no limit.
    found = [int(limit) for (limit,) in limits if limit != "max"]
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *found])


def _limits(root: Path, controller: str, name: str, names_1: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the words of a limit of the control groups of this process and of those above them, as far as visible.

    The limit is the file `name`, or the files `names_1` of version 1 of control groups.
    """
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / controllers
        # In a container, the path may be that of the host, of which only the end is mounted.
        for folder in (mount / path.strip("/"), *(mount / path.strip("/")).parents):
            if not folder.is_relative_to(mount):
                break
            lines = [line for one in (names_1 if controllers else (name,)) for line in _lines(folder / one)]
            words = " ".join(lines).split()
            if words:
                yield words


def _lines(path: Path) -> list[str]:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    return []
