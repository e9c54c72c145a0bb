"""The machine that a benchmark runs on, and how much memory processes use."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("beam-taxi", "apache-beam", "tensorflow-data-validation", "pyarrow", "numpy")
_SECONDS = 0.1
_SHARE = 50
"""Samples take at most 1/50 of the time of one core."""


def described() -> str:
    """Return processor, cores, memory, kernel and versions in one line."""
    cpus, allowed = os.cpu_count(), len(os.sched_getaffinity(0))
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next(int(line.split()[1]) << 10 for line in _lines("/proc/meminfo") if line.startswith("MemTotal:"))
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{models[0] if models else platform.machine()}, {allowed} of {cpus} cores, {memory / 1e9:.0f} GB, "
        f"Linux {platform.release()}, Python {platform.python_version()}, {versions}"
    )


def first_cores(count: int) -> str:
    """Return the first cores that this process may use, as taskset takes them."""
    return ",".join(map(str, sorted(os.sched_getaffinity(0))[:count]))


class PeakMemory:
    """The most memory that a process and those below it use, sampled while the block runs.

    `bytes` is what they use together: the sum of their proportional set sizes (Pss of /proc/PID/smaps_rollup, Linux),
    which counts a page that several processes share once. `each` is what every one of them uses at most, by its PID.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.bytes = 0
        self.each: dict[int, int] = {}

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            began = time.monotonic()
            sizes = {pid: _proportional_size(pid) for pid in _tree(self._pid)}
            self.bytes = max(self.bytes, sum(sizes.values()))
            self.each.update((pid, max(size, self.each.get(pid, 0))) for pid, size in sizes.items())
            # The kernel walks the page tables of all processes, on the cores that are measured.
            if self._ended.wait(max(_SECONDS, _SHARE * (time.monotonic() - began))):
                return


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        # A process may end at any time.
        with suppress(OSError):
            for child in tasks.read_text().split():
                yield from _tree(int(child))


def _proportional_size(pid: int) -> int:
    with suppress(OSError):
        return next(int(line.split()[1]) << 10 for line in _lines(f"/proc/{pid}/smaps_rollup") if "Pss:" in line)
    return 0


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
