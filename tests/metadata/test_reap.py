"""Runs that are RUNNING in the store: what `reap` makes of them, and of their files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from beam_taxi.errors import UsageError
from beam_taxi.metadata.queries import get_run
from beam_taxi.metadata.reap import Reaped, reap
from beam_taxi.metadata.recorder import start
from beam_taxi.run.folder import RunFolder
from tests.metadata import runs

pytestmark = pytest.mark.slow


def started(tmp_path: Path, claim: str | None = None) -> tuple[str, RunFolder]:
    """Start a run outside this process, with a part in its folder; return the store and the folder."""
    store, folder = f"sqlite:///{tmp_path}/m.sqlite", RunFolder(f"{tmp_path}/r")
    token = folder.claim()
    folder.publish_bytes("schema", "schema.pbtxt", b"x")
    planned = dataclasses.replace(runs.manifest("r"), run_uri=folder.uri, artifacts={})
    start(planned, store, "FlinkRunner", in_process=False, claim=token if claim is None else claim)
    return store, folder


ENDS = {
    "running": (("RUNNING", "the job is running"), Reaped("r", "RUNNING", "the job is running"), True),
    "failed": (("FAILED", "no slots"), Reaped("r", "FAILED", "no slots"), False),
    "cancelled": (("CANCELED", "from its page"), Reaped("r", "CANCELED", "from its page"), False),
    "not known": (None, Reaped("r", "CANCELED", "canceled by hand"), False),
}


@pytest.mark.parametrize(("end", "reaped", "is_kept"), ENDS.values(), ids=ENDS)
def test_a_run_ends_as_its_job_or_by_force(tmp_path: Path, end: tuple[str, str] | None, reaped: Reaped, is_kept: bool):
    store, folder = started(tmp_path)
    assert reap(store, ["r"], lambda _: end, force=True) == [reaped]
    assert Path(folder.uri).exists() == is_kept


def test_what_is_not_known_is_left_running_even_if_it_is_named(tmp_path: Path):
    store, folder = started(tmp_path)
    for names in ([], ["r"]):
        (found,) = reap(store, names)
        assert found.state == get_run(store, "r").state == "RUNNING"
        command = f"python -m beam_taxi runs reap r --metadata_store '{store}' --force"
        assert found.reason == f"may be running on FlinkRunner; if it is not, end it with: {command}"
    with pytest.raises(UsageError, match="--force ends only the runs that are named"):
        reap(store, force=True)
    assert Path(folder.uri).exists()


def test_the_folder_of_another_launch_is_not_removed(tmp_path: Path):
    store, folder = started(tmp_path, "that of a launch before")
    (found,) = reap(store, [], lambda _: ("FAILED", "x"))
    assert found == Reaped("r", "FAILED", f"x; {folder.uri} does not have its claim, and remains")
    assert Path(folder.uri, "schema", "schema.pbtxt").exists()


def test_the_manifest_of_another_run_completes_nothing(tmp_path: Path):
    store, folder = started(tmp_path)
    other = dataclasses.replace(runs.manifest("r"), run_uri=folder.uri, settings_sha256="other", artifacts={})
    folder.write_manifest(other)
    (found,) = reap(store, [], lambda _: ("FAILED", "x"))
    assert (found.state, found.reason) == ("FAILED", f"x; {folder.uri} does not have its claim, and remains")
    assert folder.is_whole()


def test_a_job_that_completes_while_it_is_asked_for_is_complete(tmp_path: Path):
    store, folder = started(tmp_path)

    def end_of(_: object) -> tuple[str, str]:
        manifest = dataclasses.replace(runs.manifest("r"), run_uri=folder.uri)
        for path in manifest.named_files():
            with folder.publish(path, lambda _: True) as file:
                file.write(b"x")
        folder.write_manifest(manifest)
        return "FAILED", "the job is done, but the run has no manifest"

    (reaped,) = reap(store, [], end_of)
    assert reaped.state == "COMPLETE"
    assert folder.is_whole()
