"""Stores that stop answering: each call has a limit, the user sees that it waits, and a run never fails of it."""

from __future__ import annotations

import fcntl
import os
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2

from beam_taxi.metadata import waiting
from beam_taxi.metadata.queries import get_run, list_runs
from beam_taxi.metadata.recorder import init, start
from beam_taxi.metadata.store import open_store
from beam_taxi.metadata.stores.base import StoreError, StoreFailure, StoreStalled
from beam_taxi.metadata.verify import verify
from beam_taxi.samples import taxi
from tests.metadata import runs
from tests.metadata.conftest import MariaDB, fail_by, served, stopped

pytestmark = pytest.mark.slow

Stall = Callable[[], AbstractContextManager[None]]
Short = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Short:
    """Return a context manager within which the limit is short."""

    @contextmanager
    def limited() -> Iterator[None]:
        with monkeypatch.context() as limits:
            limits.setattr(waiting, "CALL_SECONDS", 1.0)
            limits.setattr(waiting, "AGAIN_SECONDS", 1.0)
            yield

    return limited


def put_type(uri: str, before: Callable[[], object]) -> None:
    """Open a store, do something, and make a call."""
    pb: Any = metadata_store_pb2
    with open_store(uri, write=True) as store:
        before()
        store.put_context_type(pb.ContextType(name="any"))


@pytest.fixture(params=["locked", "frozen", "grpc", "sqlite"])
def stalling(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Stall]]:
    """Yield a store, and what lets it stall after a connection has been opened."""
    with ExitStack() as stack:
        if request.param in ("locked", "frozen"):
            server: MariaDB = request.getfixturevalue("mariadb")
            uri = server.tcp(f"stalls_{request.param}")
            init(uri)
            yield uri, server.locked if request.param == "locked" else lambda: stopped(server.process)
        elif request.param == "grpc":
            uri, process = stack.enter_context(served(f"sqlite:///{tmp_path}/m.sqlite"))
            yield uri, lambda: stopped(process)
        else:
            uri = f"sqlite:///{tmp_path}/m.sqlite"
            init(uri)
            yield uri, stopped_child


@contextmanager
def stopped_child() -> Iterator[None]:
    """Stop the process that calls ML Metadata's library, as a file system that hangs would."""
    (pid,) = children(os.getpid(), "database_calls.py")
    os.kill(pid, signal.SIGSTOP)
    yield


def children(parent: int, name: str) -> list[int]:
    """Return the PIDs of the children of a process whose command has a name in it."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in found if name in Path(f"/proc/{pid}/cmdline").read_text()]


def test_a_store_that_stalls_between_calls(stalling: tuple[str, Stall], short: Short):
    uri, stall = stalling
    began = time.monotonic()
    with ExitStack() as stack:
        with short(), pytest.raises(StoreStalled, match="no answer within 1 s: is .* stuck[?]"):
            put_type(uri, lambda: stack.enter_context(stall()))
        assert time.monotonic() - began < waiting.CALL_SECONDS
        assert not children(os.getpid(), "database_calls.py")
        # Nobody waits as long again.
        assert waiting.limit_of(uri) == waiting.AGAIN_SECONDS
    runs.record_run(uri, "r")
    assert runs.check_whole(uri) == {"r": "COMPLETE"}
    assert waiting.limit_of(uri) == waiting.CALL_SECONDS


def test_a_file_system_that_hangs(faulty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: Short):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    with monkeypatch.context() as faults, short():
        fail_by(faults, faulty, "library hangs")
        with pytest.raises(StoreStalled, match="m.sqlite: no answer within 1 s: is its file system stuck[?]"):
            start(runs.planned("r"), uri, "FnApiRunner")
    runs.record_run(uri, "r")
    assert runs.check_whole(uri) == {"r": "COMPLETE"}


def test_a_stalled_store_behind_a_server(mariadb: MariaDB, short: Short):
    direct = mariadb.tcp("stalls_served")
    init(direct)
    with served(direct) as (uri, _):
        with mariadb.locked(), short(), pytest.raises(StoreStalled):
            put_type(uri, lambda: None)
        runs.record_run(uri, "r")
    assert runs.check_whole(direct) == {"r": "COMPLETE"}


def test_a_library_that_crashes_is_an_error(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    init(uri)

    def crash() -> None:
        (pid,) = children(os.getpid(), "database_calls.py")
        os.kill(pid, signal.SIGSEGV)

    with pytest.raises(StoreFailure, match="ML Metadata's library crashed: exit status -11"):
        put_type(uri, crash)
    assert list_runs(uri) == []


def test_nothing_outlives_a_process_that_is_killed(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    init(uri)
    code = "import sys\nfrom beam_taxi.metadata.store import open_store\n"
    code += "with open_store(sys.argv[1]):\n print(flush=True)\n sys.stdin.read()\n"
    command = [sys.executable, "-c", code, uri]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (pid,) = children(process.pid, "database_calls.py")
        end = os.pidfd_open(pid)
        process.kill()
    # Readable once the process has ended.
    assert select.select([end], [], [], 10)[0]
    os.close(end)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "taxi.csv"
    taxi.main(["--rows", "500", "--seed", "3", "--out", str(path)])
    return path


def launch(seconds: float, *args: str | Path) -> subprocess.Popen[str]:
    """Start a run with a limit of its own, since that of users is long."""
    code = "import sys\nfrom beam_taxi.metadata import waiting\nwaiting.CALL_SECONDS = float(sys.argv.pop(1))\n"
    code += "waiting.AGAIN_SECONDS = waiting.CALL_SECONDS\n"
    code += "from beam_taxi.cli.run import main\nfrom beam_taxi.launch.interrupts import leave\nleave(main())\n"
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code, str(seconds), *map(str, args)]
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


def record_later(warning: str) -> None:
    subprocess.run([sys.executable, *shlex.split(warning.partition("record it later: python ")[2])], check=True)


def test_a_run_beside_a_stalled_store(sample: Path, tmp_path: Path, mariadb: MariaDB):
    uri = mariadb.tcp("stalls_run")
    init(uri)
    with mariadb.locked():
        run = launch(5.5, "--input", sample, "--output", tmp_path, "--metadata_store", uri, "--run_id", "r")
        out, err = run.communicate()
    assert run.returncode == 0, err
    assert "record     none: see the warning\n" in out
    told = [line.partition(": no answer within ")[0] for line in err.splitlines()]
    assert told == [
        "waiting for the metadata store: 5 s",
        f"beam_taxi: warning: the start was not recorded: {uri}",
        "waiting for the metadata store: 5 s",
        f"beam_taxi: warning: the run is complete but was not recorded: {uri}",
    ]
    assert err.count("record it later") == 1
    record_later(err.splitlines()[-1])
    assert verify(uri, "r") == []


WAIT = "waiting for the metadata store: 5 s\n"
LONG = 600.0


def test_an_interrupt_ends_the_wait_for_the_start(sample: Path, tmp_path: Path, mariadb: MariaDB):
    uri = mariadb.tcp("stalls_start")
    init(uri)
    with mariadb.locked():
        run = launch(LONG, "--input", sample, "--output", tmp_path, "--metadata_store", uri, "--run_id", "r")
        assert run.stderr is not None
        assert run.stderr.readline() == WAIT
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (1, "beam_taxi: error: interrupted\n")
    assert not (tmp_path / "r").exists()
    assert list_runs(uri) == []


def test_an_interrupt_ends_the_wait_for_the_end(sample: Path, tmp_path: Path, mariadb: MariaDB):
    uri = mariadb.tcp("stalls_end")
    init(uri)
    run = launch(LONG, "--input", sample, "--output", tmp_path, "--metadata_store", uri, "--run_id", "r")
    # The first is the claim.
    while len(list(tmp_path.glob("r/_staging/*"))) < 2:
        assert run.poll() is None
    with mariadb.locked():
        assert run.stderr is not None
        assert run.stderr.readline() == WAIT
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 0
    assert err.startswith(
        "beam_taxi: warning: the run is complete but was not recorded: interrupted; record it later: "
    )
    assert get_run(uri, "r").state == "RUNNING"
    record_later(err)
    assert verify(uri, "r") == []


def test_a_queue_for_a_file_is_shown(tmp_path: Path):
    uri, shown = f"sqlite:///{tmp_path}/m.sqlite", threading.Event()
    init(uri)

    def wait_here() -> AbstractContextManager[waiting.Tick]:
        return nullcontext(lambda seconds: shown.set() if seconds == 2 else None)

    with open(tmp_path / "m.sqlite.lock", "rb") as lock, waiting.shown_by(wait_here):
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="has locked the store for 6 s"):
            list_runs(uri)
    assert shown.is_set()
