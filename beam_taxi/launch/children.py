"""Processes that this process has started, directly or not: Java job servers, workers (Linux: /proc)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import NamedTuple

from beam_taxi.metadata.process import status_of

_TERM_SECONDS = 5.0
_KILL_SECONDS = 5.0
_POLL_SECONDS = 0.02


class Child(NamedTuple):
    """A process, with the clock tick at which it started: PIDs are reused."""

    pid: int
    started: int


def children() -> frozenset[Child]:
    """Return the descendants of this process that are running."""
    by_parent: dict[int, list[Child]] = {}
    for parent, child in _processes():
        by_parent.setdefault(parent, []).append(child)
    found: list[Child] = by_parent.get(os.getpid(), [])
    for child in found:
        found += by_parent.get(child.pid, [])
    return frozenset(found)


def end_children(but: Collection[Child] = ()) -> None:
    """End the descendants of this process, except those in `but`; return when they have ended.

    They get SIGTERM, and SIGKILL if they are still running after 5 seconds. Hold further signals (`interrupts.hold`)
    before the call: an exception would leave processes behind.
    """
    ours = children() - set(but)
    _end(ours, signal.SIGTERM, _TERM_SECONDS)
    # Also what has been started in the meantime.
    _end((ours & _running()) | (children() - set(but)), signal.SIGKILL, _KILL_SECONDS)


def _end(ours: frozenset[Child], number: signal.Signals, seconds: float) -> None:
    """Send a signal, and wait until the processes have ended, or for so many seconds."""
    for child in ours:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(child.pid, number)
    limit = time.monotonic() + seconds
    while ours & _running() and time.monotonic() < limit:
        time.sleep(_POLL_SECONDS)


def _running() -> frozenset[Child]:
    return frozenset(child for _, child in _processes())


def _processes() -> Iterator[tuple[int, Child]]:
    """Yield all processes that have not ended, each after the PID of its parent."""
    with suppress(FileNotFoundError):
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with suppress(FileNotFoundError, ProcessLookupError):
                process = status_of(pid)
                if not process.has_ended:
                    yield process.parent, Child(pid, process.started)
