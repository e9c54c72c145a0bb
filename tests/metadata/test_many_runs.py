"""Stores with many runs: what is shown of them, and that a look-up reads a small part of them."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beam_taxi.cli import runs as command
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.cache import look_up
from beam_taxi.metadata.lineage import Lineage, lineage
from beam_taxi.metadata.mlmd import MetadataStore
from beam_taxi.metadata.newest import newest
from beam_taxi.metadata.queries import (
    Reader,
    accepted_runs,
    artifacts_of,
    get_run,
    latest_complete_run,
    latest_schema,
    list_runs,
    readers,
)
from beam_taxi.metadata.recorder import fail, record, record_cached, start
from beam_taxi.metadata.store import open_store
from beam_taxi.metadata.stores.database import Database
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.validation import Summary
from tests.metadata.bulk import fill
from tests.metadata.runs import manifest, planned, record_run

pytestmark = pytest.mark.slow

MANY = 2_000


def changed(run_id: str, pipeline: str = "taxi", accepted: bool = True, content: str = "", baseline: str = "") -> Any:
    """Return the manifest of a run with another pipeline, verdict, content of its inputs, or baseline."""
    run = manifest(run_id)
    verdict = Summary("passed" if accepted else "failed", accepted=accepted, blessed={"train": accepted})
    inputs = tuple(dataclasses.replace(one, content_hash=content or one.content_hash) for one in run.inputs)
    run = dataclasses.replace(run, pipeline_name=pipeline, validation=verdict, inputs=inputs)
    if not baseline:
        return run
    validation = dataclasses.replace(run.settings.validation, baseline=f"/out/{baseline}", checks="")
    settings = dataclasses.replace(run.settings, validation=validation, schema="")
    anomalies = dataclasses.replace(run.artifacts["statistics"], key="anomalies", type="ExampleAnomalies")
    inferred = dataclasses.replace(run.artifacts["schema"], key="inferred_schema", type="InferredSchema")
    artifacts = {**run.artifacts, "anomalies": anomalies, "inferred_schema": inferred}
    file = dataclasses.replace(run.artifacts["schema"].files[0], path="validation.json")
    return dataclasses.replace(run, settings=settings, artifacts=artifacts, validation_file=file)


@pytest.mark.parametrize("page", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("taken", [1, 3, 12])
def test_what_is_taken_is_read_from_the_newest_on(tmp_path: Path, page: int, taken: int):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    for number in range(4):
        record_run(store, f"r{number}")
    with open_store(store) as connection:
        asked: list[int] = []

        def query(list_options: Any) -> list[Any]:
            asked.append(list_options.limit)
            found: list[Any] = connection.get_executions(list_options=list_options)
            return found

        every = [one.id for one in connection.get_executions()]
        found = [one.id for one, _ in zip(newest(query, page), range(taken), strict=False)]
    assert found == sorted(every, reverse=True)[:taken]
    assert sum(asked[:-1]) < max(page, 2 * taken)
    assert asked == [page * 4**number for number in range(len(asked))]


def test_what_others_add_meanwhile_is_not_read_twice(store: str):
    record_run(store, "r0")
    with open_store(store, write=True) as connection:
        there = [one.id for one in connection.get_executions()]
        found = newest(connection.get_executions, page=2)
        ids = [next(found).id, next(found).id]
        put_foreign_executions(connection)
        ids += [one.id for one in found]
    assert len(set(ids)) == len(ids)
    assert set(there) <= set(ids)


LISTED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all": ({}, ["a", "b", "c", "d", "again"]),
    "newest": ({"limit": 2}, ["d", "again"]),
    "more than there are": ({"limit": 9}, ["a", "b", "c", "d", "again"]),
    "pipeline": ({"pipeline": "other"}, ["b", "d"]),
    "newest of a pipeline": ({"pipeline": "other", "limit": 1}, ["d"]),
    "started again": ({"pipeline": "taxi", "limit": 1}, ["again"]),
    "unknown pipeline": ({"pipeline": "Taxi"}, []),
}


@pytest.fixture
def listed(store: str) -> str:
    start(planned("again"), store, "FnApiRunner")
    fail("again", store, "x")
    for run_id, pipeline in (("a", "taxi"), ("b", "other"), ("c", "taxi"), ("d", "other")):
        record(changed(run_id, pipeline), store)
    with open_store(store, write=True) as connection:
        put_foreign_executions(connection)
    start(planned("again"), store, "FnApiRunner")
    return store


def put_foreign_executions(connection: MetadataStore) -> None:
    """Add executions of another program."""
    (known, *_) = connection.get_executions()
    connection.put_executions([type(known)(type_id=known.type_id) for _ in range(5)])


def test_the_newest_runs_are_listed_oldest_first(listed: str):
    found = {case: [run.run_id for run in list_runs(listed, **options)] for case, (options, _) in LISTED.items()}
    assert found == {case: expected for case, (_, expected) in LISTED.items()}


@pytest.mark.parametrize(
    ("words", "shown", "note"),
    [
        (["--limit", "2"], ["d", "again"], "beam_taxi: note: older runs are not shown; --limit 0 shows all\n"),
        (["--limit", "5"], ["a", "b", "c", "d", "again"], ""),
        (["--limit", "0", "--pipeline", "other"], ["b", "d"], ""),
    ],
)
def test_the_list_tells_that_there_is_more(
    listed: str, words: list[str], shown: list[str], note: str, capsys: pytest.CaptureFixture[str]
):
    assert command.main(["list", *words, "--json", "--metadata_store", listed]) == 0
    told = capsys.readouterr()
    assert [run["run_id"] for run in json.loads(told.out)] == shown
    assert told.err == note


@pytest.mark.parametrize("limit", ["-1", "x", "1.5"])
def test_a_limit_is_a_whole_number(limit: str, capsys: pytest.CaptureFixture[str]):
    assert command.main(["list", f"--limit={limit}", "--metadata_store", "sqlite:////x"]) == 2
    assert f"argument --limit: '{limit}': must be a whole number, 0 or more" in capsys.readouterr().err


def test_the_latest_accepted_run_is_found_behind_others(store: str):
    for run_id, accepted in (("a", True), ("b", True), ("c", False), ("d", False), ("e", False)):
        record(changed(run_id, accepted=accepted), store)
    start(planned("failed"), store, "FnApiRunner")
    fail("failed", store, "x")
    found = {limit: [run.run_id for run in accepted_runs(store, "taxi", limit)] for limit in (1, 4, 5, 100)}
    assert found == {1: ["b"], 4: ["b"], 5: ["a", "b"], 100: ["a", "b"]}
    schema, complete = latest_schema(store, "taxi"), latest_complete_run(store, "taxi")
    assert schema is not None
    assert complete is not None
    assert (schema.run_id, complete.run_id) == ("b", "e")
    assert accepted_runs(store, "none") == []
    assert latest_complete_run(store, "none") is None


def test_the_readers_of_a_file(store: str):
    record(changed("a"), store)
    start(planned("b"), store, "FnApiRunner")
    fail("b", store, "x")
    record(changed("b", content="sha256:new"), store)
    start(planned("c"), store, "FnApiRunner")
    assert readers(store, "/data/1.csv") == [Reader("c", ""), Reader("b", "sha256:new"), Reader("a", "sha256:1")]
    assert readers(store, "/DATA/1.csv") == readers(store, "/out/a/examples") == []


def lineage_of(store: str, run_id: str, limit: int | None) -> Lineage:
    run = get_run(store, run_id)
    return lineage(store, [one.id for one in artifacts_of(store, run).values()], limit, run.executions.values())


def test_lineage_shows_the_newest_runs_of_the_same_files(store: str):
    for run_id in "abcde":
        record(changed(run_id), store)
    record(changed("other", content="sha256:x"), store)
    found = {limit: lineage_of(store, "b", limit) for limit in (1, 2, 4, None)}
    assert {limit: {edge.run_id for edge in one.edges} for limit, one in found.items()} == {
        1: set("be"),
        2: set("bde"),
        4: set("abcde"),
        None: set("abcde"),
    }
    assert {limit: one.readers_left_out for limit, one in found.items()} == {1: 3, 2: 2, 4: 0, None: 0}
    assert not any(one.is_cut for one in found.values())
    assert found[4] == found[None]
    of_each_run = Counter(edge.run_id for edge in found[1].edges)
    assert of_each_run["b"] == of_each_run["e"] == Counter(edge.run_id for edge in found[4].edges)["a"]


def test_lineage_shows_the_newest_runs_that_compare_with_a_run(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    record(changed("r0"), store)
    for number in range(1, 8):
        record(changed(f"r{number}", content=f"sha256:r{number}", baseline="r0"), store)
    whole, cut = lineage_of(store, "r0", None), lineage_of(store, "r0", 3)
    assert {edge.run_id for edge in whole.edges} == {f"r{number}" for number in range(8)}
    assert {edge.run_id for edge in cut.edges} == {"r0", "r5", "r6", "r7"}
    assert (whole.is_cut, cut.is_cut, cut.readers_left_out) == (False, True, 0)
    assert {edge.node for edge in cut.edges if edge.run_id != "r0"} == {"ExampleValidator"}


def test_lineage_has_the_run_itself_however_often_it_was_reused(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    record(manifest("first"), store)
    for number in range(4):
        record_cached(planned(f"cached{number}"), manifest("first"), store)
    for run_id in ("first", "cached1", "cached3"):
        found = lineage_of(store, run_id, 1)
        its, made_by = get_run(store, run_id).executions, get_run(store, "first").executions["CsvExampleGen"]
        assert {edge.execution for edge in found.edges} >= {*its.values(), made_by}
        assert found.is_cut


def test_lineage_tells_what_is_left_out(store: str, capsys: pytest.CaptureFixture[str]):
    for run_id in "abcd":
        record_run(store, run_id)
    assert command.main(["lineage", "a", "--limit", "1", "--json", "--metadata_store", store]) == 0
    told = capsys.readouterr()
    assert told.err == ("beam_taxi: note: 2 more runs that read the same files are not shown; --limit 0 shows all\n")
    answer = json.loads(told.out)
    assert (answer["readers_left_out"], answer["is_cut"]) == (2, False)


SAME, OTHER = "sha256:1", "sha256:other"
LOOKUPS: dict[str, tuple[str, str, bool, str]] = {
    # The content of the input now, the settings now, whether to explain; what the first reason says.
    "content of an old run": (SAME, "cd", False, "run same: its manifest cannot be used"),
    "other content": (OTHER, "cd", False, "run newer59: its manifest cannot be used"),
    "other settings": (SAME, "ee", False, "no complete run over /data/1.csv had these settings"),
    "other settings, explained": (SAME, "ee", True, "run newer59: its manifest cannot be used"),
}


@pytest.fixture(scope="module")
def reread(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a run, and then many runs that read other contents of the same file."""
    store = f"sqlite:///{tmp_path_factory.mktemp('reread')}/m.sqlite"
    record(changed("same"), store)
    fill(store, changed("newer00", content="sha256:z"), [f"newer{number:02}" for number in range(1, 60)])
    return store


@pytest.mark.parametrize(("content", "settings", "explain", "reason"), LOOKUPS.values(), ids=LOOKUPS)
def test_the_cache_looks_at_runs_of_the_same_content(
    reread: str, content: str, settings: str, explain: bool, reason: str
):
    now = dataclasses.replace(planned("now"), settings_sha256=settings)
    hashed = dataclasses.replace(changed("now", content=content), settings_sha256=settings)
    found = look_up(now, parse_address(reread), lambda: hashed, explain)  # type: ignore[arg-type]
    assert found.earlier is None
    assert found.reasons[0].startswith(reason)
    assert len(found.reasons) == 1


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> str:
    store = f"sqlite:///{tmp_path_factory.mktemp('many')}/m.sqlite"
    fill(store, manifest("run-0"), [f"run-{number}" for number in range(1, MANY)])
    return store


def start_and_end(store: str, end: Callable[[RunManifest], object], name: str) -> None:
    start(planned(name), store, "FnApiRunner")
    end(manifest(name))


def explained_lookup(store: str) -> None:
    now = dataclasses.replace(planned("now"), settings_sha256="ee")
    look_up(now, parse_address(store), lambda: changed("now"), explain=True)  # type: ignore[arg-type]


def answered(store: str, *words: str) -> None:
    assert command.main([*words, "--metadata_store", store]) == 0


WORKS: dict[str, tuple[Callable[[str], object], int]] = {
    # What is done, and how many of the runs that have read the same two files it may look at.
    "list": (lambda store: answered(store, "list"), 0),
    "list --pipeline": (lambda store: answered(store, "list", "--pipeline", "taxi"), 0),
    "show": (lambda store: answered(store, "show", "run-7"), 0),
    "lineage": (lambda store: answered(store, "lineage", "run-7"), MANY),
    "reap a run": (lambda store: answered(store, "reap", "run-7"), 0),
    "latest schema": (lambda store: latest_schema(store, "taxi"), 0),
    "baseline": (lambda store: accepted_runs(store, "taxi"), 0),
    "cache": (explained_lookup, MANY),
    "record": (lambda store: start_and_end(store, lambda run: record(run, store), "recorded"), 0),
    "fail": (lambda store: start_and_end(store, lambda run: fail(run.run_id, store, "x"), "failed"), 0),
    "cached": (lambda store: record_cached(planned("cached"), manifest("run-7"), store), 0),
}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The numbers of calls, and of executions and artifacts in the answers of ML Metadata."""
    counts: Counter[str] = Counter()
    call = Database._call_method

    def counting(self: Any, name: str, request: Any, response: Any) -> None:
        call(self, name, request, response)
        counts["calls"] += 1
        for kind in ("executions", "artifacts"):
            counts[kind] += len(getattr(response, kind, ()))

    monkeypatch.setattr(Database, "_call_method", counting)
    return counts


@pytest.mark.parametrize(("work", "readers"), WORKS.values(), ids=WORKS)
def test_no_look_up_reads_all_runs(many: str, read: Counter[str], work: Callable[[str], object], readers: int):
    work(many)
    assert 0 < read["calls"] <= 300
    assert read["executions"] <= 500 < MANY
    assert read["artifacts"] <= 500 + 2 * readers
