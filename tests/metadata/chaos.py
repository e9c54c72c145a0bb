"""Many writers at once, and writers that are killed: a little for the tests, much more for scripts/soak_metadata.py.

Each function returns counts by name; those in `BAD` must be 0.
"""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata.address import StoreError
from beam_taxi.metadata.nodes import INPUT, event_key
from beam_taxi.metadata.queries import artifacts_of, list_runs
from beam_taxi.metadata.reap import reap
from beam_taxi.metadata.recorder import record, start
from beam_taxi.metadata.verify import verify
from tests.metadata import runs

BAD = ("failed", "lost", "double", "left RUNNING", "seen as whole", "not verified")


def record_at_once(store: str, processes: int, runs_each: int, same: bool) -> Counter[str]:
    """Start and record in several processes, each its own runs or all the `same` runs.

    The runs of a round are the first of their pipeline, so that its contexts are created at the same time.
    """
    # Spawned, since MySQL's client does not outlive a fork.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        work = partial(_record_several, store, runs_each)
        found = list(pool.map(work, ["same"] * processes if same else map(str, range(processes))))
    expected = runs_each if same else processes * runs_each
    states = Counter(runs.check_whole(store).values())
    failed = sum(isinstance(one, str) for several in found for one in several)
    ids = {tuple(sorted(one.items())) for several in found for one in several if not isinstance(one, str)}
    double = max(len(ids), len(list_runs(store))) - expected
    return Counter(recorded=states["COMPLETE"], failed=failed, lost=expected - states["COMPLETE"], double=double)


def _record_several(store: str, runs_each: int, name: str) -> list[dict[str, int] | str]:
    """Return the ids of each run, or the error."""
    found: list[dict[str, int] | str] = []
    for one in range(runs_each):
        of_pipeline = partial(replace, pipeline_name=f"pipeline {one}")
        try:
            # Of the same runs, one process starts each, and the others find it started.
            with suppress(UsageError) if name == "same" else nullcontext():
                start(of_pipeline(runs.planned(f"{name}-{one}")), store, "FnApiRunner")
            found.append(record(of_pipeline(runs.manifest(f"{name}-{one}")), store))
        except BeamTaxiError as error:
            found.append(str(error))
    return found


def kill_recorders(store: str, kills: int, at_once: int = 4) -> Counter[str]:
    """Kill processes that start and record run after run, several at once, at random moments; reap what they leave."""
    choose = random.Random(1)
    told: dict[str, str] = {}

    def kill_one(kill: int) -> list[str]:
        command = [sys.executable, "-m", "tests.metadata.runs", store, f"k{kill}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            # Once it records, some moment of the next run.
            lines = [process.stdout.readline() for _ in range(choose.randrange(1, 5))]
            _kill_within(process, choose.uniform(0, 0.12))
            return lines + process.stdout.readlines()

    with ThreadPoolExecutor(at_once) as pool:
        for lines in pool.map(kill_one, range(kills)):
            told.update(line.split() for line in lines if line.endswith("\n"))
    before = runs.check_whole(store)
    lost = sum(
        run_id not in before or (event == "recorded" and before[run_id] != "COMPLETE") for run_id, event in told.items()
    )
    reaped = {one.run_id: one.state for one in reap(store)}
    after = runs.check_whole(store)
    changed = sum(after[run_id] != state for run_id, state in {**before, **reaped}.items())
    states = Counter(after.values())
    states["left RUNNING"] = states.pop("RUNNING", 0)
    return Counter({"killed": kills, **states, "lost": lost + changed})


def _kill_within(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()


def launch(*args: str | Path) -> subprocess.Popen[str]:
    """Start the job, as a user does."""
    return piped([sys.executable, "-m", "beam_taxi.main", *map(str, args)])


def piped(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a command whose output is kept."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_for_run(store: str, process: subprocess.Popen[str]) -> None:
    """Return when the store has a RUNNING entry."""
    while process.poll() is None:
        with suppress(StoreError):
            if any(one.state == "RUNNING" for one in list_runs(store)):
                return


def kill_runs(store: str, args: Sequence[str | Path], kills: int) -> Counter[str]:
    """Kill whole runs of one command at random moments after their start is recorded, reap, and run it once more."""
    choose = random.Random(5)
    for _ in range(kills):
        process = launch(*args)
        _wait_for_run(store, process)
        _kill_within(process, choose.uniform(0, 2))
        process.communicate()
        reap(store)
    last = launch(*args)
    _, error = last.communicate()
    assert last.returncode == 0, error
    found: Counter[str] = Counter(killed=kills)
    for one in list_runs(store):
        found[one.state] += 1
        outputs = [artifact for key, artifact in artifacts_of(store, one).items() if event_key(key) != INPUT]
        whole = Path(one.manifest).is_file() or any(artifact.state == "LIVE" for artifact in outputs)
        if one.state != "COMPLETE":
            found["seen as whole"] += whole
            found["left RUNNING"] += one.state == "RUNNING"
        else:
            found["not verified"] += bool(verify(store, one.run_id))
    return found
