"""Runs that are RUNNING in the store: what `reap` makes of them, and of their files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from beam_taxi.metadata.recorder import start
from beam_taxi.metadata.verify import Reaped, reap
from beam_taxi.run.folder import RunFolder
from tests.metadata import runs


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
    "not known": (None, Reaped("r", "CANCELED", "canceled by hand"), True),
}


@pytest.mark.parametrize(("end", "reaped", "is_kept"), ENDS.values(), ids=ENDS)
def test_a_named_run_ends_as_its_job(tmp_path: Path, end: tuple[str, str] | None, reaped: Reaped, is_kept: bool):
    store, folder = started(tmp_path)
    assert reap(store, ["r"], lambda _: end) == [reaped]
    assert Path(folder.uri).exists() == is_kept


def test_the_folder_of_another_launch_is_not_removed(tmp_path: Path):
    store, folder = started(tmp_path, "that of a launch before")
    assert reap(store, [], lambda _: ("FAILED", "x")) == [Reaped("r", "FAILED", "x")]
    assert Path(folder.uri, "schema", "schema.pbtxt").exists()


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
