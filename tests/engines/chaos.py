"""Jobs on a cluster, a part of which is killed at a random moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.queries import list_runs
from tests.engines.cluster import ROOT, Cluster, contents, wait_until

EXECUTORS = {"spark": "CoarseGrainedExecutorBackend", "flink": "TaskManagerRunner"}
"""A part of the command line of what does the work of an engine."""
LAUNCHER_TERM, LAUNCHER_KILL = "launcher, SIGTERM", "launcher, SIGKILL"
KINDS = ("executor", "Python worker", "pool", "job server", LAUNCHER_TERM, LAUNCHER_KILL)
_LIMIT_SECONDS = 300.0
_IDLE_SECONDS = 15.0


@dataclass(frozen=True)
class Trial:
    """What became of one job. Files are counted in its folder; `told` is the last line of the launcher."""

    killed: str
    after_seconds: float
    exit_status: int
    told: str
    state: str
    files: str
    reaped_state: str
    reaped_files: str
    faults: tuple[str, ...]


def trials(
    cluster: Cluster, args: list[str | Path], expected: Path, folder: Path, kinds: list[str], seed: int
) -> Iterator[Trial]:
    """Run a job for each of `kinds`, and yield what became of it; the run in `expected` has the right content."""
    store = f"sqlite:///{folder}/metadata.sqlite"
    drawn = random.Random(seed)
    # The first job also starts the engine's workers.
    for run_id in ("cold", "warm"):
        start = time.monotonic()
        cluster.run(*args, "--metadata_store", store, "--output", folder, "--run_id", run_id)
        usual = time.monotonic() - start
        assert contents(folder / run_id) == contents(expected)
    for number, kind in enumerate(kinds):
        run_id = f"run{number}"
        job = cluster.start(*args, "--metadata_store", store, "--output", folder, "--run_id", run_id)
        yield _Trial(cluster, job, expected, folder / run_id, store).run(kind, drawn.uniform(3.0, usual))
        _wait_until_ready(cluster, [*args, "--output", folder, "--run_id", "next", "--preflight"])


def _wait_until_ready(cluster: Cluster, args: list[str | Path]) -> None:
    """Return when the cluster is as it was before a part was killed."""
    if cluster.engine == "flink":
        wait_until(lambda: cluster.json("http://127.0.0.1:8081/overview")["taskmanagers"] == 2)
    wait_until(lambda: not cluster.start(*args).communicate()[0].count("beam_taxi: error"))


class _Trial:
    def __init__(self, cluster: Cluster, job: subprocess.Popen[str], expected: Path, folder: Path, store: str) -> None:
        self._cluster = cluster
        self._job = job
        self._expected = expected
        self._folder = folder
        self._store = store

    def run(self, kind: str, seconds: float) -> Trial:
        """Kill a part after so many seconds of the job, and judge what becomes of the run."""
        restart = self._kill_after(kind, seconds)
        told, _ = self._job.communicate(timeout=_LIMIT_SECONDS)
        state, files = self._state(), self._files()
        faults = [] if self._job.returncode != 0 or files == "whole" else ["exit status 0 without the run"]
        if self._running_jobs() and not self._folder.exists():
            faults.append("removed under a running job")
        restart()
        faults += [] if self._has_ended(_IDLE_SECONDS if state == "RUNNING" else 0.0) else ["the job goes on"]
        self._reap()
        after = self._files()
        reaped = self._state()
        if (after == "whole") != (reaped == "COMPLETE"):
            faults.append("the record does not agree")
        if "wrong" in files or "wrong" in after:
            faults.append("wrong content")
        if files == "whole" != after:
            faults.append("a whole run was removed")
        lines = told.strip().splitlines() or [""]
        if len([line for line in lines if "error" in line]) > 1:
            faults.append(f"{len(lines)} lines")
        return Trial(kind, seconds, self._job.returncode, lines[-1], state, files, reaped, after, tuple(faults))

    def _kill_after(self, kind: str, seconds: float) -> Callable[[], None]:
        """Kill a part; return what starts it again where the cluster does not."""
        words = {
            "executor": EXECUTORS[self._cluster.engine],
            "Python worker": "SdkHarness",
            "pool": "launch.worker_pool",
            "job server": "job-server.jar",
        }.get(kind)
        time.sleep(seconds)
        if words is None:
            self._job.send_signal(signal.SIGTERM if kind == LAUNCHER_TERM else signal.SIGKILL)
            return lambda: None
        # Executors and Python workers come with the job.
        while not (found := self._cluster.processes(words)):
            if self._job.poll() is not None:
                return lambda: None
            time.sleep(0.2)
        again = kind in ("pool", "job server") or words == "TaskManagerRunner"
        restart = self._cluster.respawn(found[-1]) if again else lambda: None
        os.kill(found[-1], signal.SIGKILL)
        return restart

    def _has_ended(self, idle_seconds: float) -> bool:
        """Return whether the engine has no job, and had none for so long: a job server takes a while to submit one."""
        busy = time.monotonic()
        until = busy + _LIMIT_SECONDS
        while self._running_jobs() or time.monotonic() - busy < idle_seconds:
            if self._running_jobs():
                busy = time.monotonic()
            if busy > until:
                return False
            time.sleep(1)
        return True

    def _running_jobs(self) -> bool:
        if self._cluster.engine == "spark":
            return bool(self._cluster.json("http://127.0.0.1:8080/json/")["activeapps"])
        jobs = self._cluster.json("http://127.0.0.1:8081/jobs/overview")["jobs"]
        return any(job["state"] not in ("FINISHED", "FAILED", "CANCELED") for job in jobs)

    def _reap(self) -> None:
        reap = [sys.executable, "-m", "beam_taxi", "runs", "reap", "--metadata_store", self._store, "--json"]
        for named in ([], [self._folder.name, "--force"]):
            if self._state() == "RUNNING":
                subprocess.run(self._cluster.command(*reap, *named), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)

    def _state(self) -> str:
        """Return the state in the record, `-` if the launch was refused before it was recorded."""
        runs = [run for run in list_runs(parse_address(self._store)) if run.run_id == self._folder.name]
        return runs[0].state if runs else "-"

    def _files(self) -> str:
        """Return `whole`, `wrong: ...`, or what there is."""
        if (self._folder / "manifest.json").exists():
            try:
                return "whole" if contents(self._folder) == contents(self._expected) else "wrong"
            except AssertionError as error:
                return f"wrong: {str(error).splitlines()[0]}"
        if not self._folder.exists():
            return "none"
        return f"{len([path for path in self._folder.rglob('*') if path.is_file()])} files"
