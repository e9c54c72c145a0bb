"""The checks before a launch: free ones first, and a query only if nothing forbids the launch."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from beam_taxi.cli import main
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.recorder import fail, start
from beam_taxi.run.manifest import RunManifest
from beam_taxi.settings import Settings
from tests.cloud.answers import JsonHandler

BYTES = 1234567


class _Jobs(JsonHandler):
    """jobs.insert of BigQuery's REST API: a dry run is answered with its bytes, a query that costs is refused."""

    paid: list[str]

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        configuration = request["configuration"]
        if "BAD" in configuration["query"]["query"]:
            self.answer({"error": {"code": 400, "message": "Syntax error"}}, 400)
        elif configuration.get("dryRun"):
            self.answer(self.job(configuration))
        else:
            self.paid.append(configuration["query"]["query"])
            self.answer({"error": {"code": 400, "message": "paid"}}, 400)

    def job(self, configuration: dict[str, Any]) -> dict[str, Any]:
        return {
            "jobReference": {"projectId": "payer", "jobId": "job", "location": "US"},
            "configuration": configuration,
            "status": {"state": "DONE"},
            "statistics": {"totalBytesProcessed": str(BYTES), "query": {"totalBytesProcessed": str(BYTES)}},
        }


@pytest.fixture
def paid(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Yield the queries that were run, and not only asked about, at the BigQuery that is here."""
    found: list[str] = []
    jobs = ThreadingHTTPServer(("127.0.0.1", 0), type("Jobs", (_Jobs,), {"paid": found}))
    threading.Thread(target=jobs.serve_forever, daemon=True).start()
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{jobs.server_port}")
    yield found
    jobs.shutdown()


def launch(folder: Path, *words: str) -> int:
    return main(["run", "--query", "SELECT 1", "--project", "payer", "--output", str(folder / "out"), *words])


def recorded(folder: Path, run_id: str, state: str) -> None:
    """Record a run in the default store of a launch."""
    (folder / "out").mkdir()
    store = parse_address(f"sqlite:///{folder}/out/metadata.sqlite")
    assert store is not None
    settings = Settings(("a.csv",), str(folder / "out" / run_id), run_id)
    start(RunManifest(run_id, "beam_taxi", settings.run_uri, settings, settings.sha256(), {}, (), ()), store, "r")
    if state != "RUNNING":
        fail(run_id, store, "e", state)


FREE = {
    "run exists": (["--run_id", "taken"], "exists; choose another --run_id"),
    "no match": (["--input", "none.csv"], "--input none.csv: no file matches"),
    "bad input": (["--input", "{folder}/empty.csv"], "empty.csv: is empty"),
    "different inputs": (["--input", "{folder}/a.csv", "{folder}/b.csv"], "the header differs from that of"),
    "Dataflow": (["--runner", "dataflow"], "--region"),
    "schema": (["--schema", "{folder}/a.csv"], "not a Schema proto"),
    "runner": (["--no_wait"], "--no_wait: cannot be used with FnApiRunner"),
    "Beam's flag": (["--num_workers", "x"], "--num_workers 'x': must be a whole number"),
}


@pytest.mark.parametrize(("words", "message"), FREE.values(), ids=FREE)
def test_what_is_free_is_checked_before_a_query_is_paid(
    tmp_path: Path, paid: list[str], capsys: pytest.CaptureFixture[str], words: list[str], message: str
):
    for name, text in {"a": "a\n1\n", "b": "b\n1\n", "empty": ""}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "out" / "taken").mkdir(parents=True)
    assert launch(tmp_path, *(word.format(folder=tmp_path) for word in words)) in (2, 3)
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not paid


@pytest.mark.parametrize(("state", "is_free"), [("RUNNING", False), ("FAILED", True)])
def test_a_recorded_id_is_refused_before_a_query_is_paid(
    tmp_path: Path, paid: list[str], capsys: pytest.CaptureFixture[str], state: str, is_free: bool
):
    recorded(tmp_path, "r", state)
    assert launch(tmp_path, "--run_id", "r") == 2
    assert ("the store has a run of this id" in capsys.readouterr().err) != is_free
    assert bool(paid) == is_free


def test_a_plan_says_what_a_query_would_process(tmp_path: Path, paid: list[str], capsys: pytest.CaptureFixture[str]):
    assert launch(tmp_path, "--plan", "--metadata_store", "none") == 0
    said = capsys.readouterr()
    assert "query      would process 1,234,567 bytes; " in said.out
    assert f"output     {tmp_path}/out/" in said.out
    assert (said.err, paid) == ("", [])
    assert launch(tmp_path, "--preflight") == 0
    assert "note   query: would process 1,234,567 bytes; " in capsys.readouterr().out
    assert not paid
    assert not (tmp_path / "out").exists()


def test_a_plan_says_what_is_wrong_with_a_query(tmp_path: Path, paid: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["plan", "--query", "BAD", "--project", "payer", "--output", str(tmp_path)]) == 2
    assert "--query: " in capsys.readouterr().err
