"""Many writers at once, and writers that are killed: nothing lost, nothing double, nothing partial."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from beam_taxi.metadata.queries import list_runs
from beam_taxi.metadata.recorder import init
from beam_taxi.metadata.verify import reap
from tests.metadata import runs
from tests.metadata.conftest import MariaDB

PROCESSES, RUNS_EACH = 8, 3
KILLS = int(os.environ.get("BEAM_TAXI_KILLS", "10"))


@pytest.fixture(params=["sqlite", "mariadb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/m.sqlite"
        return
    server: MariaDB = request.getfixturevalue("mariadb")
    database = tmp_path.name.replace("-", "_")
    uri = server.tcp(database)
    init(uri)
    yield uri
    server.sql(f"DROP DATABASE {database}")


def record_several(store: str, number: int) -> list[dict[str, int]]:
    return [runs.record_run(store, f"r{number}-{one}") for one in range(RUNS_EACH)]


def record_the_same(store: str, number: int) -> list[dict[str, int]]:
    return [runs.record_run(store, f"same-{one}") for one in range(RUNS_EACH)]


@pytest.mark.parametrize("work", [record_several, record_the_same])
def test_processes_that_record_at_once(store: str, work: object):
    # Spawned, since MySQL's client does not outlive a fork.
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(work, [store] * PROCESSES, range(PROCESSES)))
    distinct = PROCESSES * RUNS_EACH if work is record_several else RUNS_EACH
    assert set(runs.check_whole(store).values()) == {"COMPLETE"}
    assert len(list_runs(store)) == distinct
    assert len({tuple(sorted(ids.items())) for several in found for ids in several}) == distinct


def test_kill_9_at_random_points_leaves_nothing_partial(store: str):
    choose = random.Random(1)
    told: dict[str, str] = {}
    for kill in range(KILLS):
        command = [sys.executable, "-m", "tests.metadata.runs", store, f"k{kill}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            # Once it records, some moment of the next run.
            lines = [process.stdout.readline() for _ in range(choose.randrange(1, 5))]
            try:
                process.wait(choose.uniform(0, 0.12))
            except subprocess.TimeoutExpired:
                process.kill()
            lines += process.stdout.readlines()
        told.update(line.split() for line in lines if line.endswith("\n"))
    before = runs.check_whole(store)
    for run_id, event in told.items():
        assert event == "started" or before[run_id] == "COMPLETE"
    assert told.keys() <= before.keys()
    reaped = {one.run_id: one.state for one in reap(store)}
    assert set(reaped.values()) <= {"CANCELED"}
    after = runs.check_whole(store)
    assert after == {**before, **reaped}
    assert "RUNNING" not in after.values()
    runs.record_run(store, "next")
