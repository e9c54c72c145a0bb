"""Whole runs, as a user starts them, and their records: failed, killed, cached; with stores that go away."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline

from beam_taxi.metadata.lineage import lineage
from beam_taxi.metadata.on_worker import RecordOnWorker
from beam_taxi.metadata.queries import artifacts_of, get_run, latest_schema, latest_statistics, list_runs
from beam_taxi.metadata.verify import verify
from beam_taxi.run.folder import RunFolder
from beam_taxi.samples import taxi
from tests.command import call
from tests.metadata import runs
from tests.metadata.chaos import BAD, kill_runs, launch
from tests.metadata.conftest import MariaDB, free_port
from tests.metadata.test_stores import without_waiting

pytestmark = pytest.mark.slow


def run(*args: str | Path, status: int = 0) -> tuple[str, str]:
    done = call("run", *args)
    assert done.returncode == status, done.stderr
    return done.stdout, without_waiting(done.stderr)


def ask(command: str, store: str, *args: str, status: int = 0) -> Any:
    """Return the JSON answer of `beam-taxi runs`."""
    done = call("runs", command, *args, "--json", "--metadata_store", store)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "taxi.csv"
    assert taxi.main(["--rows", "500", "--seed", "3", "--out", str(path)]) in (0, None)
    return path


def test_a_run_is_cached_verified_and_explained(sample: Path, tmp_path: Path):
    data = tmp_path / "taxi.csv"
    data.write_bytes(sample.read_bytes())
    store, args = f"sqlite:///{tmp_path}/m.sqlite", ["--input", data, "--output", tmp_path / "out", "--cache"]
    args += ["--metadata_store", store, "--pipeline_name", "taxi"]
    run(*args, "--run_id", "first")
    out, _ = run(*args, "--run_id", "second", "--explain_cache")
    assert "cache      hit: run first" in out
    assert not (tmp_path / "out" / "second").exists()
    first, second = (artifacts_of(store, get_run(store, run_id)) for run_id in ("first", "second"))
    assert {key: one.id for key, one in first.items() if key != "input/0"} == {
        key: one.id for key, one in second.items() if key != "input/0"
    }
    assert first["input/0"].properties["content_hash"] == second["input/0"].properties["content_hash"]
    assert [(r.run_id, r.state, r.properties.get("cached_from")) for r in list_runs(store)] == [
        ("first", "COMPLETE", None),
        ("second", "CACHED", "first"),
    ]
    assert latest_schema(store, "taxi") == first["schema"]
    assert latest_statistics(store, "taxi") == first["statistics"]
    whole = lineage(store, [first["input/0"].id])
    assert {(edge.run_id, edge.node) for edge in whole.edges} >= {("first", "SchemaGen"), ("second", "CsvExampleGen")}
    assert {edge.target for edge in whole.edges} == {one.id for key, one in first.items() if key != "input/0"}
    back = lineage(store, [first["schema"].id])
    assert {first["input/0"].id, second["input/0"].id} <= back.artifacts.keys()

    out, _ = run(*args, "--gzip_level", "2", "--explain_cache", "--dry_run")
    assert "cache      missed: settings.gzip_level: 1 in run first, 2 now" in out
    data.write_bytes(sample.read_bytes().replace(b"Cash", b"cash", 1))
    out, _ = run(*args, "--explain_cache", "--dry_run")
    assert f"cache      missed: inputs.{data}: sha256:" in out
    data.write_bytes(sample.read_bytes())
    assert ask("verify", store, "second")["verified"]
    (tmp_path / "out" / "first" / "schema" / "schema.pbtxt").write_text("")
    assert "has 0 bytes" in ask("verify", store, "first", status=1)["faults"][0]
    out, _ = run(*args, "--explain_cache", "--dry_run")
    assert "cache      missed: " in out
    assert "schema.pbtxt: has 0 bytes" in out


def test_a_cached_run_whose_output_nobody_reads_is_recorded(sample: Path, tmp_path: Path):
    store, args = f"sqlite:///{tmp_path}/m.sqlite", ["--input", sample, "--output", tmp_path, "--cache", "--run_id"]
    run(*args, "first", "--metadata_store", store)
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "beam_taxi.main", *map(str, args), "second", "--metadata_store", store]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.stderr == ""
    assert [one.state for one in list_runs(store)] == ["COMPLETE", "CACHED"]
    assert not (tmp_path / "second").exists()


def test_what_was_given_is_recorded(sample: Path, tmp_path: Path):
    store, checks = f"sqlite:///{tmp_path}/m.sqlite", tmp_path / "checks.yaml"
    checks.write_text("version: 1\nrows:\n- rule: fare >= 0\n")
    args = ["--input", sample, "--output", tmp_path, "--metadata_store", store, "--no_examples"]
    run(*args, "--run_id", "first")
    given = ["--schema", tmp_path / "first", "--checks", checks, "--baseline", tmp_path / "first", "--fail_on", "none"]
    run(*args, "--run_id", "second", *given, "--weight_feature", "fare")
    first, second = (artifacts_of(store, get_run(store, run_id)) for run_id in ("first", "second"))
    assert second["given_schema"] == first["schema"]
    assert second["baseline_statistics"] == first["statistics"]
    manifest = RunFolder(f"{tmp_path}/second").read_manifest()
    assert manifest.given == {"schema": f"{tmp_path}/first/schema/schema.pbtxt", "checks": str(checks)}
    assert manifest.baseline_sha256 == first["statistics"].properties["content_sha256"]
    assert json.loads(manifest.statistics_options or "")["weight_feature"] == "fare"


def test_the_command_that_asks(sample: Path, tmp_path: Path):
    out, store = tmp_path / "out", f"sqlite:///{tmp_path}/m.sqlite"
    for run_id, more in (("a", []), ("b", ["--splits", "train:1"])):
        run("--input", sample, "--output", out, "--metadata_store", store, "--run_id", run_id, *more)
    assert [one["run_id"] for one in ask("list", store)] == ["a", "b"]
    shown = ask("show", store, "a")
    assert shown["state"] == "COMPLETE"
    assert shown["artifacts"]["schema"]["uri"] == f"{out}/a/schema"
    fields = {one["field"]: (one["first"], one["second"]) for one in ask("diff", store, "a", "b")}
    assert fields["splits.train"][1] == "500"
    assert "settings.splits" in fields
    assert not any(field.startswith(("inputs.", "features.")) for field in fields)
    assert {edge["node"] for edge in ask("lineage", store, "a")["edges"]} == {
        "CsvExampleGen",
        "StatisticsGen",
        "SchemaGen",
    }
    assert ask("reap", store) == ask("diff", store, "a", "a") == []
    table = call("runs", "list", "--metadata_store", store)
    assert [line.split()[:3] for line in table.stdout.splitlines()] == [
        ["run", "pipeline", "state"],
        ["a", "beam_taxi", "COMPLETE"],
        ["b", "beam_taxi", "COMPLETE"],
    ]


def test_a_worker_records_the_run(sample: Path, tmp_path: Path, mariadb: MariaDB):
    store = mariadb.tcp("worker")
    args = ["--input", sample, "--output", tmp_path, "--metadata_store", store, "--record_on", "worker"]
    run(*args, "--run_id", "r")
    found = artifacts_of(store, get_run(store, "r"))
    assert (found["schema"].state, found["schema"].uri) == ("LIVE", f"{tmp_path}/r/schema")
    assert verify(store, "r") == []


def test_a_step_of_a_graph_records(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    with TestPipeline() as pipeline:
        _ = pipeline | beam.Create([runs.manifest("r")]) | beam.Map(RecordOnWorker(store))
    assert runs.check_whole(store) == {"r": "COMPLETE"}


def test_a_refused_run_is_recorded_with_its_error(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3\n")
    store = f"sqlite:///{tmp_path}/out/metadata.sqlite"
    _, err = run("--input", tmp_path / "x.csv", "--output", tmp_path / "out", status=3)
    (failed,) = list_runs(store)
    assert (failed.state, failed.properties["failed_node"]) == ("FAILED", "CsvExampleGen")
    assert str(failed.properties["error"]) in err
    assert "x.csv: line 3: has 1 field" in str(failed.properties["error"])
    done = call("runs", "diff", failed.run_id, failed.run_id, "--metadata_store", store)
    assert (done.returncode, "is FAILED, so it has no artifacts" in done.stderr) == (2, True)


def test_a_refused_run_succeeds_under_the_same_id(tmp_path: Path):
    data, store = tmp_path / "x.csv", f"sqlite:///{tmp_path}/m.sqlite"
    args = ["--input", data, "--output", tmp_path / "out", "--run_id", "r", "--metadata_store", store]
    data.write_text("a,b\n1,2\n3\n")
    run(*args, status=3)
    data.write_text("a,b\n1,2\n3,4\n")
    run(*args)
    shown = ask("show", store, "r")
    assert (shown["state"], shown["attempt"], "error" in shown["properties"]) == ("COMPLETE", 2, False)
    assert verify(store, "r") == []


def test_a_store_that_is_away_at_the_start_and_at_the_end(sample: Path, tmp_path: Path):
    store = f"grpc://127.0.0.1:{free_port()}"
    _, err = run("--input", sample, "--output", tmp_path, "--metadata_store", store, "--run_id", "r")
    first, last = err.splitlines()
    assert first.startswith("beam_taxi: warning: the start was not recorded: grpc://")
    assert "the run is complete but was not recorded" in last
    assert f"python -m beam_taxi record --manifest {tmp_path}/r/manifest.json --metadata_store '{store}'" in last
    later = last[last.index("-m beam_taxi record") :].replace(f"'{store}'", f"sqlite:///{tmp_path}/m.sqlite").split()
    subprocess.run([sys.executable, *later], check=True, capture_output=True)
    assert verify(f"sqlite:///{tmp_path}/m.sqlite", "r") == []


def test_a_store_that_is_away_at_the_start_alone(sample: Path, tmp_path: Path, mariadb: MariaDB):
    uri = mariadb.tcp("start")
    mariadb.stop()
    process = launch("--input", sample, "--output", tmp_path, "--metadata_store", uri, "--run_id", "r")
    assert process.stderr is not None
    warning = process.stderr.readline()
    mariadb.start()
    out, rest = process.communicate()
    assert "the start was not recorded: mysql://" in warning
    assert (process.returncode, without_waiting(rest)) == (0, "")
    assert MariaDB.password not in out + warning
    assert verify(uri, "r") == []


def test_a_store_that_vanishes_while_the_job_runs(sample: Path, tmp_path: Path, mariadb: MariaDB):
    uri = mariadb.tcp("vanishes_in_a_run")
    process = launch("--input", sample, "--output", tmp_path, "--metadata_store", uri, "--run_id", "r")
    while not list(tmp_path.glob("r/examples/*/*")) and process.poll() is None:
        pass
    mariadb.stop()
    out, error = process.communicate()
    mariadb.start()
    assert process.returncode == 0
    (told,) = without_waiting(error).splitlines()
    assert "the run is complete but was not recorded" in told
    assert MariaDB.password not in out + error
    assert get_run(uri, "r").state == "RUNNING"
    command = told.partition("record it later: python ")[2]
    subprocess.run([sys.executable, *shlex.split(command)], check=True, capture_output=True)
    assert get_run(uri, "r").state == "COMPLETE"
    assert verify(uri, "r") == []


def test_a_killed_run_is_reaped_and_the_same_command_works(sample: Path, tmp_path: Path):
    store = f"sqlite:///{tmp_path}/metadata.sqlite"
    found = kill_runs(store, ["--input", sample, "--output", tmp_path], kills=3)
    assert found["COMPLETE"] > 0
    assert not any(found[bad] for bad in BAD), found
