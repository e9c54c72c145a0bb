"""The record in a real SQLite store, read back as TFX's readers do."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata.lineage import lineage
from beam_taxi.metadata.queries import artifacts_of, get_run, latest_schema, list_runs
from beam_taxi.metadata.reap import reap
from beam_taxi.metadata.recorder import fail, record, record_cached, start
from beam_taxi.run.manifest import ArtifactFile
from beam_taxi.run.validation import Summary
from tests.metadata.runs import artifact, manifest, planned, record_run

pytestmark = pytest.mark.slow


def opened(path: Path) -> MetadataStore:
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READONLY
    return MetadataStore(config)


def test_types_properties_contexts_and_events_are_tfxs(tmp_path: Path):
    ids = record_run(f"sqlite:///{tmp_path}/m.sqlite", "r1")
    store = opened(tmp_path / "m.sqlite")
    examples, statistics, schema = store.get_artifacts_by_id([ids["examples"], ids["statistics"], ids["schema"]])
    assert (examples.type, statistics.type, schema.type) == ("Examples", "ExampleStatistics", "Schema")
    assert {a.state for a in (examples, statistics, schema)} == {pb.Artifact.LIVE}
    assert not any(a.external_id for a in (examples, statistics, schema))
    assert examples.uri == "/out/r1/examples"
    for one in (examples, statistics):
        assert json.loads(one.properties["split_names"].string_value) == ["train", "eval"]
        assert one.properties["span"].int_value == one.custom_properties["span"].int_value == 0
    assert examples.custom_properties["payload_format"].string_value == "FORMAT_TF_EXAMPLE"
    assert examples.custom_properties["file_format"].string_value == "tfrecords_gzip"
    assert store.get_artifact_type("Examples").base_type == pb.ArtifactType.DATASET
    assert (
        store.get_execution_type("tfx.components.statistics_gen.component.StatisticsGen").base_type
        == pb.ExecutionType.PROCESS
    )
    executions = store.get_executions_by_context(ids["pipeline_run"])
    assert len(executions) == 3
    assert {e.last_known_state for e in executions} == {pb.Execution.COMPLETE}
    (parent,) = store.get_parent_contexts_by_context(ids["pipeline_run"])
    assert (parent.type, parent.name) == ("pipeline", "taxi")
    events = store.get_events_by_execution_ids([ids["CsvExampleGen"]])
    paths = [(e.type, e.path.steps[0].key, e.path.steps[1].index) for e in events]
    assert paths == [
        (pb.Event.INPUT, "input", 0),
        (pb.Event.INPUT, "input", 1),
        (pb.Event.OUTPUT, "examples", 0),
        (pb.Event.OUTPUT, "rejects", 0),
    ]
    (rejects,) = store.get_artifacts_by_id([ids["rejects"]])
    assert (rejects.type, rejects.custom_properties["rejects_fields"].int_value) == ("Rejects", 3)
    node = store.get_context_by_type_and_name("node", "taxi.StatisticsGen")
    assert {a.id for a in store.get_artifacts_by_context(node.id)} == {ids["examples"], ids["statistics"]}
    assert [e.id for e in store.get_executions_by_context(node.id)] == [ids["StatisticsGen"]]


def test_recorded_twice_is_recorded_once(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    assert record_run(uri, "r1") == record_run(uri, "r1")
    store = opened(tmp_path / "m.sqlite")
    assert len(store.get_executions()) == 3
    assert len(store.get_artifacts()) == 7
    assert len(store.get_events_by_execution_ids([e.id for e in store.get_executions()])) == 8


def test_runs_share_the_pipeline_and_the_latest_schema_is_found(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    record_run(uri, "r1")
    second = record_run(uri, "r2")
    store = opened(tmp_path / "m.sqlite")
    pipeline = store.get_context_by_type_and_name("pipeline", "taxi")
    schemas = [a for a in store.get_artifacts_by_context(pipeline.id) if a.type == "Schema"]
    assert max(schemas, key=lambda a: (a.create_time_since_epoch, a.id)).id == second["schema"]


def states(store: MetadataStore, run_id: str) -> tuple[set[int], set[int]]:
    """Return the states of the executions and of the artifacts of a run."""
    context = store.get_context_by_type_and_name("pipeline_run", run_id)
    artifacts = [a for a in store.get_artifacts_by_context(context.id) if a.type != "RunEnd"]
    executions = store.get_executions_by_context(context.id)
    return {e.last_known_state for e in executions}, {a.state for a in artifacts}


def test_a_started_run_is_running_with_its_csv_files_and_then_complete(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    start(planned("r1"), uri, "FnApiRunner")
    store = opened(tmp_path / "m.sqlite")
    assert states(store, "r1") == ({pb.Execution.RUNNING}, {pb.Artifact.LIVE})
    assert [a.uri for a in store.get_artifacts()] == ["/data/1.csv", "/data/2.csv"]
    (execution,) = store.get_executions_by_type("tfx.components.example_gen.csv_example_gen.component.CsvExampleGen")
    assert len(store.get_events_by_execution_ids([execution.id])) == 2
    with pytest.raises(UsageError, match="the store has a run of this id"):
        start(planned("r1"), uri, "FnApiRunner")
    del store
    ids = record_run(uri, "r1")
    store = opened(tmp_path / "m.sqlite")
    assert states(store, "r1") == ({pb.Execution.COMPLETE}, {pb.Artifact.LIVE})
    assert ids["CsvExampleGen"] == execution.id
    assert len(store.get_artifacts_by_type("CsvFile")) == 2
    (done,) = store.get_executions_by_id([execution.id])
    assert done.custom_properties["process_pid"].int_value > 0
    assert len(store.get_events_by_execution_ids([execution.id])) == 4


def test_a_run_has_one_end(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    with pytest.raises(BeamTaxiError, match="r1 was not started in this store"):
        fail("r1", uri, "x")
    start(planned("r1"), uri, "FnApiRunner")
    fail("r1", uri, "line 3: has 3 fields" + "!" * 70_000)
    fail("r1", uri, "again")
    store = opened(tmp_path / "m.sqlite")
    assert states(store, "r1") == ({pb.Execution.FAILED, pb.Execution.CANCELED}, {pb.Artifact.LIVE})
    errors = [e.custom_properties["error"].string_value[:20] for e in store.get_executions()]
    assert errors == ["line 3: has 3 fields", "", ""]
    del store
    with pytest.raises(BeamTaxiError, match="r1 is FAILED in the store already, and cannot become CANCELED"):
        fail("r1", uri, "x", "CANCELED")
    record_run(uri, "r2")
    with pytest.raises(BeamTaxiError, match="r2 is COMPLETE"):
        fail("r2", uri, "x")


def test_what_a_run_reads_is_recorded_as_what_it_is(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    nodes = {}
    for formats in (["csv"], ["parquet"], ["bigquery"], ["csv", "parquet"]):
        run = manifest("-".join(formats))
        entries = [dataclasses.replace(run.inputs[0], uri=f"x.{one}", format=one) for one in formats]
        nodes[run.run_id] = next(iter(record(dataclasses.replace(run, inputs=tuple(entries)), uri)))
    assert nodes == {
        "csv": "CsvExampleGen",
        "parquet": "FileBasedExampleGen",
        "bigquery": "BigQueryExampleGen",
        "csv-parquet": "FileBasedExampleGen",
    }
    types = {(one.uri, one.type) for one in opened(tmp_path / "m.sqlite").get_artifacts() if one.uri.startswith("x.")}
    assert types == {("x.csv", "CsvFile"), ("x.parquet", "ParquetFile"), ("x.bigquery", "BigQueryTable")}


def test_an_input_of_any_format_has_a_type_and_a_lineage(tmp_path: Path):
    uri, ids = f"sqlite:///{tmp_path}/m.sqlite", {}
    record_run(uri, "before")
    for run_id in ("r1", "r2"):
        run = manifest(run_id)
        entry = dataclasses.replace(run.inputs[0], uri="x.avro", format="avro")
        run = dataclasses.replace(run, inputs=(entry,))
        start(dataclasses.replace(run, artifacts={}), uri, "FnApiRunner")
        ids[run_id] = record(run, uri)
        assert "FileBasedExampleGen" in ids[run_id]
    (first, second) = (artifacts_of(uri, get_run(uri, run_id))["input/0"] for run_id in ids)
    assert (first.type, second.type) == ("AvroFile", "AvroFile")
    whole = lineage(uri, [first.id])
    assert {edge.run_id for edge in whole.edges} == {"r1", "r2"}
    assert {edge.source for edge in lineage(uri, [ids["r2"]["schema"]]).edges} == {
        second.id,
        ids["r2"]["examples"],
        ids["r2"]["statistics"],
    }


def test_a_cached_run_has_the_artifacts_of_the_earlier_one(tmp_path: Path):
    uri, earlier = f"sqlite:///{tmp_path}/m.sqlite", manifest("r1")
    first = record(earlier, uri)
    second = record_cached(planned("r2"), earlier, uri)
    outputs = ("examples", "rejects", "statistics", "schema")
    assert {key: first[key] for key in outputs} == {key: second[key] for key in outputs}
    assert first["CsvExampleGen"] != second["CsvExampleGen"]
    assert [(run.state, run.properties.get("cached_from"), run.manifest) for run in list_runs(uri)] == [
        ("COMPLETE", None, "/out/r1/manifest.json"),
        ("CACHED", "r1", "/out/r1/manifest.json"),
    ]
    inputs = [artifacts_of(uri, run)["input/1"].properties for run in list_runs(uri)]
    assert inputs[0] == inputs[1] == {"content_hash": "sha256:2", "rows": 3, "size": 9}


def test_a_dead_run_with_a_manifest_is_reaped_as_complete(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    whole = dataclasses.replace(manifest("r1"), run_uri=str(tmp_path))
    code = "import json, sys\nfrom beam_taxi.metadata.recorder import start\n"
    code += "from beam_taxi.run.manifest import RunManifest\n"
    code += "start(RunManifest.from_json(json.loads(sys.argv[2])), sys.argv[1], 'FnApiRunner')\n"
    before = dataclasses.replace(whole, artifacts={}).to_json_text()
    subprocess.run([sys.executable, "-c", code, uri, before], check=True)
    (tmp_path / "manifest.json").write_text(whole.to_json_text())
    assert [(one.run_id, one.state) for one in reap(uri)] == [("r1", "COMPLETE")]


def test_a_validator_that_ran_has_an_execution(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/m.sqlite"
    run = manifest("r1")
    run = dataclasses.replace(run, settings=dataclasses.replace(run.settings, schema=""))
    start(dataclasses.replace(run, artifacts={}), uri, "FnApiRunner")
    anomalies = artifact("anomalies", "ExampleAnomalies", "Split-train/SchemaDiff.pb")
    judged = Summary("failed", accepted=False, blessed={"train": False, "eval": True})
    inferred = artifact("inferred_schema", "InferredSchema", "schema.pbtxt")
    artifacts = {**run.artifacts, "anomalies": anomalies, "inferred_schema": inferred}
    file = ArtifactFile("validation.json", 2, "00")
    ids = record(dataclasses.replace(run, artifacts=artifacts, validation=judged, validation_file=file), uri)
    store = opened(tmp_path / "m.sqlite")
    events = store.get_events_by_execution_ids([ids["ExampleValidator"]])
    assert {e.path.steps[0].key: e.artifact_id for e in events} == {
        key: ids[key] for key in ("statistics", "schema", "anomalies")
    }
    (found,) = store.get_artifacts_by_id([ids["anomalies"]])
    assert dict(found.custom_properties["blessed"].struct_value.items()) == {"train": 0, "eval": 1}
    assert found.custom_properties["accepted"].int_value == 0
    assert latest_schema(uri, "taxi") is None
    node = store.get_context_by_type_and_name("node", "taxi.ExampleValidator")
    assert [e.id for e in store.get_executions_by_context(node.id)] == [ids["ExampleValidator"]]


def test_the_command(tmp_path: Path):
    def command(path: Path) -> subprocess.CompletedProcess[str]:
        args = ["--manifest", str(path), "--metadata_store", f"sqlite:///{tmp_path}/m.sqlite"]
        return subprocess.run(
            [sys.executable, "-m", "beam_taxi.record", *args], capture_output=True, text=True, check=False
        )

    path = tmp_path / "manifest.json"
    missing = command(path)
    assert (missing.returncode, len(missing.stderr.splitlines())) == (2, 1)
    path.write_text("[]")
    assert "not the manifest of a run" in command(path).stderr
    path.write_text(manifest("r1").to_json_text())
    done = command(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("CsvExampleGen")
