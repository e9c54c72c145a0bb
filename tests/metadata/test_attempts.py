"""A run that ended without a result is started again under its id; each attempt starts once and ends once."""

from __future__ import annotations

import dataclasses
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from beam_taxi.cli.terminal import TerminalConsole
from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.launch.outcome import Cancelled
from beam_taxi.launch.record import RunRecord
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.lineage import lineage
from beam_taxi.metadata.queries import artifacts_of, get_run, latest_schema, list_runs
from beam_taxi.metadata.reap import reap
from beam_taxi.metadata.recorder import fail, note_job, record, record_cached, start
from beam_taxi.metadata.store import open_store
from beam_taxi.metadata.waiting import shown_by
from beam_taxi.run.manifest import InputEntry
from tests.metadata.runs import check_whole, manifest, planned, record_run

pytestmark = pytest.mark.slow

JOB = {"job_runner": "FlinkRunner", "job_id": "f00", "job_service": "127.0.0.1:8099", "job_page": "http://flink/f00"}


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/m.sqlite"


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_run_without_result_starts_again(store: str, state: str):
    assert start(planned("r"), store, "FnApiRunner") == 1
    fail("r", store, "no space left", state)
    first = get_run(store, "r")
    assert start(planned("r"), store, "FnApiRunner") == 2
    run = get_run(store, "r")
    assert (run.state, run.attempt, run.properties.get("error")) == ("RUNNING", 2, None)
    assert run.started > first.started
    assert {one.state for one in artifacts_of(store, run).values()} == {"LIVE"}
    # A late end of the first attempt changes nothing of the second.
    fail("r", store, "again", state, attempt=1)
    with pytest.raises(BeamTaxiError, match=f"r is {state} in the store already, and cannot become"):
        fail("r", store, "x", "CANCELED" if state == "FAILED" else "FAILED", attempt=1)
    assert get_run(store, "r") == run
    ids = record_run(store, "r")
    assert record_run(store, "r") == ids
    assert check_whole(store) == {"r": "COMPLETE"}
    assert get_run(store, "r").executions == run.executions
    with pytest.raises(BeamTaxiError, match="r is COMPLETE in the store already, and cannot become FAILED"):
        fail("r", store, "x", attempt=2)
    # The first attempt stays as it ended.
    with open_store(store) as connection:
        (old, *_) = connection.get_executions_by_id(list(first.executions.values()))
    assert type(old).State.Name(old.last_known_state) == state
    assert old.custom_properties["error"].string_value == "no space left"


def test_an_attempt_has_its_own_inputs_and_pipeline(sqlite: str):
    start(planned("r"), sqlite, "FnApiRunner")
    fail("r", sqlite, "x")
    other = manifest("r")
    other = dataclasses.replace(other, pipeline_name="other", inputs=(InputEntry("/new.csv", "csv", 1, "sha256:9", 1),))
    start(dataclasses.replace(other, artifacts={}), sqlite, "FnApiRunner")
    record(other, sqlite)
    (run,) = list_runs(sqlite)
    artifacts = artifacts_of(sqlite, run)
    assert [one.uri for key, one in artifacts.items() if key.startswith("input/")] == ["/new.csv"]
    assert {one.run_id for one in artifacts.values()} == {"r"}
    assert latest_schema(sqlite, "other") == artifacts["schema"]
    edges = lineage(sqlite, [artifacts["schema"].id]).edges
    assert {edge.execution for edge in edges} == set(run.executions.values())


def running_here(store: str) -> None:
    start(planned("r"), store, "FnApiRunner")


def running_in_a_dead_process(store: str) -> None:
    code = "import sys\nfrom beam_taxi.metadata.recorder import start\nfrom tests.metadata.runs import planned\n"
    code += "start(planned('r'), sys.argv[1], 'FnApiRunner')\n"
    subprocess.run([sys.executable, "-c", code, store], check=True)


def running_elsewhere(store: str) -> None:
    start(planned("r"), store, "FlinkRunner", in_process=False)


def running_as_a_job(store: str) -> None:
    running_elsewhere(store)
    note_job("r", store, JOB)


def complete(store: str) -> None:
    record_run(store, "r")


def cached(store: str) -> None:
    record_run(store, "earlier")
    record_cached(planned("r"), manifest("earlier"), store)


TAKEN: dict[str, tuple[Callable[[str], None], str]] = {
    "here": (running_here, r"RUNNING, launched by process \d+ on \S+ at \S+ UTC; wait for it, or choose"),
    "dead": (
        running_in_a_dead_process,
        r"RUNNING, launched by process \d+ on .*; that process is dead: end its",
    ),
    "elsewhere": (
        running_elsewhere,
        "RUNNING, launched by another process with FlinkRunner at .*; choose .*, or if",
    ),
    "job": (
        running_as_a_job,
        "RUNNING, launched by another process as job f00 http://flink/f00 at .*, or if",
    ),
    "complete": (complete, "COMPLETE; choose another$"),
    "cached": (cached, "CACHED; choose another$"),
}


@pytest.mark.parametrize(("before", "message"), TAKEN.values(), ids=TAKEN)
def test_an_id_that_is_taken_is_refused(sqlite: str, before: Callable[[str], None], message: str):
    before(sqlite)
    run = get_run(sqlite, "r")
    with pytest.raises(UsageError, match="^--run_id r: the store has a run of this id, which is " + message) as error:
        start(planned("r"), sqlite, "FnApiRunner")
    if "dead" in str(error.value):
        assert f"runs reap r --metadata_store '{sqlite}'" in str(error.value)
    if run.state != "CACHED":
        record_run(sqlite, "earlier")
        with pytest.raises(UsageError, match="the store has a run of this id"):
            record_cached(planned("r"), manifest("earlier"), sqlite)
    assert get_run(sqlite, "r") == run


def try_to_start(store: str, run_ids: Sequence[str], _: int) -> list[int | str]:
    return [start_or_refusal(store, run_id) for run_id in run_ids]


def start_or_refusal(store: str, run_id: str) -> int | str:
    try:
        return start(planned(run_id), store, "FnApiRunner")
    except UsageError as error:
        return str(error)


def test_of_several_launches_one_starts(store: str):
    new, failed = [[f"{name}-{number}" for number in range(5)] for name in ("new", "failed")]
    for run_id in failed:
        start(planned(run_id), store, "FnApiRunner")
        fail(run_id, store, "x")
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        answers = list(pool.map(partial(try_to_start, store, [*new, *failed]), range(4)))
    for run_id, of_run in zip([*new, *failed], zip(*answers, strict=True), strict=True):
        refusals = [one for one in of_run if isinstance(one, str)]
        assert [one for one in of_run if isinstance(one, int)] == [1 if run_id in new else 2]
        assert all("the store has a run of this id, which is RUNNING" in one for one in refusals)
        assert len(get_run(store, run_id).executions) == 3


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_manifest_overrules_an_end_without_result(sqlite: str, state: str):
    start(planned("r"), sqlite, "FlinkRunner", in_process=False)
    fail("r", sqlite, "the job service went away", state)
    with pytest.raises(UsageError, match="run r: its manifest has no artifacts, so the run has not finished"):
        record(planned("r"), sqlite)
    with pytest.raises(BeamTaxiError, match=f"r is {state} in the store with settings other than the manifest's") as no:
        record(dataclasses.replace(manifest("r"), settings_sha256="other"), sqlite)
    assert "record it in another --metadata_store" in str(no.value)
    assert get_run(sqlite, "r").state == state
    ids = record(manifest("r"), sqlite, attempt=1)
    assert record(manifest("r"), sqlite) == ids
    assert check_whole(sqlite) == {"r": "COMPLETE"}
    fail("r", sqlite, "late", state, attempt=1)
    assert get_run(sqlite, "r").state == "COMPLETE"


def test_a_late_record_does_not_end_another_launch(sqlite: str):
    start(planned("r"), sqlite, "FnApiRunner")
    fail("r", sqlite, "x")
    start(planned("r"), sqlite, "FnApiRunner")
    with pytest.raises(BeamTaxiError, match=r"r was started again by process \d+ on .*, and is not ended from here"):
        record(manifest("r"), sqlite, attempt=1)
    assert get_run(sqlite, "r").state == "RUNNING"


def test_a_cached_run_of_a_second_attempt_at_a_second_attempt(sqlite: str):
    for run_id in ("earlier", "r"):
        start(planned(run_id), sqlite, "FnApiRunner")
        fail(run_id, sqlite, "x")
    outputs = record_run(sqlite, "earlier")
    ids = record_cached(planned("r"), manifest("earlier"), sqlite)
    assert record_cached(planned("r"), manifest("earlier"), sqlite) == ids
    assert ids["schema"] == outputs["schema"]
    run = get_run(sqlite, "r")
    assert (run.state, run.attempt, run.properties["cached_from"]) == ("CACHED", 2, "earlier")
    with pytest.raises(BeamTaxiError, match="run gone: the store does not have it"):
        record_cached(planned("other"), manifest("gone"), sqlite)


def test_a_cached_run_that_died_is_reaped_and_works_again(sqlite: str, tmp_path: Path):
    earlier = dataclasses.replace(manifest("earlier"), run_uri=str(tmp_path))
    record(earlier, sqlite)
    (tmp_path / "manifest.json").write_text(earlier.to_json_text())
    code = "import os, sys\nfrom beam_taxi.metadata import recorder, stored_run\n"
    code += "from beam_taxi.run.folder import read_manifest\nfrom tests.metadata.runs import planned\n"
    code += "stored_run.StoredRun.complete = lambda *_: os._exit(9)\n"
    code += "recorder.record_cached(planned('r'), read_manifest(sys.argv[2]), sys.argv[1])\n"
    assert subprocess.run([sys.executable, "-c", code, sqlite, str(tmp_path)], check=False).returncode == 9
    assert get_run(sqlite, "r").state == "RUNNING"
    assert [(one.run_id, one.state) for one in reap(sqlite)] == [("r", "CANCELED")]
    record_cached(planned("r"), earlier, sqlite)
    assert get_run(sqlite, "r").state == "CACHED"


def test_the_job_of_a_run_is_noted_while_it_runs(store: str):
    with pytest.raises(BeamTaxiError, match="r was not started in this store"):
        note_job("r", store, JOB)
    start(planned("r"), store, "FlinkRunner", in_process=False)
    before = get_run(store, "r")
    note_job("r", store, JOB, attempt=1)
    run = get_run(store, "r")
    assert run.properties == {**before.properties, **JOB}
    assert (run.state, run.executions) == ("RUNNING", before.executions)
    fail("r", store, "x")
    note_job("r", store, {"job_id": "late"}, attempt=1)
    assert get_run(store, "r").properties["job_id"] == "f00"
    assert start(planned("r"), store, "FlinkRunner", in_process=False) == 2
    note_job("r", store, {"job_id": "late"}, attempt=1)
    assert "job_id" not in get_run(store, "r").properties
    note_job("r", store, JOB)
    record_run(store, "r")
    assert JOB.items() <= get_run(store, "r").properties.items()


def test_an_entry_of_an_older_version_is_a_first_attempt(sqlite: str):
    start(planned("r"), sqlite, "FnApiRunner")
    with open_store(sqlite, write=True) as connection:
        executions = connection.get_executions()
        for one in executions:
            del one.custom_properties["attempt"]
        connection.put_executions(executions)
    assert get_run(sqlite, "r").attempt == 1
    fail("r", sqlite, "x")
    assert start(planned("r"), sqlite, "FnApiRunner") == 2
    record_run(sqlite, "r")
    assert check_whole(sqlite) == {"r": "COMPLETE"}


def test_a_claim_ends_only_its_own_attempt(sqlite: str):
    start(planned("r"), sqlite, "FnApiRunner", claim="a")
    with pytest.raises(BeamTaxiError, match="^run r was not started in this store by this launch$"):
        fail("r", sqlite, "x", claim="b")
    assert get_run(sqlite, "r").state == "RUNNING"
    fail("r", sqlite, "x", claim="a")
    assert get_run(sqlite, "r").state == "FAILED"


def test_an_interrupt_before_the_start_does_not_end_the_run_of_another_launch(sqlite: str):
    start(planned("r"), sqlite, "FnApiRunner", claim="a")
    record = RunRecord(parse_address(sqlite), "r", TerminalConsole(as_json=False))

    def interrupt() -> NoReturn:
        raise KeyboardInterrupt

    with shown_by(interrupt), pytest.raises(KeyboardInterrupt):
        record.start(planned("r"), "FnApiRunner", True, "b")
    record.end(Cancelled("interrupted"), on_worker=False)
    assert get_run(sqlite, "r").state == "RUNNING"
