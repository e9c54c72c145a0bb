"""Runs whose data are judged, as a user starts them: exit status, record, baselines, and refusals in one line."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from google.protobuf import text_format
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from beam_taxi.main import main
from beam_taxi.metadata.queries import accepted_runs, artifacts_of, get_run, latest_schema, latest_statistics, list_runs
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.validation import Validation

SCHEMA = """# By hand.
feature {
  name: "fare"
  type: FLOAT
  float_domain {
    min: 0  # dollars
  }
}
feature { name: "zone" type: INT int_domain { is_categorical: true } }
feature { name: "absent" type: INT }
# The end."""
CHECKS = "version: 1\nrow_count:\n  - min: 3\nstatistics:\n  - rule: rows >= baseline.rows\n"
SOUND = "fare,zone,extra\n1.5,7,x\n2.5,7,y\n3,8,x\n4,7,z\n"
BAD = SOUND.replace("2.5", "-2.5")


class Ran(NamedTuple):
    """A run: its exit status and what it printed."""

    status: int
    out: str


class Story(NamedTuple):
    """Runs of one pipeline, one after another, by their ids."""

    folder: Path
    runs: dict[str, Ran]

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder}/out/metadata.sqlite"

    def uri(self, run_id: str) -> str:
        return f"{self.folder}/out/{run_id}"

    def validation(self, run_id: str) -> Validation:
        return RunFolder(self.uri(run_id)).read_validation()


def files_of(folder: Path) -> None:
    """Write the inputs of the runs."""
    (folder / "sound.csv").write_text(SOUND)
    (folder / "bad.csv").write_text(BAD)
    (folder / "schema.pbtxt").write_text(SCHEMA)
    schema = text_format.Parse(SCHEMA, schema_pb2.Schema())
    schema.feature.add(name="extra", type=schema_pb2.BYTES)
    (folder / "schema.pb").write_bytes(schema.SerializeToString())
    (folder / "checks.yaml").write_text(CHECKS)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("story")
    files_of(folder)
    found = Story(folder, {})
    judged = ["--checks", f"{folder}/checks.yaml", "--baseline", "previous", "--splits", "all:1"]
    launches = {
        "first": ["--input", f"{folder}/sound.csv", "--schema", f"{folder}/schema.pbtxt", "--fail_on", "checks"],
        "refused": ["--input", f"{folder}/bad.csv", "--schema", f"{folder}/schema.pb"],
        "third": ["--input", f"{folder}/sound.csv", "--schema", f"{folder}/out/first", "--fail_on", "none"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GITHUB_ACTIONS", raising=False)
        for run_id, words in launches.items():
            with redirect_stdout(io.StringIO()) as out:
                status = main([*words, *judged, "--output", f"{folder}/out", "--run_id", run_id])
            found.runs[run_id] = Ran(status, out.getvalue())
    return found


def test_exit_status(story: Story):
    assert {run_id: one.status for run_id, one in story.runs.items()} == {"first": 0, "refused": 4, "third": 0}, (
        story.runs
    )


def test_the_verdict_is_printed_with_what_did_not_pass(story: Story):
    printed = story.runs["refused"].out
    assert "; not accepted: --fail_on anomalies,checks" in printed
    assert "failed: [all] fare: Unexpectedly low values: -2.5<0" in printed
    assert f"; 1 row, first {story.folder}/bad.csv:3; {story.folder}/schema.pb" in printed


def test_a_run_that_is_not_accepted_is_complete(story: Story):
    manifest = RunFolder(story.uri("refused")).read_manifest()
    assert (manifest.validation.verdict, manifest.validation.accepted) == ("failed", False)
    assert manifest.validation.blessed == {"all": False}
    for path in ("schema/schema.pbtxt", "inferred_schema/schema.pbtxt", "anomalies/Split-all/SchemaDiff.pb"):
        assert Path(story.uri("refused"), path).is_file()
    assert list(Path(story.uri("refused"), "examples").rglob("*.gz"))
    content = Path(story.uri("refused"), "anomalies/Split-all/SchemaDiff.pb").read_bytes()
    assert set(anomalies_pb2.Anomalies.FromString(content).anomaly_info) == {"fare"}
    assert get_run(story.store, "refused").state == "COMPLETE"


def test_readers_skip_a_run_that_is_not_accepted(story: Story):
    assert [run.run_id for run in list_runs(story.store)] == ["first", "refused", "third"]
    assert [run.run_id for run in accepted_runs(story.store, "beam_taxi")] == ["first", "third"]
    for latest in (latest_schema, latest_statistics):
        found = latest(story.store, "beam_taxi")
        assert found is not None
        assert found.run_id == "third"


def test_the_baseline_is_the_last_run_that_was_accepted(story: Story):
    assert story.validation("first").baseline == "previous"
    assert {run_id: story.validation(run_id).baseline for run_id in ("refused", "third")} == {
        "refused": story.uri("first"),
        "third": story.uri("first"),
    }
    (ratio,) = [one for one in story.validation("third").results if one.name == "rows >= baseline.rows"]
    assert (ratio.outcome, ratio.evidence) == ("passed", {"rows": 4, "baseline.rows": 4})


def test_without_an_earlier_run_nothing_is_compared(story: Story):
    (ratio,) = [one for one in story.validation("first").results if one.name == "rows >= baseline.rows"]
    assert (ratio.outcome, ratio.text) == ("not evaluated", "rows >= baseline.rows: there is no baseline")
    (drift,) = [one for one in story.validation("first").results if one.kind == "drift"]
    assert drift.outcome == "not evaluated"


def test_a_given_schema_is_published_as_it_is(story: Story):
    assert Path(story.uri("first"), "schema/schema.pbtxt").read_text() == SCHEMA
    assert Path(story.uri("third"), "schema/schema.pbtxt").read_text() == SCHEMA
    inferred = text_format.Parse(
        Path(story.uri("first"), "inferred_schema/schema.pbtxt").read_text(), schema_pb2.Schema()
    )
    assert [feature.name for feature in inferred.feature] == ["extra", "fare", "zone"]


def test_a_serialized_schema_is_published_as_text(story: Story):
    published = text_format.Parse(Path(story.uri("refused"), "schema/schema.pbtxt").read_text(), schema_pb2.Schema())
    assert published == schema_pb2.Schema.FromString((story.folder / "schema.pb").read_bytes())


def test_categorical_integers_have_statistics_like_strings(story: Story):
    content = Path(story.uri("first"), "statistics/Split-all/FeatureStats.pb").read_bytes()
    (zone,) = [
        one
        for one in statistics_pb2.DatasetFeatureStatisticsList.FromString(content).datasets[0].features
        if one.path.step[0] == "zone"
    ]
    assert {one.value: one.frequency for one in zone.string_stats.top_values} == {"7": 3, "8": 1}
    assert zone.type == statistics_pb2.FeatureNameStatistics.INT


def test_names_that_schema_or_data_lack_are_told(story: Story):
    assert "only in --schema, not in the data: 1 column ('absent')" in story.runs["first"].out
    assert "only in the data, not in --schema: 1 column ('extra')" in story.runs["first"].out
    assert "not in --schema" not in story.runs["refused"].out
    new = [one for one in story.validation("first").results if one.name == "SCHEMA_NEW_COLUMN"]
    assert [(one.features, one.outcome) for one in new] == [(("extra",), "failed")]


def opened(path: Path) -> MetadataStore:
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READONLY
    return MetadataStore(config)


def events(store: MetadataStore, execution: int) -> dict[str, dict[str, int]]:
    """Return the artifacts of an execution by key, its inputs and its outputs."""
    found: dict[str, dict[str, int]] = {"inputs": {}, "outputs": {}}
    for one in store.get_events_by_execution_ids([execution]):
        found["inputs" if one.type == pb.Event.INPUT else "outputs"][one.path.steps[0].key] = one.artifact_id
    return found


def test_the_record_has_the_validator_and_the_given_schema(story: Story):
    ids = {
        run_id: {key: one.id for key, one in artifacts_of(story.store, get_run(story.store, run_id)).items()}
        for run_id in story.runs
    }
    executions = {run_id: get_run(story.store, run_id).executions for run_id in story.runs}
    store = opened(story.folder / "out" / "metadata.sqlite")
    for run_id, mine in ids.items():
        assert list(executions[run_id]) == [
            "CsvExampleGen",
            "StatisticsGen",
            "SchemaGen",
            "ImportSchemaGen",
            "ExampleValidator",
        ]
        baseline = {} if run_id == "first" else {"baseline_statistics": ids["first"]["statistics"]}
        assert events(store, executions[run_id]["ExampleValidator"]) == {
            "inputs": {"statistics": mine["statistics"], "schema": mine["schema"], **baseline},
            "outputs": {"anomalies": mine["anomalies"]},
        }
        given = {"given_schema": ids["first"]["schema"]} if run_id == "third" else {}
        assert events(store, executions[run_id]["ImportSchemaGen"]) == {
            "inputs": given,
            "outputs": {"schema": mine["schema"]},
        }
        assert events(store, executions[run_id]["SchemaGen"]) == {
            "inputs": {"statistics": mine["statistics"]},
            "outputs": {"inferred_schema": mine["inferred_schema"]},
        }
        (anomalies,) = store.get_artifacts_by_id([mine["anomalies"]])
        assert dict(anomalies.custom_properties["blessed"].struct_value.items()) == {"all": 0}
        assert json.loads(anomalies.properties["split_names"].string_value) == ["all"]
        (execution,) = store.get_executions_by_id([executions[run_id]["ExampleValidator"]])
        assert execution.custom_properties["accepted"].int_value == (run_id != "refused")
        assert execution.type == "tfx.components.example_validator.component.ExampleValidator"


GIVEN = "--input sound.csv --output new --run_id new --metadata_store none"
JUDGED = f"{GIVEN} --schema schema.pbtxt"
REFUSED: dict[str, tuple[str, str]] = {
    "environment": (f"{JUDGED} --environment X", "--environment X: not a default_environment of the schema"),
    "environment without a schema": (f"{GIVEN} --environment X", "--environment requires --schema"),
    "fail_on": (f"{JUDGED} --fail_on anomaly", "--fail_on anomaly: must be one or more of anomalies, checks, drift"),
    "fail_on none and more": (f"{JUDGED} --fail_on none,checks", ": none cannot be combined with others"),
    "no file of checks": (f"{GIVEN} --checks none.yaml", "--checks none.yaml: cannot be read: No such file"),
    "checks": (f"{GIVEN} --checks invalid.yaml", "--checks invalid.yaml: line 4: "),
    "a column of a check": (
        f"{GIVEN} --checks column.yaml",
        "line 3: 'fares > 0': character 1: no column 'fares'; did you mean 'fare'",
    ),
    "a split of a check": (f"{GIVEN} --checks split.yaml", "line 3: no split 'test'; the splits are train, eval"),
    "a type, by the schema": (
        f"{JUDGED} --checks type.yaml",
        "line 3: \"zone > 'a'\": character 6: 'zone' is a number",
    ),
    "a type, by the data": (f"{GIVEN} --checks type.yaml", "line 3: \"zone > 'a'\": character 6: 'zone' is a number"),
    "baseline": (f"{GIVEN} --baseline none", "--baseline none: not found; choose a run, a split or a file"),
    "baseline without a record": (f"{GIVEN} --baseline previous", "--baseline previous requires --metadata_store"),
    "baseline that is none": (f"{GIVEN} --baseline sound.csv", "sound.csv: contains no statistics"),
    "baseline that was not accepted": (
        f"{GIVEN} --baseline {{out}}/refused",
        "the run was not accepted (verdict: failed)",
    ),
    "quarantine without a budget": (
        f"{JUDGED} --quarantine",
        "--quarantine requires --max_rejects or --max_reject_ratio",
    ),
    "nothing to set aside for": (f"{GIVEN} --quarantine --max_rejects 1", "--quarantine requires --schema or --checks"),
    "schema": (f"{GIVEN} --schema invalid.yaml", "--schema invalid.yaml: line 1: not a Schema proto in text format"),
    "a run without a schema": (f"{GIVEN} --schema .", "--schema .: cannot be read: Is a directory"),
}


@pytest.mark.parametrize(("command", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_in_one_line(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, message: str, capfd: Any
):
    files_of(tmp_path)
    (tmp_path / "invalid.yaml").write_text("version: 1\nrows:\n  - rule: fare > 0\n    tolerated: 5\n")
    (tmp_path / "column.yaml").write_text("version: 1\nrows:\n  - rule: fares > 0\n")
    (tmp_path / "split.yaml").write_text("version: 1\nrows:\n  - {rule: fare > 0, splits: [test]}\n")
    (tmp_path / "type.yaml").write_text("version: 1\nrows:\n  - rule: zone > 'a'\n")
    monkeypatch.chdir(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    assert main([word.format(out=story.folder / "out") for word in command.split()]) == 2
    out, err = capfd.readouterr()
    assert message in err, err
    assert (out, err.count("\n")) == ("", 1)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == before
