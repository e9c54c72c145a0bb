"""The process that records a run, and whether it is still alive (Linux: /proc).

A name is not an identity: containers share the name and the machine id of their image, and reuse the same PIDs. What
identifies a process is its PID, in a PID namespace of a boot, and its start time.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

Identity = Mapping[str, str | int]

_INITIAL_NAMESPACE = "pid:[4026531836]"
"""That of the processes outside containers: PROC_PID_INIT_INO in Linux's include/linux/proc_ns.h."""


class Host(NamedTuple):
    """A place where processes run. What is not known is empty.

    `boot` is the id of the boot; `namespaces` are those of PIDs and of time; `machine` outlasts a boot; `booted` is the
    time of the boot, in seconds since 1970.
    """

    boot: str
    namespaces: str
    machine: str
    booted: float


def this_host() -> Host:
    """Return the host, or the container, of this process."""
    namespaces = " ".join(_namespaces())
    machine = _machine() if namespaces.startswith(_INITIAL_NAMESPACE) else ""
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return Host(_read("/proc/sys/kernel/random/boot_id"), namespaces, machine, booted)


def name_of(process: Identity) -> str:
    """Return a process that `this_process` described as a message names it: by its PID and the name of its host."""
    return f"process {process.get('process_pid')} on {host_of(process) or 'an unnamed host'}"


def host_of(process: Identity) -> str:
    """Return the name of the host of a process, empty if it is not known; the namespaces follow it."""
    return str(process.get("process_host", "")).partition(" ")[0]


def this_process() -> dict[str, str | int]:
    """Return what identifies this process: its host, PID, and start."""
    here = this_host()
    started = f"{here.boot} {status_of(os.getpid()).started}" if here.namespaces and here.boot else ""
    return {
        "process_host": f"{socket.gethostname()} {here.namespaces}".strip(),
        "process_machine": here.machine,
        "process_pid": os.getpid(),
        "process_started": started,
        "process_time": int(time.time()),
    }


def is_gone(process: Identity, here: Host | None = None) -> bool | None:
    """Return whether a process that `this_process` described has ended; None if that cannot be told from `here`.

    From another container, or another machine, it cannot. After a reboot of the machine, all its processes are gone.
    """
    here = here or this_host()
    boot, _, started = str(process.get("process_started", "")).partition(" ")
    if not boot or not here.boot:
        return None
    if boot != here.boot:
        is_same = here.machine != "" and here.machine == process.get("process_machine")
        # A clone of the machine that was there all the time is not the machine after a reboot.
        return True if is_same and int(process.get("process_time", 0)) < here.booted else None
    # Older records do not have the namespace of time.
    namespaces = str(process["process_host"]).split()[1:]
    if not namespaces or namespaces != here.namespaces.split()[: len(namespaces)]:
        return None
    return _has_ended(int(process["process_pid"]), started)


def _has_ended(pid: int, started: str) -> bool | None:
    try:
        status = status_of(pid)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return _is_free(pid) or None
    return status.has_ended or str(status.started) != started


def _is_free(pid: int) -> bool:
    """Return whether no process has a PID; /proc may hide those of other users (hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _namespaces() -> Iterator[str]:
    """Yield the namespaces in which PIDs and start times are valid, if /proc is that of the same PID namespace."""
    with suppress(OSError):
        if os.readlink("/proc/self") == str(os.getpid()):
            yield os.readlink("/proc/self/ns/pid")
            # Linux 5.6 or later.
            yield os.readlink("/proc/self/ns/time")


def _machine() -> str:
    """Return a hash of the machine's id and of the addresses of its network cards, or nothing if one is not known.

    Machines that were cloned may have the same id. It is hashed since it is confidential: man 5 machine-id.
    """
    id_, cards = _read("/etc/machine-id"), "/sys/class/net"
    with suppress(OSError):
        names = sorted(name for name in os.listdir(cards) if os.path.exists(f"{cards}/{name}/device"))
        addresses = [_read(f"{cards}/{name}/address") for name in names]
        if re.fullmatch("[0-9a-f]{32}", id_) and addresses:
            return hashlib.sha256(" ".join(["beam_taxi", id_, *addresses]).encode()).hexdigest()[:32]
    return ""


def _read(path: str) -> str:
    """Return the text of a small file without the line break, or nothing if it cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


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
