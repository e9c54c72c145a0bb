"""What a receiver is sent, whatever becomes of the run, and what becomes of the run, whatever the receiver does."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from beam_taxi.cli.terminal import TerminalConsole
from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.launch.outcome import Unknown
from beam_taxi.launch.record import RunRecord
from beam_taxi.lineage import receiver
from beam_taxi.lineage.receiver import Receiver, receiver_of
from beam_taxi.main import main
from beam_taxi.run.folder import OPENLINEAGE
from tests.launch.test_interrupts import data, start
from tests.lineage.receivers import CLOSES, CRAWLS, HANGS, Log, nobody, receiving
from tests.metadata import runs

pytestmark = pytest.mark.slow

__all__ = ["data"]

BAD = "a,b\n1,2\n3\n"
SOUND = "a,b\n1,2\n3,4\n"
CHECKS = "version: 1\nrow_count:\n  - min: 30\n"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.startswith("OPENLINEAGE_")]:
        monkeypatch.delenv(name)


def launch(folder: Path, *words: str, text: str = SOUND, status: int = 0) -> Path:
    """Run a file with this text, and return the folder of the run."""
    (folder / "a.csv").write_text(text)
    (folder / "checks.yaml").write_text(CHECKS)
    given = ["--input", f"{folder}/a.csv", "--output", f"{folder}/out", "--run_id", "r", "--metadata_store", "none"]
    assert main([*given, *words]) == status
    return folder / "out" / "r"


OUTCOMES: dict[str, tuple[str, tuple[str, ...], int, list[str]]] = {
    "done": (SOUND, (), 0, ["START", "COMPLETE"]),
    "not accepted": (SOUND, ("--checks", "CHECKS"), 4, ["START", "COMPLETE"]),
    "refused": (BAD, (), 3, ["START", "FAIL"]),
    "a wrong option": (SOUND, ("--types", "x:INT"), 2, []),
    "only a plan": (SOUND, ("--plan",), 0, []),
    "only the checks": (SOUND, ("--preflight",), 0, []),
    "recorded by a worker": (SOUND, ("--record_on", "worker"), 0, ["START", "COMPLETE"]),
    "refused, recorded by a worker": (BAD, ("--record_on", "worker"), 3, ["START", "FAIL"]),
}


@pytest.mark.parametrize(("text", "words", "status", "expected"), OUTCOMES.values(), ids=OUTCOMES)
def test_each_outcome(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    words: tuple[str, ...],
    status: int,
    expected: list[str],
):
    with receiving() as log:
        monkeypatch.setenv("OPENLINEAGE_URL", log.url)
        monkeypatch.setenv("OPENLINEAGE_API_KEY", "s3cr3t")
        words = tuple(str(tmp_path / "checks.yaml") if one == "CHECKS" else one for one in words)
        run = launch(tmp_path, *words, text=text, status=status)
    assert log.types == expected
    assert {*log.requests} <= {("/api/v1/lineage", "application/json", "Bearer s3cr3t")}
    assert len({one["run"]["runId"] for one in log.events}) <= 1
    assert "warning" not in capsys.readouterr().err
    if expected[-1:] == ["COMPLETE"]:
        assert log.bodies[-1] == (run / OPENLINEAGE).read_bytes().splitlines()[-1]
        assert b"s3cr3t" not in (run / OPENLINEAGE).read_bytes()
    if expected[-1:] == ["FAIL"]:
        assert "line 3: has 1 fields, the header has 2" in log.events[-1]["run"]["facets"]["errorMessage"]["message"]
        assert not run.exists()


def test_a_cached_run_has_the_files_of_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    first = launch(tmp_path, "--metadata_store", store)
    with receiving() as log:
        monkeypatch.setenv("OPENLINEAGE_URL", log.url)
        launch(tmp_path, "--metadata_store", store, "--run_id", "second", "--cache")
    assert log.types == ["START", "COMPLETE"]
    assert {one["name"].partition("/out/r/")[0] for one in log.events[-1]["outputs"]} == {str(tmp_path)}
    assert log.events[-1]["outputs"][0]["name"].startswith(str(first))
    assert not first.with_name("second").exists()


def test_the_id_of_another_run_is_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    launch(tmp_path, "--metadata_store", store)
    with receiving() as log:
        monkeypatch.setenv("OPENLINEAGE_URL", log.url)
        launch(tmp_path, "--metadata_store", store, "--output", f"{tmp_path}/elsewhere", status=2)
    assert log.types == []


def test_what_is_unknown_is_no_end(monkeypatch: pytest.MonkeyPatch):
    with receiving() as log:
        monkeypatch.setenv("OPENLINEAGE_URL", log.url)
        record = RunRecord(None, "r", TerminalConsole(as_json=False))
        record.start(replace(runs.planned("r"), started="2026-01-02T03:04:05Z"), "DataflowRunner", False, "token")
        record.end(Unknown("the connection was lost"), on_worker=False)
    assert log.types == ["START"]


def test_a_run_that_is_ended_is_aborted(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with receiving() as log:
        monkeypatch.setenv("OPENLINEAGE_URL", log.url)
        run = start(data, tmp_path, "--metadata_store", "none")
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=60) == 143
    assert log.types == ["START", "ABORT"]
    assert log.events[-1]["run"]["facets"]["errorMessage"]["message"] == "ended by SIGTERM"


def test_forked_workers_write_and_post_the_events(data: Path, tmp_path: Path):
    """The thread that posts the start must not keep the workers from being forked."""
    with receiving() as log:
        words = [
            sys.executable,
            "-m",
            "beam_taxi.main",
            "--input",
            str(data),
            "--output",
            str(tmp_path),
            "--run_id",
            "r",
        ]
        words += ["--num_shards", "4", "--direct_num_workers", "2", "--record_on", "worker", "--metadata_store", "none"]
        variables = {**os.environ, "OPENLINEAGE_URL": log.url, "OPENLINEAGE_API_KEY": "key"}
        run = subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        forked = False
        while run.poll() is None:
            forked |= len(_children(run.pid)) > 0
        assert (run.returncode, run.communicate()[1]) == (0, "")
    assert forked
    assert log.types == ["START", "COMPLETE"]
    assert {one for _, _, one in log.requests} == {"Bearer key"}
    assert log.bodies[-1] == (tmp_path / "r" / OPENLINEAGE).read_bytes().splitlines()[-1]


def _children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []


RECEIVERS: dict[str, tuple[int | None, str]] = {
    "away": (None, "Connection refused"),
    "closing": (CLOSES, "Remote end closed connection without response"),
    "hanging": (HANGS, "no answer within 0 s"),
    "answering bit by bit": (CRAWLS, "no answer within 1 s"),
    "moved": (302, "HTTP 302 Found"),
    "without a key": (401, "HTTP 401 Unauthorized; check OPENLINEAGE_API_KEY"),
    "not there": (404, "HTTP 404 Not Found"),
    "broken": (500, "HTTP 500 Internal Server Error"),
}


def receiver_that(status: int | None) -> AbstractContextManager[Log]:
    return nullcontext(Log(url=nobody())) if status is None else receiving(status)


@pytest.mark.parametrize("on", ["launcher", "worker"])
@pytest.mark.parametrize(("status", "told"), RECEIVERS.values(), ids=RECEIVERS)
def test_a_receiver_never_fails_a_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    status: int | None,
    told: str,
    on: str,
):
    monkeypatch.setattr(receiver, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(receiver, "LIMIT_SECONDS", 0.6)
    with receiver_that(status) as log:
        monkeypatch.setenv("OPENLINEAGE_URL", log.url)
        run = launch(tmp_path, "--record_on", on)
        assert log.types[:1] == ([] if status is None else ["START"])
        assert capsys.readouterr().err == (
            "beam_taxi: warning: the start of the run was not posted to OpenLineage: "
            f"OPENLINEAGE_URL {log.url}/api/v1/lineage: {told}\n"
        )
    assert len((run / OPENLINEAGE).read_text().splitlines()) == 2
    assert (f"run r is complete, but OPENLINEAGE_URL {log.url}/api/v1/lineage: {told}" in caplog.text) == (
        on == "worker"
    )


def test_an_event_that_cannot_be_made_fails_no_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    from beam_taxi.lineage import openlineage

    def fail(*args: object) -> None:
        raise KeyError("no such facet")

    monkeypatch.setattr(openlineage, "_output", fail)
    with receiving() as log:
        monkeypatch.setenv("OPENLINEAGE_URL", log.url)
        run = launch(tmp_path)
    assert log.types == ["START"]
    assert "run r is complete, but 'no such facet'" in caplog.text
    assert not (run / OPENLINEAGE).exists()
    assert "warning: the end of the run was not posted to OpenLineage: " in capsys.readouterr().err


def test_a_start_that_cannot_be_made_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from beam_taxi.lineage import openlineage

    def fail(*args: object) -> None:
        raise KeyError("no such facet")

    monkeypatch.setattr(openlineage, "_input", fail)
    with receiving() as log:
        monkeypatch.setenv("OPENLINEAGE_URL", log.url)
        launch(tmp_path)
    assert log.types == []
    told = "the start of the run was not posted to OpenLineage: KeyError: 'no such facet'"
    assert capsys.readouterr().err == f"beam_taxi: warning: {told}\n"


@pytest.mark.parametrize("status", [201, HANGS])
def test_the_start_leaves_no_thread(monkeypatch: pytest.MonkeyPatch, status: int):
    """A process with threads cannot be forked."""
    monkeypatch.setattr(receiver, "ANSWER_SECONDS", 0.2)
    with receiving(status) as log:
        monkeypatch.setenv("OPENLINEAGE_URL", log.url)
        record = RunRecord(None, "r", TerminalConsole(as_json=False))
        before = set(threading.enumerate())
        record.start(replace(runs.planned("r"), started="2026-01-02T03:04:05Z"), "FnApiRunner", True, "token")
        (thread,) = (one for one in set(threading.enumerate()) - before if "_send" in one.name)
        record.lineage.settle()
        assert not thread.is_alive()


URL = "http://h:5000"
SETTINGS: dict[str, tuple[dict[str, str], str | None]] = {
    "none": ({}, None),
    "empty": ({"OPENLINEAGE_URL": " "}, None),
    "a URL": ({"OPENLINEAGE_URL": URL}, f"{URL}/api/v1/lineage"),
    "a URL with a slash": ({"OPENLINEAGE_URL": f"{URL}/"}, f"{URL}/api/v1/lineage"),
    "a folder": ({"OPENLINEAGE_URL": "https://h/a/"}, "https://h/a/api/v1/lineage"),
    "an endpoint": ({"OPENLINEAGE_URL": URL, "OPENLINEAGE_ENDPOINT": "/openapi/x"}, f"{URL}/openapi/x"),
    "disabled": ({"OPENLINEAGE_URL": URL, "OPENLINEAGE_DISABLED": "True"}, None),
    "not disabled": ({"OPENLINEAGE_URL": URL, "OPENLINEAGE_DISABLED": "false"}, f"{URL}/api/v1/lineage"),
}


@pytest.mark.parametrize(("given", "url"), SETTINGS.values(), ids=SETTINGS)
def test_where_events_are_posted(given: dict[str, str], url: str | None):
    assert receiver_of(given) == (None if url is None else Receiver(url))


FAULTS = {
    "no scheme": ("localhost:5000", "must be http://HOST:PORT or https://HOST"),
    "no host": ("http://", "must be http://HOST:PORT or https://HOST"),
    "another scheme": ("ftp://h", "must be http://HOST:PORT or https://HOST"),
    "no number": ("http://h:port", "must be http://HOST:PORT or https://HOST"),
    "half an address": ("http://[::1", "must be http://HOST:PORT or https://HOST"),
    "a password": ("http://u:s3cr3t@h", "must not have a user or a password; use OPENLINEAGE_API_KEY"),
}


@pytest.mark.parametrize(("url", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_url_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, fault: str
):
    with pytest.raises(UsageError, match="OPENLINEAGE_URL: must"):
        receiver_of({"OPENLINEAGE_URL": url})
    monkeypatch.setenv("OPENLINEAGE_URL", url)
    launch(tmp_path, "--plan")
    told = f"beam_taxi: warning: the run was not posted to OpenLineage: OPENLINEAGE_URL: {fault}\n"
    assert capsys.readouterr().err == told


def test_the_key_is_not_in_the_job(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "s3cr3t")
    found = receiver_of({**os.environ, "OPENLINEAGE_URL": URL})
    assert b"s3cr3t" not in pickle.dumps(found)
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize("key", ["s3cr3t\nX-Other: 1", "s3cr3t\u00e4"])
def test_a_wrong_key_is_not_shown(key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENLINEAGE_API_KEY", key)
    with receiving() as log, pytest.raises(BeamTaxiError) as error:
        Receiver(log.url).post(b"{}")
    assert str(error.value) == "OPENLINEAGE_API_KEY: must be one line of ASCII"
    assert log.events == []
