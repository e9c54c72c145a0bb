"""The process that records a run, and whether it is still alive (Linux: /proc)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import NamedTuple

Identity = Mapping[str, str | int]


def this_process() -> dict[str, str | int]:
    """Return what identifies this process: host with PID namespace, PID, and start time."""
    started = _started(os.getpid())
    return {"process_host": _host(), "process_pid": os.getpid(), "process_started": started or ""}


def is_gone(process: Identity) -> bool | None:
    """Return whether a process that `this_process` described has ended; None if this host cannot tell."""
    if process.get("process_host") != _host():
        return None
    return _started(int(process["process_pid"])) != process["process_started"]


def _host() -> str:
    """Return host name and PID namespace: a container has its own PIDs, but may share the name of its host."""
    return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"


def _started(pid: int) -> str | None:
    """Return the boot and the clock tick at which a process started, or None if it is gone; PIDs are reused."""
    try:
        process = status_of(pid)
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if process.has_ended else f"{boot} {process.started}"


class Status(NamedTuple):
    """A process in /proc: the PID of its parent, and the clock tick at which it started."""

    has_ended: bool
    parent: int
    started: int


def status_of(pid: int) -> Status:
    """Return the status of a process. Raises FileNotFoundError or ProcessLookupError if it is gone.

    Fields 3, 4 and 22 are the state (Z or X has ended), the parent and the start: man 5 proc_pid_stat.
    """
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return Status(fields[0] in "ZX", int(fields[1]), int(fields[19]))
