"""Old runs whose files are removed: which of them, what the record says, and how an interrupted removal goes on."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from beam_taxi import storage
from beam_taxi.cli import runs as command
from beam_taxi.dates import DateSettings
from beam_taxi.metadata import recorder
from beam_taxi.metadata.prune import Candidate, Rule, candidates, prune
from beam_taxi.metadata.queries import (
    PRUNED,
    accepted_runs,
    artifacts_of,
    get_run,
    latest_complete_run,
    latest_schema,
    list_runs,
)
from beam_taxi.run.folder import MANIFEST, REPORT, RunFolder
from beam_taxi.run.folder import PRUNED as COPY
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.validation import Summary
from tests.metadata import runs

pytestmark = pytest.mark.slow

Change = Callable[[RunManifest], RunManifest]


def baseline(uri: str) -> Change:
    def change(one: RunManifest) -> RunManifest:
        validation = dataclasses.replace(one.settings.validation, baseline=uri)
        settings = dataclasses.replace(one.settings, validation=validation)
        return dataclasses.replace(one, settings=settings, validation_file=next(iter(one.named_files().values())))

    return change


def schema_of(uri: str) -> Change:
    def change(one: RunManifest) -> RunManifest:
        settings = dataclasses.replace(one.settings, schema="feature {name: 'a'}")
        inferred = dataclasses.replace(one.artifacts["schema"], key="inferred_schema")
        artifacts = {**one.artifacts, "inferred_schema": inferred}
        return dataclasses.replace(one, settings=settings, artifacts=artifacts, given={"schema": f"{uri}/schema.pbtxt"})

    return change


def refused(one: RunManifest) -> RunManifest:
    return dataclasses.replace(one, validation=Summary(verdict="failed", accepted=False))


def of_pipeline(name: str) -> Change:
    return lambda one: dataclasses.replace(one, pipeline_name=name)


def on(day: str, window: int = 1) -> Change:
    def change(one: RunManifest) -> RunManifest:
        dates = DateSettings(day, window)
        settings = dataclasses.replace(one.settings, input=("/d/{SPAN}",), dates=dates)
        return dataclasses.replace(one, settings=settings, span=dates.span)

    return change


def with_history(*uris: str) -> Change:
    def change(one: RunManifest) -> RunManifest:
        compared = baseline(uris[-1])(one)
        validation = dataclasses.replace(compared.settings.validation, history=uris)
        return dataclasses.replace(compared, settings=dataclasses.replace(one.settings, validation=validation))

    return change


def other_with_baseline(folder: Path) -> Change:
    return lambda one: of_pipeline("other")(baseline(f"{folder}/a")(one))


def manifest(folder: Path, run_id: str, change: Change | None = None) -> RunManifest:
    uri = f"{folder}/{run_id}"
    whole = runs.manifest(run_id)
    whole = dataclasses.replace(whole, run_uri=uri, settings=dataclasses.replace(whole.settings, run_uri=uri))
    return change(whole) if change else whole


def make(store: str, folder: Path, run_id: str, change: Change | None = None) -> RunFolder:
    """Record a run that has its files."""
    whole = manifest(folder, run_id, change)
    run = RunFolder(whole.run_uri)
    run.claim()
    for path in (*whole.named_files(), REPORT):
        if not storage.exists(run.uri_of(path)):
            with run.publish(path) as file:
                file.write(b"x")
    run.write_manifest(whole)
    recorder.record(whole, store)
    return run


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/m.sqlite"


def found(store: str, rule: Rule) -> dict[str, str]:
    return {one.run.run_id: one.kept for one in candidates(store, rule)}


SITUATIONS: dict[str, tuple[list[tuple[str, Callable[[Path], Change | None]]], Rule, dict[str, str]]] = {
    "the newest stay": ([("a", lambda _: None), ("b", lambda _: None)], Rule(keep=1), {"a": ""}),
    "fewer than that": ([("a", lambda _: None), ("b", lambda _: None)], Rule(keep=2), {}),
    "the last stays": ([("a", lambda _: None)], Rule(keep=0), {"a": "the last accepted run of taxi"}),
    "the last accepted": (
        [("a", lambda _: None), ("b", lambda _: None), ("c", lambda _: refused)],
        Rule(keep=1),
        {"a": "", "b": "the last accepted run of taxi"},
    ),
    "a baseline": (
        [("a", lambda _: None), ("b", lambda _: None), ("c", lambda path: baseline(f"{path}/a"))],
        Rule(keep=1),
        {"a": "the baseline of c", "b": ""},
    ),
    "a split of a baseline": (
        [("a", lambda _: None), ("b", lambda path: baseline(f"{path}/a/statistics/Split-train"))],
        Rule(keep=1),
        {"a": "the baseline of b"},
    ),
    "the baseline of a run that goes": (
        [("a", lambda _: None), ("b", lambda path: baseline(f"{path}/a")), ("c", lambda _: None)],
        Rule(keep=1),
        {"a": "", "b": ""},
    ),
    "a schema": (
        [("a", lambda _: None), ("b", lambda path: schema_of(f"{path}/a/schema"))],
        Rule(keep=1),
        {"a": "the schema of b"},
    ),
    "each pipeline": (
        [("a", lambda _: None), ("b", lambda _: of_pipeline("other")), ("c", lambda _: None)],
        Rule(keep=1),
        {"a": ""},
    ),
    "one pipeline": (
        [(name, lambda _: of_pipeline("other")) for name in ("a", "b")] + [(name, lambda _: None) for name in "cd"],
        Rule(keep=1, pipeline="other"),
        {"a": ""},
    ),
    "the baseline of another pipeline": (
        [("a", lambda _: None), ("b", lambda _: None), ("c", other_with_baseline)],
        Rule(keep=1, pipeline="taxi"),
        {"a": "the baseline of c"},
    ),
    # The last is the day that the next one is compared with.
    "a late day": (
        [("a", lambda _: on("2026-02-01")), ("c", lambda _: on("2026-02-03")), ("b", lambda _: on("2026-02-02"))],
        Rule(keep=1),
        {"a": "", "b": ""},
    ),
    "windows": (
        [("w", lambda _: on("2026-02-01", 7)), ("a", lambda _: on("2026-02-01")), ("b", lambda _: on("2026-02-02"))],
        Rule(keep=1),
        {"w": "the last accepted run of taxi", "a": ""},
    ),
    "by age": (
        [("a", lambda _: None), ("b", lambda _: None)],
        Rule(since=datetime.now(timezone.utc) + timedelta(days=1)),
        {"a": "", "b": "the last accepted run of taxi"},
    ),
    "by age, all are young": ([("a", lambda _: None)], Rule(since=datetime.now(timezone.utc) - timedelta(days=1)), {}),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_goes(sqlite: str, tmp_path: Path, name: str):
    made, rule, expected = SITUATIONS[name]
    for run_id, change in made:
        make(sqlite, tmp_path, run_id, change(tmp_path))
    assert found(sqlite, rule) == expected


def test_what_a_running_run_uses_stays(sqlite: str, tmp_path: Path):
    for run_id in "abc":
        make(sqlite, tmp_path, run_id)
    planned = dataclasses.replace(
        manifest(tmp_path, "r", baseline(f"{tmp_path}/a")), artifacts={}, validation_file=None
    )
    recorder.start(planned, sqlite, "FnApiRunner")
    assert found(sqlite, Rule(keep=1)) == {"a": "the baseline of r", "b": ""}


def test_the_history_of_a_run_stays_while_it_runs(sqlite: str, tmp_path: Path):
    for run_id in "abc":
        make(sqlite, tmp_path, run_id)
    make(sqlite, tmp_path, "d", with_history(f"{tmp_path}/a", f"{tmp_path}/c"))
    assert found(sqlite, Rule(keep=1)) == {"a": "", "b": "", "c": "the baseline of d"}
    running = manifest(tmp_path, "r", with_history("/elsewhere", f"{tmp_path}/b", f"{tmp_path}/c"))
    recorder.start(dataclasses.replace(running, artifacts={}, validation_file=None), sqlite, "FnApiRunner")
    assert found(sqlite, Rule(keep=1)) == {"a": "", "b": "the history of r", "c": "the baseline of d"}


def test_what_is_reused_stays(sqlite: str, tmp_path: Path):
    for run_id in "ab":
        make(sqlite, tmp_path, run_id)
    recorder.record_cached(manifest(tmp_path, "c"), manifest(tmp_path, "a"), sqlite)
    assert found(sqlite, Rule(keep=1)) == {"a": "reused by c", "b": "the last accepted run of taxi"}


def test_the_record_and_the_files(store: str, tmp_path: Path):
    folders = [make(store, tmp_path, run_id) for run_id in ("a", "b")]
    (one,) = candidates(store, Rule(keep=1))
    assert (one.files, one.others) == (7, 0)
    assert one.bytes == sum(path.stat().st_size for path in Path(folders[0].uri).rglob("*") if path.is_file())
    prune(store, one)
    assert not storage.exists(folders[0].uri)
    run = get_run(store, "a")
    assert run.state == "COMPLETE"
    states = {key: artifact.state for key, artifact in artifacts_of(store, run).items()}
    assert {key: state for key, state in states.items() if key.startswith("input/")} == {
        "input/0": "LIVE",
        "input/1": "LIVE",
    }
    assert {state for key, state in states.items() if not key.startswith("input/")} == {"DELETED"}
    assert folders[1].is_whole()
    assert {one.state for one in artifacts_of(store, get_run(store, "b")).values()} == {"LIVE"}
    assert [run.run_id for run in accepted_runs(store, "taxi")] == ["b"]
    assert candidates(store, Rule(keep=1)) == []


def test_readers_skip_what_is_gone(sqlite: str, tmp_path: Path):
    for run_id in ("a", "b"):
        make(sqlite, tmp_path, run_id, refused if run_id == "b" else None)
    prune(sqlite, Candidate(get_run(sqlite, "b"), manifest=manifest(tmp_path, "b", refused)))
    latest, schema = latest_complete_run(sqlite, "taxi"), latest_schema(sqlite, "taxi")
    assert latest is not None
    assert schema is not None
    assert (latest.run_id, schema.run_id) == ("a", "a")


def test_files_of_others_stay(sqlite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for run_id in ("a", "b"):
        make(sqlite, tmp_path, run_id)
    notes = tmp_path / "a" / "statistics" / "notes.txt"
    notes.write_text("mine")
    assert command.main(["prune", "--keep", "1", "--yes", "--metadata_store", sqlite]) == 0
    assert [path for path in (tmp_path / "a").rglob("*") if path.is_file()] == [notes]
    assert f"{tmp_path}/a: files that the run did not write are kept (1)" in capsys.readouterr().err


UNSAFE: dict[str, Callable[[Path], None]] = {
    "another run": lambda path: (
        (path / MANIFEST).write_text(runs.manifest("x").to_json_text().replace("/out/x", str(path))) and None
    ),
    "not a manifest": lambda path: (path / MANIFEST).write_text("{") and None,
}


@pytest.mark.parametrize("name", UNSAFE)
def test_a_folder_that_is_not_the_runs_stays(sqlite: str, tmp_path: Path, name: str):
    for run_id in ("a", "b"):
        make(sqlite, tmp_path, run_id)
    UNSAFE[name](tmp_path / "a")
    kept = found(sqlite, Rule(keep=1))["a"]
    assert kept == f"{tmp_path}/a has another run" if name == "another run" else "not the manifest of a run" in kept


def test_files_that_are_gone_already(sqlite: str, tmp_path: Path):
    for run_id in ("a", "b"):
        make(sqlite, tmp_path, run_id)
    RunFolder(f"{tmp_path}/a").remove(manifest(tmp_path, "a"))
    (one,) = candidates(sqlite, Rule(keep=1))
    prune(sqlite, one)
    assert get_run(sqlite, "a").properties[PRUNED]
    assert candidates(sqlite, Rule(keep=1)) == []


def marked(store: str, folder: RunFolder) -> None:
    recorder.mark_pruned(get_run(store, "a"), store, {PRUNED: "2026-01-01"})


def copied(store: str, folder: RunFolder) -> None:
    marked(store, folder)
    with folder.publish(COPY) as file:
        file.write(storage.read_bytes(folder.uri_of(MANIFEST)))


def no_manifest(store: str, folder: RunFolder) -> None:
    copied(store, folder)
    storage.remove_files(folder.uri, [MANIFEST])


def half(store: str, folder: RunFolder) -> None:
    no_manifest(store, folder)
    storage.remove_files(folder.uri, ["examples/Split-train/x.gz", "schema/schema.pbtxt"])


def only_the_copy(store: str, folder: RunFolder) -> None:
    no_manifest(store, folder)
    storage.remove_files(folder.uri, [*runs.manifest("a").named_files(), REPORT, storage.CLAIM])


def no_file(store: str, folder: RunFolder) -> None:
    only_the_copy(store, folder)
    storage.remove_files(folder.uri, [COPY])


@pytest.mark.parametrize("step", [marked, copied, no_manifest, half, only_the_copy, no_file])
def test_an_interrupted_removal_goes_on(sqlite: str, tmp_path: Path, step: Callable[[str, RunFolder], None]):
    folder, _ = (make(sqlite, tmp_path, run_id) for run_id in ("a", "b"))
    step(sqlite, folder)
    check_consistent(sqlite)
    assert command.main(["prune", "--keep", "5", "--yes", "--metadata_store", sqlite]) == 0
    assert not storage.exists(folder.uri)
    assert found(sqlite, Rule(keep=0)) == {"b": "the last accepted run of taxi"}


def check_consistent(store: str) -> None:
    """Assert that a run whose outputs are LIVE has all of its files."""
    for run in list_runs(store):
        outputs = [one for key, one in artifacts_of(store, run).items() if not key.startswith("input/")]
        if "LIVE" in {one.state for one in outputs}:
            folder = RunFolder(run.manifest.rpartition("/")[0])
            storage.check_published(folder.uri, folder.read_manifest().named_files())


@pytest.mark.parametrize("number", range(4))
def test_a_killed_removal_goes_on(sqlite: str, tmp_path: Path, number: int):
    for run in range(12):
        make(sqlite, tmp_path, f"r{run:02}")
    words = [sys.executable, "-m", "beam_taxi", "runs", "prune", "--keep", "1", "--metadata_store", sqlite]
    with subprocess.Popen([*words, "--yes"], stdout=subprocess.PIPE) as process:
        while process.poll() is None and sum((tmp_path / f"r{run:02}").exists() for run in range(12)) > 11 - 2 * number:
            pass
        process.kill()
    check_consistent(sqlite)
    left = [run.run_id for run in list_runs(sqlite) if "files_removed" not in run.properties]
    assert left
    assert subprocess.run([*words, "--yes"], check=False, capture_output=True).returncode == 0
    check_consistent(sqlite)
    assert sorted(os.path.basename(path) for path in tmp_path.glob("r*")) == ["r11"]


def test_a_file_that_cannot_be_removed(sqlite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for run_id in ("a", "b", "c"):
        make(sqlite, tmp_path, run_id)
    path = tmp_path / "a" / "schema" / "schema.pbtxt"
    path.unlink()
    path.mkdir()
    words = ["prune", "--keep", "1", "--yes", "--metadata_store", sqlite]
    assert command.main(words) == 1
    told = capsys.readouterr()
    assert f"beam_taxi: error: a: [Errno 21] Is a directory: '{path}'; run the command again to go on\n" in told.err
    assert not (tmp_path / "b").exists()
    path.rmdir()
    assert command.main(words) == 0
    assert not (tmp_path / "a").exists()


REFUSED = {
    "no question": (["--keep", "1"], "nothing was removed; --yes removes 1 run with "),
    "no rule": ([], "one of the arguments --keep --older_than is required"),
    "both rules": (["--keep", "1", "--older_than", "3d"], "not allowed with argument"),
    "keep": (["--keep", "-1"], "'-1': must be a whole number, 0 or more"),
    "age": (["--older_than", "3"], "'3': must be an age, such as 30d, 12w or 48h, or a date, such as 2026-01-31"),
    "date": (["--older_than", "2026-02-30"], "must be an age"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(sqlite: str, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]):
    words, told = REFUSED[name]
    for run_id in ("a", "b"):
        make(sqlite, tmp_path, run_id)
    assert command.main(["prune", *words, "--metadata_store", sqlite]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert RunFolder(f"{tmp_path}/a").is_whole()


def test_dry_run(sqlite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for run_id in ("a", "b", "c"):
        make(sqlite, tmp_path, run_id, refused if run_id == "c" else None)
    assert command.main(["prune", "--keep", "1", "--dry_run", "--json", "--metadata_store", sqlite]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["run_id"], first["files"], first["result"]) == ("a", 7, "would be removed")
    assert (second["run_id"], second["result"]) == ("b", "kept: the last accepted run of taxi")
    assert RunFolder(f"{tmp_path}/a").is_whole()
    assert command.main(["verify", "a", "--metadata_store", sqlite]) == 1
    assert command.main(["prune", "--older_than", "1d", "--metadata_store", sqlite]) == 0
    assert "no run to remove" in capsys.readouterr().out


def test_a_run_that_was_removed_is_told(sqlite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for run_id in ("a", "b"):
        make(sqlite, tmp_path, run_id)
    assert command.main(["prune", "--keep", "1", "--yes", "--metadata_store", sqlite]) == 0
    assert command.main(["verify", "a", "--metadata_store", sqlite]) == 2
    assert "beam_taxi: error: a: its files were removed by `runs prune` on 2" in capsys.readouterr().err
    assert command.main(["list", "--metadata_store", sqlite]) == 0
    assert "pruned" in capsys.readouterr().out
