"""A local run that loses one of its processes ends, with one line, and leaves no process behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from beam_taxi.metadata.queries import list_runs
from tests.launch.test_interrupts import data, living, start

pytestmark = pytest.mark.slow

__all__ = ["data"]

KILL, SEGV = signal.SIGKILL, signal.SIGSEGV
MEMORY = "often for lack of memory: use fewer workers (--direct_num_workers N), or a machine with more memory"
CASES = {
    "a worker": (1, KILL, f"a worker process was killed by SIGKILL, {MEMORY}"),
    "a worker, by a fault of native code": (1, SEGV, "the run failed: a worker process was killed by SIGSEGV (trace: "),
    "the fork server": (0, KILL, f"the process that forks the workers was killed, {MEMORY}"),
}


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(("depth", "number", "told"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("workers", ["2", "8"])
def test_a_lost_process(data: Path, tmp_path: Path, workers: str, depth: int, number: signal.Signals, told: str):
    run = start(data, tmp_path, "--direct_num_workers", workers)
    lost = run.pid
    for _ in range(depth + 1):
        lost = children(lost)[-1]
    os.kill(lost, number)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"beam_taxi: error: {told}")
    assert not list(living(run.pid))
    assert not (tmp_path / "r").exists()
    (entry,) = list_runs(f"sqlite:///{tmp_path}/metadata.sqlite")
    assert entry.state == "FAILED"


@pytest.mark.parametrize("workers", ["2", "8"])
def test_nothing_outlives_a_killed_launcher(data: Path, tmp_path: Path, workers: str):
    run = start(data, tmp_path, "--direct_num_workers", workers)
    run.kill()
    # The pipe ends when the last process that has it does.
    assert run.communicate(timeout=60) == ("", "")
