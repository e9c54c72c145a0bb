"""Several launches with one run id: one of them runs, and the others are told which; they harm nothing."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from beam_taxi.cli.terminal import TerminalConsole
from beam_taxi.errors import UsageError
from beam_taxi.launch import interrupts
from beam_taxi.launch.claim import Claim, check_free
from beam_taxi.launch.command import parse
from beam_taxi.launch.record import RunRecord
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.process import this_process
from beam_taxi.metadata.queries import get_run, list_runs
from beam_taxi.metadata.recorder import start
from beam_taxi.run.folder import RunFolder, read_manifest
from tests.metadata import runs
from tests.metadata.conftest import any_store, grpc_store, mariadb, mariadb_server, mariadb_store

pytestmark = pytest.mark.slow

__all__ = ["any_store", "grpc_store", "mariadb", "mariadb_server", "mariadb_store"]

HERE = {"in_process": 1, **this_process(), "process_time": 1_767_323_045}
WHO = r"process \d+ on \S+, launched at 2026-01-02T03:04:05 UTC"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "data.csv"
    path.write_text("id,note,x\n" + "".join(f"{i},note {i % 97},{i / 8}\n" for i in range(20_000)))
    return path


def command(data: Path | str, output: Path, store: str, *more: str) -> list[str]:
    words = [sys.executable, "-m", "beam_taxi.main", "--input", str(data), "--output", str(output), "--run_id", "r"]
    return [*words, "--metadata_store", store, *more]


def at_once(commands: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    """Return exit status and standard error of commands that run at the same time."""
    pipe = subprocess.PIPE
    running = [subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) for words in commands]
    return [(one.returncode, err) for one, err in [(one, one.communicate()[1]) for one in running]]


@pytest.mark.parametrize("store", ["none", "sqlite"])
def test_twins_with_one_output(data: Path, tmp_path: Path, store: str):
    uri = "none" if store == "none" else f"sqlite:///{tmp_path}/m.sqlite"
    ends = at_once([command(data, tmp_path / "out", uri)] * 3)
    assert sorted(status for status, _ in ends) == [0, 2, 2]
    refusal = (
        rf"beam_taxi: error: --run_id r: {tmp_path}/out/r belongs to process \d+ on \S+, launched at \S+ UTC, which is "
        "running; wait for it, or choose another --run_id\n"
    )
    assert all(re.fullmatch(refusal if status else "", err) for status, err in ends)
    for path, file in read_manifest(f"{tmp_path}/out/r").named_files().items():
        assert hashlib.sha256((tmp_path / "out" / "r" / path).read_bytes()).hexdigest() == file.sha256
    if store != "none":
        assert [run.state for run in list_runs(uri)] == ["COMPLETE"]


def test_twins_with_an_output_each(data: Path, tmp_path: Path, any_store: str):
    outputs = [tmp_path / name for name in "ab"]
    ends = at_once([command(data, output, any_store) for output in outputs])
    assert sorted(status for status, _ in ends) == [0, 2]
    (winner,) = (output for output, (status, _) in zip(outputs, ends, strict=True) if not status)
    (refusal,) = (err for status, err in ends if status)
    taken = (
        r"beam_taxi: error: --run_id r: the store has a run of this id, which is RUNNING, launched by process \d+ on"
    )
    assert re.match(taken, refusal)
    assert get_run(any_store, "r").manifest == f"{winner}/r/manifest.json"
    assert [output.exists() for output in outputs] == [output == winner for output in outputs]


HOLDERS: dict[str, tuple[Mapping[str, str | int], str]] = {
    "running": (HERE, f"belongs to {WHO}, which is running; wait for it, or choose another --run_id$"),
    "dead": ({**HERE, "process_pid": 2**22 + 1}, f"was left by {WHO}, which is dead; remove it with: rm -r '?/.+/r'?$"),
    "elsewhere": (
        {**HERE, "process_host": "another"},
        f"belongs to {WHO}; choose another --run_id, or if it is dead, remove it with: rm -r",
    ),
    "a job of a dead launcher": (
        {**HERE, "process_pid": 2**22 + 1, "in_process": 0},
        f"belongs to {WHO}; choose another --run_id, or if it and its job are dead, remove it with: rm -r",
    ),
    "a launch of an older release": (
        {},
        "belongs to another launch; choose another --run_id, or if it and its job are dead, remove it with: rm -r",
    ),
}


@pytest.mark.parametrize(("holder", "message"), HOLDERS.values(), ids=HOLDERS)
def test_a_folder_that_is_taken(tmp_path: Path, holder: Mapping[str, str | int], message: str):
    folder = RunFolder(f"{tmp_path}/r")
    folder.claim(holder)
    with pytest.raises(UsageError, match=f"^--run_id r: {tmp_path}/r {message}"):
        check_free(folder, None)


def test_a_folder_without_a_launch(tmp_path: Path):
    folder = RunFolder(f"{tmp_path}/r")
    check_free(folder, None)
    Path(folder.uri).mkdir()
    with pytest.raises(UsageError, match=r"/r exists; choose another --run_id$"):
        check_free(folder, None)


@pytest.mark.parametrize(("host", "force"), [(HERE["process_host"], ""), ("another", " --force")])
def test_a_dead_launch_that_is_recorded_is_reaped(tmp_path: Path, host: str, force: str):
    folder, store = RunFolder(f"{tmp_path}/r"), f"sqlite:///{tmp_path}/m.sqlite"
    folder.claim({**HERE, "process_pid": 2**22 + 1, "process_host": host})
    start(runs.planned("r"), store, "FnApiRunner")
    command = f"python -m beam_taxi runs reap r --metadata_store '{store}'{force}"
    with pytest.raises(UsageError, match=f", end it with: {command}$" if force else f"; end it with: {command}$"):
        check_free(folder, parse_address(store))


def test_an_interrupt_in_the_middle_of_a_claim_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    launch = parse(["--input", "x.csv", "--output", f"{tmp_path}/out", "--run_id", "r", "--metadata_store", "none"])
    claim, record = Claim(launch, in_process=True), RunRecord(None, "r", TerminalConsole(as_json=False))
    rename = os.rename

    def interrupted(source: str, target: str) -> None:
        rename(source, target)
        monkeypatch.setattr(os, "rename", rename)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with interrupts.raised(), pytest.raises(KeyboardInterrupt), claim.until_job(record, TerminalConsole(as_json=False)):
        claim.take()
    assert list(tmp_path.iterdir()) == []


def test_the_claim_comes_before_the_input(tmp_path: Path):
    RunFolder(f"{tmp_path}/out/r").claim(HERE)
    ((status, err),) = at_once([command("missing.csv", tmp_path / "out", "none")])
    assert status == 2
    assert "belongs to process" in err
    assert "missing.csv" not in err


def test_a_launch_that_is_refused_leaves_nothing(tmp_path: Path):
    ((status, err),) = at_once([command("missing.csv", tmp_path / "new" / "out", f"sqlite:///{tmp_path}/m.sqlite")])
    assert status == 2, err
    assert list(tmp_path.iterdir()) == []


def test_a_killed_launch_is_reaped_and_its_id_is_free_again(data: Path, tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    words = command(data, tmp_path / "out", store)
    killed = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while killed.poll() is None and not (Path(f"{tmp_path}/m.sqlite").exists() and list_runs(store)):
        pass
    killed.kill()
    killed.wait()
    ((status, err),) = at_once([words])
    assert status == 2
    advice = err.rpartition("; end it with: ")[2]
    reap = [sys.executable if word == "python" else word for word in shlex.split(advice)]
    subprocess.run(reap, check=True)
    assert at_once([words]) == [(0, "")]
    assert [(run.state, run.attempt) for run in list_runs(store)] == [("COMPLETE", 2)]
