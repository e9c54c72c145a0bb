"""Which process records a run, and whether it is still there (Linux: /proc)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

Identity = Mapping[str, str | int]


def this_process() -> dict[str, str | int]:
    """Return what tells this process from every other: host with PID namespace, PID, and when it began."""
    started = _started(os.getpid())
    return {"process_host": _host(), "process_pid": os.getpid(), "process_started": started or ""}


def is_gone(process: Identity) -> bool | None:
    """Tell whether a process that `this_process` described has ended; None where this host cannot know."""
    if process.get("process_host") != _host():
        return None
    return _started(int(process["process_pid"])) != process["process_started"]


def _host() -> str:
    """A container has its own PIDs, and may have the name of its host."""
    return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"


def _started(pid: int) -> str | None:
    """Return boot and clock tick at which a process began, None where there is none; PIDs come again.

    Field 3 is the state, Z for one that has ended, and 22 the tick: man 5 proc_pid_stat.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"
