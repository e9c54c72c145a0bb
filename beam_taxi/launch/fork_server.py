"""A process that is forked before this one has threads or connections, and that forks workers later.

A worker that is forked pays for no import, and shares the memory of the libraries. But only a process without threads
can be forked safely: a lock that another thread holds stays locked in the child forever. The launcher has threads as
soon as it talks to Beam's workers, so it forks while it has none, and the child, the fork server, stays as it was then.
Python's multiprocessing calls its own the same, but that one imports everything again.

No process outlives its parent: the fork server ends when the launcher closes its end of the socket, as the kernel does
for a launcher that is killed, and the kernel kills the workers of a fork server that ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_LONGEST = 64 << 10
# Arrow's allocator forks well with its thread. Those of OpenBLAS do, too; they have the name of the process.
_HARMLESS_THREADS = {"jemalloc_bg_thd"}

Request = Mapping[str, str]
"""What a worker is to do; `id` is its name."""


class Ended(NamedTuple):
    """A worker that has ended: its status is that of an exit, or minus the number of a signal.

    `fault` says why it could not be forked, if so.
    """

    worker: str
    status: int
    fault: str = ""


def can_fork() -> bool:
    """Return whether this process can be forked safely: it must run Linux, and have no threads that could hold locks.

    gRPC has threads from the first channel until seconds after the last one.
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        return False
    own = Path("/proc/self/comm").read_text(encoding="utf-8", errors="replace")
    threads = {path.read_text(encoding="utf-8", errors="replace") for path in Path("/proc/self/task").glob("*/comm")}
    return {name.strip() for name in threads - {own}} <= _HARMLESS_THREADS


def end_with(parent: int) -> None:
    """Let the kernel kill this process, a child, when its parent ends; it ends now if the parent has ended already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class ForkServer:
    """Forks workers, each of which calls `work` with its request. The process must be one that `can_fork`.

    The fork server and its workers ignore signals that users and supervisors send to a whole group: the launcher gets
    them too, and ends the workers.
    """

    def __init__(self, work: Callable[[Request], None]) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._pid = os.fork()
            if self._pid == 0:
                self._socket.close()
                _never_return(lambda: _serve(other, work))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        other.close()

    def fork(self, request: Request) -> None:
        """Start a worker. Raises OSError if the fork server has ended."""
        self._socket.send(json.dumps(request).encode())

    def ended(self) -> Iterator[Ended]:
        """Yield the workers that have ended by themselves, until the fork server has ended."""
        while message := self._socket.recv(_LONGEST):
            yield Ended(*json.loads(message))

    def end(self) -> None:
        """Kill all workers and the fork server; return when they have ended. Any thread can call it, and repeatedly."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def close(self) -> None:
        """End, and close the socket, which nothing must use any more."""
        self.end()
        self._socket.close()


def _never_return(run: Callable[[], None]) -> NoReturn:
    """Run the work of a child, and end it without what the parent has still to do: its stack, its exit handlers."""
    status = 1
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        run()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _serve(requests: socket.socket, work: Callable[[Request], None]) -> None:
    """Fork a worker for each request until the requests end, and report each worker that ends."""
    workers: dict[int, str] = {}
    wakened, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    own = os.getpid()

    def work_alone(request: Request) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (requests.fileno(), wakened, waking):
            os.close(descriptor)
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have ended before.
        if os.getppid() == own:
            work(request)

    with selectors.DefaultSelector() as selector, suppress(BrokenPipeError, ConnectionResetError):
        selector.register(requests, selectors.EVENT_READ)
        selector.register(wakened, selectors.EVENT_READ)
        while True:
            ready = [key.fd for key, _ in selector.select()]
            if wakened in ready:
                os.read(wakened, _LONGEST)
            for ended in _reaped(workers):
                requests.send(json.dumps(ended).encode())
            if requests.fileno() in ready:
                message = requests.recv(_LONGEST)
                if not message:
                    break
                request = json.loads(message)
                try:
                    workers[_forked(request, work_alone)] = request["id"]
                except OSError as error:
                    requests.send(json.dumps(Ended(request["id"], 1, str(error.strerror))).encode())
    _kill(workers)


def _forked(request: Request, work: Callable[[Request], None]) -> int:
    pid = os.fork()
    if pid == 0:
        _never_return(lambda: work(request))
    return pid


def _kill(workers: Collection[int]) -> None:
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    for pid in workers:
        os.waitpid(pid, 0)


def _reaped(workers: dict[int, str]) -> Iterator[Ended]:
    """Yield the workers that have ended, and remove them."""
    for pid in list(workers):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            yield Ended(workers.pop(pid), os.waitstatus_to_exitcode(status))
