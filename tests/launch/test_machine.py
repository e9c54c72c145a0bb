"""The cores and the memory that a process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from beam_taxi.launch.machine import usable_cores, usable_memory

ALL = len(os.sched_getaffinity(0))


# Files by path, and how many cores there are then.
def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


CASES: dict[str, tuple[dict[str, str], int]] = {
    "no control groups": ({}, ALL),
    "no quota": ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "max 100000"}, ALL),
    "one core": ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "100000 100000"}, 1),
    "a part of a core": ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "20000 100000"}, 1),
    "more than there are": ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "9900000 100000"}, ALL),
    "a group above": ({"proc/self/cgroup": "0::/a/b/c", "sys/fs/cgroup/a/cpu.max": "50000 100000"}, 1),
    "a container": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"}, 1),
    "a path of the host": ({"proc/self/cgroup": "0::/../docker/x", "sys/fs/cgroup/cpu.max": "50000 100000"}, 1),
    "another group": ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/b/cpu.max": "50000 100000"}, ALL),
    "version 1": (
        {
            "proc/self/cgroup": "9:name=systemd:/\n4:cpu,cpuacct:/docker/x\n3:cpuset:/\n0::/",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "70000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
        1,
    ),
    "version 1, no quota": (
        {
            "proc/self/cgroup": "4:cpu:/",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        ALL,
    ),
}


@pytest.mark.parametrize(("files", "cores"), CASES.values(), ids=CASES)
def test_quotas(tmp_path: Path, files: dict[str, str], cores: int):
    write(tmp_path, files)
    assert usable_cores(tmp_path) == cores


def test_affinity():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


MEMORY: dict[str, tuple[dict[str, str], int | None]] = {
    "no control groups": ({}, None),
    "no limit": ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/memory.max": "max\n"}, None),
    "a limit": ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/memory.max": "1000\n"}, 1000),
    "a group above": ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/memory.max": "1000\n"}, 1000),
    "a container": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "1000\n"}, 1000),
    "another group": ({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/b/memory.max": "1000\n"}, None),
    "version 1": (
        {"proc/self/cgroup": "5:memory:/docker/x\n0::/", "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n"},
        1000,
    ),
    "version 1, no limit": (
        {"proc/self/cgroup": "5:memory:/", "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2**63 - 4096}\n"},
        None,
    ),
}


@pytest.mark.parametrize(("files", "size"), MEMORY.values(), ids=MEMORY)
def test_limits_of_memory(tmp_path: Path, files: dict[str, str], size: int | None):
    write(tmp_path, files)
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert usable_memory(tmp_path) == (size or machine)
