"""An id is one run: recording it again is a retry, and another run of this id is refused."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from beam_taxi.cli.record import main
from beam_taxi.errors import UsageError
from beam_taxi.metadata.queries import artifacts_of, get_run
from beam_taxi.metadata.recorder import record, record_cached, start
from beam_taxi.metadata.store import open_store
from beam_taxi.run.manifest import InputEntry, RunManifest
from tests.metadata.runs import artifact, check_whole, manifest, planned, record_run

pytestmark = pytest.mark.slow

Change = Callable[[RunManifest], RunManifest]


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/m.sqlite"


def with_input(one: RunManifest) -> RunManifest:
    return dataclasses.replace(one, inputs=(InputEntry("/data/1.csv", "csv", 9, "sha256:other", 3), *one.inputs[1:]))


def with_records(one: RunManifest) -> RunManifest:
    examples = artifact("examples", "Examples", "Split-train/y.gz")
    return dataclasses.replace(one, artifacts={**one.artifacts, "examples": examples})


OTHERS: dict[str, Change] = {
    "settings": lambda one: dataclasses.replace(one, settings_sha256="other"),
    "input": with_input,
    "records": with_records,
    "pipeline": lambda one: dataclasses.replace(one, pipeline_name="other"),
    "folder": lambda one: dataclasses.replace(one, run_uri="/elsewhere/r"),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_another_run_of_a_known_id_is_refused(sqlite: str, tmp_path: Path, change: Change):
    record_run(sqlite, "r")
    before = get_run(sqlite, "r"), artifacts_of(sqlite, get_run(sqlite, "r"))
    other = change(manifest("r"))
    with pytest.raises(UsageError, match="^run r: the store has another run of this id, which is COMPLETE") as error:
        record(other, sqlite)
    assert f"has the digest {manifest('r').digest()} (/out/r/manifest.json)" in str(error.value)
    assert f"the digest of this one is {other.digest()} ({other.run_uri}/manifest.json)" in str(error.value)
    (tmp_path / "manifest.json").write_text(other.to_json_text())
    assert main(["--manifest", str(tmp_path), "--metadata_store", sqlite]) == 2
    assert (get_run(sqlite, "r"), artifacts_of(sqlite, get_run(sqlite, "r"))) == before


def test_the_same_manifest_again_is_a_retry(sqlite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    ids = record_run(sqlite, "r")
    later = dataclasses.replace(manifest("r"), started="2026-01-01", warnings=("x",))
    assert record(later, sqlite) == ids
    copy = tmp_path / "copy of the folder"
    copy.mkdir()
    (copy / "manifest.json").write_text(manifest("r").to_json_text())
    assert main(["--manifest", str(copy), "--metadata_store", sqlite]) == 0
    assert capsys.readouterr().out == "".join(f"{name:<14} {id_}\n" for name, id_ in ids.items())


def test_a_cached_run_is_not_the_run_of_a_manifest(sqlite: str):
    record_run(sqlite, "earlier")
    record_cached(planned("r"), manifest("earlier"), sqlite)
    with pytest.raises(UsageError, match="another run of this id, which is CACHED"):
        record_run(sqlite, "r")


def test_a_run_in_another_folder_is_not_ended(sqlite: str):
    start(planned("r"), sqlite, "FnApiRunner")
    other = dataclasses.replace(manifest("r"), run_uri="/elsewhere/r")
    with pytest.raises(UsageError, match=r"which is RUNNING, launched by process \d+ on .* \(/out/r/manifest.json\)"):
        record(other, sqlite)
    record_run(sqlite, "r")
    assert check_whole(sqlite) == {"r": "COMPLETE"}


def test_a_record_of_an_older_version_has_no_digest(sqlite: str):
    ids = record_run(sqlite, "r")
    with open_store(sqlite, write=True) as connection:
        executions = connection.get_executions()
        for one in executions:
            del one.custom_properties["digest"]
        connection.put_executions(executions)
    assert record_run(sqlite, "r") == ids
    with pytest.raises(UsageError, match=r"has the digest unknown \(/out/r/manifest.json\)"):
        record(OTHERS["folder"](manifest("r")), sqlite)


def try_to_record(store: str, runs: int, folder: str) -> list[dict[str, int] | str]:
    found: list[dict[str, int] | str] = []
    for number in range(runs):
        one = dataclasses.replace(manifest(f"r{number}"), run_uri=f"{folder}/r{number}")
        try:
            found.append(record(one, store))
        except UsageError as error:
            found.append(str(error))
    return found


def test_of_several_runs_with_one_id_one_is_recorded(any_store: str):
    folders = [f"/out{number}" for number in range(4)]
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        answers = list(pool.map(partial(try_to_record, any_store, 5), folders))
    for number, of_run in enumerate(zip(*answers, strict=True)):
        (winner,) = (folder for folder, one in zip(folders, of_run, strict=True) if isinstance(one, dict))
        assert all("another run of this id" in one for one in of_run if isinstance(one, str))
        run = get_run(any_store, f"r{number}")
        assert (run.state, run.manifest) == ("COMPLETE", f"{winner}/r{number}/manifest.json")
        assert {one.uri.rpartition("/")[0] for key, one in artifacts_of(any_store, run).items() if "/" not in key} == {
            f"{winner}/r{number}"
        }
