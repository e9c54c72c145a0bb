"""Which processes are certainly gone, which are alive, and which nobody can tell: in containers, and after reboots."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from beam_taxi.metadata.process import Host, Identity, is_gone, this_host, this_process
from beam_taxi.metadata.queries import get_run
from beam_taxi.metadata.reap import Reaped, is_stale, reap
from beam_taxi.metadata.recorder import start
from tests.metadata import runs

pytestmark = pytest.mark.slow

HERE = this_host()._replace(boot="b1", namespaces="pid:[4026531836] time:[1]", machine="m1", booted=1_000.0)
RECORDED = {
    "process_host": f"name {HERE.namespaces}",
    "process_machine": "m1",
    "process_pid": os.getpid(),
    "process_started": "b1 7",
    "process_time": 2_000,
}
OLD = {**RECORDED, "process_host": "name pid:[4026531836]"}
del OLD["process_machine"], OLD["process_time"]
REBOOTED = HERE._replace(boot="b2", booted=3_000.0)

TOLD: dict[str, tuple[Identity, Host, bool | None]] = {
    "its PID is another's": (RECORDED, HERE, True),
    "another name of the same host": ({**RECORDED, "process_host": f"other {HERE.namespaces}"}, HERE, True),
    "another container of the same name": (RECORDED, HERE._replace(namespaces="pid:[2] time:[1]"), None),
    "another namespace of time": (RECORDED, HERE._replace(namespaces="pid:[4026531836] time:[2]"), None),
    "seen through another /proc": (RECORDED, HERE._replace(namespaces=""), None),
    "recorded through another /proc": ({**RECORDED, "process_host": "name", "process_started": ""}, HERE, None),
    "the same machine after a reboot": (RECORDED, REBOOTED, True),
    "another host of the same name": (RECORDED, REBOOTED._replace(machine="m2"), None),
    "a host without an id": ({**RECORDED, "process_machine": ""}, REBOOTED._replace(machine=""), None),
    "a clone that was up when the run began": (RECORDED, REBOOTED._replace(booted=1_500.0), None),
    "a host without a boot id": (RECORDED, HERE._replace(boot=""), None),
    "an old record": (OLD, HERE, True),
    "an old record of another boot": (OLD, REBOOTED, None),
    "an old record of another container": (OLD, HERE._replace(namespaces="pid:[2] time:[1]"), None),
    "the oldest records": ({**OLD, "process_host": "name"}, HERE, None),
    "a job outside its launcher": ({"runner": "FlinkRunner"}, HERE, None),
}


@pytest.mark.parametrize(("process", "here", "gone"), TOLD.values(), ids=TOLD)
def test_what_can_be_told(process: Identity, here: Host, gone: bool | None):
    assert is_gone(process, here) is gone


def described(*command: str) -> subprocess.Popen[str]:
    """Start a process that prints what identifies it, then waits for the end of its input."""
    code = "import json, sys\nfrom beam_taxi.metadata.process import this_process\n"
    code += "print(json.dumps(this_process()), flush=True)\nsys.stdin.read()\n"
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)


def identity_of(process: subprocess.Popen[str]) -> dict[str, str | int]:
    assert process.stdout is not None
    found: dict[str, str | int] = json.loads(process.stdout.readline())
    return found


def test_a_process_is_alive_until_it_has_ended():
    assert is_gone(this_process()) is False
    with described() as process:
        identity = identity_of(process)
        assert is_gone(identity) is False
        process.kill()
        # A process that has ended remains until its parent asks for its status.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(identity) is True
    assert is_gone(identity) is True


CONTAINER = ("unshare", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc")


@pytest.fixture
def unshare() -> None:
    """Skip where no PID namespaces can be made, but fail on CI."""
    if subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode:
        reason = "no namespaces: run as root, or with `sysctl kernel.unprivileged_userns_clone=1`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@contextmanager
def run_in(command: Sequence[str], store: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that has started a run, and waits."""
    code = "import dataclasses, sys\nfrom beam_taxi.metadata.recorder import start\n"
    code += "from beam_taxi.run.folder import RunFolder\nfrom tests.metadata import runs\n"
    code += "folder = RunFolder(sys.argv[2])\nplanned = dataclasses.replace(runs.planned('r'), run_uri=folder.uri)\n"
    code += "start(planned, sys.argv[1], 'FnApiRunner', True, folder.claim())\nprint('started', flush=True)\n"
    code += "sys.stdin.read()\n"
    words = [*command, sys.executable, "-c", code, store, str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        try:
            yield process
        finally:
            process.kill()


def reap_in(command: Sequence[str], store: str, *more: str) -> tuple[str, str]:
    """Return the state and the reason that `runs reap` gives to the run."""
    words = [*command, sys.executable, "-m", "beam_taxi", "runs", "reap", "r", *more, "--json"]
    done = subprocess.run([*words, "--metadata_store", store], capture_output=True, text=True, check=True)
    (found,) = json.loads(done.stdout)
    return found["state"], found["reason"]


@pytest.mark.usefixtures("unshare")
def test_a_run_in_one_container_is_not_ended_from_another_of_the_same_name(tmp_path: Path):
    store, folder = f"sqlite:///{tmp_path}/m.sqlite", tmp_path / "r"
    with run_in(CONTAINER, store, folder):
        assert int(get_run(store, "r").properties["process_pid"]) < 10
        for command in ((), CONTAINER):
            state, reason = reap_in(command, store)
            assert state == "RUNNING"
            assert "or in another container; if it is not, end it with: python -m" in reason
        assert folder.exists()
        assert not is_stale(get_run(store, "r"))
    assert reap_in((), store)[0] == "RUNNING"
    assert reap_in((), store, "--force") == ("CANCELED", "canceled by hand")
    assert not folder.exists()
    assert start(runs.planned("r"), store, "FnApiRunner") == 2


@pytest.mark.usefixtures("unshare")
def test_a_container_with_the_proc_of_its_host(tmp_path: Path):
    with described("unshare", "--map-root-user", "--pid", "--fork", "--kill-child") as process:
        identity = identity_of(process)
        assert identity["process_started"] == ""
        assert is_gone(identity) is None
        process.kill()


def test_a_living_run_is_not_ended_and_a_dead_one_can_be_started_again(tmp_path: Path):
    store, folder = f"sqlite:///{tmp_path}/m.sqlite", tmp_path / "r"
    with run_in((), store, folder) as process:
        assert reap_in((), store, "--force") == ("RUNNING", f"its process {process.pid} is alive")
        assert not is_stale(get_run(store, "r"))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert is_stale(get_run(store, "r"))
    for command, told in (("list", "its process is gone"), ("show", "stale")):
        words = [sys.executable, "-m", "beam_taxi", "runs", command, "--metadata_store", store]
        words += ["r"] if command == "show" else []
        shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert told in shown
        assert "RUNNING" in shown
    assert folder.exists()
    assert reap_in((), store) == ("CANCELED", f"process {process.pid} is gone")
    assert not folder.exists()
    with run_in((), store, folder):
        assert get_run(store, "r").attempt == 2


@pytest.mark.usefixtures("unshare")
def test_files_that_are_not_here_are_named(tmp_path: Path):
    store, folder = f"sqlite:///{tmp_path}/m.sqlite", tmp_path / "r"
    with run_in(CONTAINER, store, folder):
        pass
    shutil.rmtree(folder)
    told = f"canceled by hand; its files, if any, remain there in {folder}"
    assert reap(store, ["r"], force=True) == [Reaped("r", "CANCELED", told)]
