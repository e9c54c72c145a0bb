"""The fork server alone: what it reports, and that nothing outlives its parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PRELUDE = """
import os, signal, sys, threading, time
from beam_taxi.launch.fork_server import ForkServer, can_fork
from tests.launch.test_fork_server import work
assert can_fork()
server = ForkServer(work)
"""


def work(request: dict[str, str]) -> None:
    """What workers do: `do` is Python."""
    exec(request["do"])


def run(code: str) -> str:
    """Return what a process with a fork server prints."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


ENDS = {
    "done": ("pass", 0),
    "exit status": ("os._exit(7)", 7),
    "exception": ("raise ValueError('x')", 1),
    "sys.exit": ("sys.exit(3)", 1),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "aborted": ("os.abort()", -signal.SIGABRT),
}


@pytest.mark.parametrize(("do", "status"), ENDS.values(), ids=ENDS)
def test_the_end_of_a_worker_is_reported(do: str, status: int):
    code = f"server.fork({{'id': 'a', 'do': {do!r}}}); print(*next(server.ended())[:2]); server.close()"
    assert run(code) == f"a {status}\n"


def test_a_worker_that_cannot_be_forked_is_reported():
    code = """
import resource
resource.prlimit(server._pid, resource.RLIMIT_NPROC, (0, 0))
server.fork({"id": "a", "do": "pass"})
print(*next(server.ended()))
server.close()
"""
    # No limit holds for root.
    command = ["setpriv", "--reuid=65534", "--clear-groups"] if os.getuid() == 0 else []
    code = PRELUDE + code
    done = subprocess.run(
        [*command, sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "a 1 Resource temporarily unavailable\n"


def test_signals_to_the_group_are_left_to_the_launcher():
    code = """
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: None)
server.fork({'id': 'a', 'do': 'os.kill(os.getpid(), signal.SIGINT); os.kill(os.getppid(), signal.SIGHUP); os._exit(7)'})
os.kill(0, signal.SIGTERM)
print(*next(server.ended())[:2])
server.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code], capture_output=True, text=True, timeout=60, start_new_session=True
    )
    assert done.stdout == "a 7\n"


# What ends, in a launcher with a worker that never does: all of them keep the same pipe open.
LOST = {
    "the launcher ends the workers": "server.close(); print('ended'); sys.stdout.close(); os.close(1); time.sleep(600)",
    "the launcher is killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "the launcher exits": "os._exit(0)",
    "the fork server is killed": ("os.kill(server._pid, signal.SIGKILL); print(list(server.ended())); os._exit(0)"),
}


@pytest.mark.parametrize("code", LOST.values(), ids=LOST)
def test_nothing_outlives_its_parent(code: str):
    do = "os.write(1, b'+'); signal.pause()"
    start = f"server.fork({{'id': 'a', 'do': {do!r}}}); sys.stdin.read(1)\n"
    launcher = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + start + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert launcher.stdin is not None
    assert launcher.stdout is not None
    assert launcher.stdout.read(1) == b"+"
    launcher.stdin.write(b"x")
    launcher.stdin.close()
    # The pipe ends when the last process that has it does.
    data = b"+"
    while data:
        assert select.select([launcher.stdout], [], [], 60)[0]
        data = launcher.stdout.read1()
    launcher.stdout.close()
    launcher.kill()
    launcher.wait()


UNSAFE = {
    "a thread": "threading.Thread(target=threading.Event().wait, daemon=True).start()",
    "a channel of gRPC": "import grpc; channel = grpc.insecure_channel('127.0.0.1:1'); channel.unary_unary('/')(b'')",
}


@pytest.mark.parametrize("code", UNSAFE.values(), ids=UNSAFE)
def test_a_process_with_threads_is_not_forked(code: str):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import threading\nfrom contextlib import suppress\nfrom beam_taxi.launch.fork_server import can_fork\n"
            f"with suppress(Exception):\n    {code}\nprint(can_fork())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_the_threads_of_libraries_do_not_matter():
    code = "import numpy, pyarrow, tensorflow\nfrom beam_taxi.launch.fork_server import can_fork\nprint(can_fork())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
