"""What shaped the data of a run is in its record, where readers of TFX look for it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from beam_taxi.dialect import Dialect
from beam_taxi.metadata.lineage import lineage
from beam_taxi.metadata.queries import artifacts_of, get_run
from beam_taxi.metadata.recorder import fail, record, record_cached, start
from beam_taxi.metadata.store import open_store
from beam_taxi.metadata.texts import MAX_TEXT
from beam_taxi.run.manifest import ArtifactFile, InputEntry, RunManifest, SplitEntry
from beam_taxi.settings import Split, SplitSettings, StatisticsSettings, ValidationSettings
from tests.metadata.runs import artifact, manifest, planned, record_run

SCHEMA = 'feature { name: "fare" type: FLOAT }'
NODES = ["CsvExampleGen", "StatisticsGen", "SchemaGen", "ImportSchemaGen", "ExampleValidator"]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def run_with(run_id: str = "r", changes: dict[str, Any] | None = None, **fields: Any) -> RunManifest:
    """Return the manifest of a finished run with other settings, and the artifacts that they entail."""
    whole = manifest(run_id)
    settings = dataclasses.replace(whole.settings, **(changes or {}))
    artifacts = dict(whole.artifacts)
    if not settings.examples:
        del artifacts["examples"]
    if settings.schema is not None:
        artifacts["inferred_schema"] = artifact("inferred_schema", "InferredSchema", "schema.pbtxt")
        artifacts["anomalies"] = artifact("anomalies", "ExampleAnomalies", "Split-train/SchemaDiff.pb")
    file = ArtifactFile("validation.json", 2, "00") if settings.is_validated else None
    return dataclasses.replace(whole, settings=settings, artifacts=artifacts, validation_file=file, **fields)


def before(run: RunManifest) -> RunManifest:
    return dataclasses.replace(run, artifacts={}, validation_file=None, statistics_options=None)


@contextmanager
def executions_of(store: str, run_id: str) -> Iterator[dict[str, Any]]:
    """Yield the executions of a run by node."""
    with open_store(store) as connection:
        run = get_run(store, run_id)
        found = connection.get_executions_by_id(list(run.executions.values()))
        yield {one.name.rsplit(":", 1)[1]: one for one in found}


def parameters_of(store: str, run_id: str, node: str) -> dict[str, Any]:
    with executions_of(store, run_id) as executions:
        values = executions[node].custom_properties
        return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


def events_of(store: str, run_id: str, node: str) -> list[tuple[str, str, str]]:
    """Return direction, key and type of the artifact of the events of a node's execution."""
    with executions_of(store, run_id) as executions, open_store(store) as connection:
        events = connection.get_events_by_execution_ids([executions[node].id])
        types = {one.id: one.type for one in connection.get_artifacts_by_id([one.artifact_id for one in events])}
        return [
            (pb.Event.Type.Name(one.type), one.path.steps[0].key, types[one.artifact_id])
            for one in sorted(events, key=lambda one: (one.type, one.path.steps[0].key, one.path.steps[1].index))
        ]


INPUTS = [("INPUT", "input", "CsvFile")] * 2
USED = ("INPUT", "schema", "Schema")
CHECKED = ValidationSettings(
    checks="checks: []", check_files={"/checks/more.yaml": "x"}, baseline="/out/old", history=("/out/a", "/out/b")
)

PARAMETERS: dict[str, tuple[RunManifest, str, dict[str, object]]] = {
    "split key": (
        run_with(changes={"splitting": SplitSettings(key=("id",))}),
        "CsvExampleGen",
        {
            "output_config": {
                "split_config": {
                    "splits": [{"name": "train", "hash_buckets": 2}, {"name": "eval", "hash_buckets": 1}],
                    "partition_feature_name": "id",
                }
            },
            "options": {"split_key": ["id"]},
        },
    ),
    "several split keys": (
        run_with(changes={"splitting": SplitSettings(key=("id", "day"))}),
        "CsvExampleGen",
        {
            "output_config": {
                "split_config": {"splits": [{"name": "train", "hash_buckets": 2}, {"name": "eval", "hash_buckets": 1}]}
            },
            "options": {"split_key": ["id", "day"]},
        },
    ),
    "a split column": (
        run_with(
            changes={"splitting": SplitSettings(("id",), "part"), "splits": (Split("train"), Split("eval"))},
            splits=(SplitEntry("train"), SplitEntry("eval")),
        ),
        "CsvExampleGen",
        {
            "output_config": {"split_config": {"splits": [{"name": "train"}, {"name": "eval"}]}},
            "options": {"split_key": ["id"], "split_column": "part"},
        },
    ),
    "default splits": (
        run_with(),
        "CsvExampleGen",
        {
            "output_config": {
                "split_config": {"splits": [{"name": "train", "hash_buckets": 2}, {"name": "eval", "hash_buckets": 1}]}
            },
            "options": {},
        },
    ),
    "rejects": (
        run_with(changes={"max_rejects": 7, "max_reject_ratio": 0.5}),
        "CsvExampleGen",
        {
            "rows": 6,
            "rejected_rows": 3,
            "allowed_rejects": 4,
            "options": {"max_rejects": 7, "max_reject_ratio": 0.5},
        },
    ),
    "dialect": (
        run_with(changes={"dialect": Dialect(delimiter=";", null_values=("NA", "-"), trim=True)}),
        "CsvExampleGen",
        {"options": {"delimiter": ";", "null_values": ["NA", "-"], "trim": True}},
    ),
    "statistics": (
        run_with(
            changes={"statistics": StatisticsSettings(top_k=7, label="tips", slice_features=("company",))},
            statistics_options='{"num_top_values": 7}',
        ),
        "StatisticsGen",
        {
            "stats_options_json": {"num_top_values": 7},
            "exclude_splits": [],
            "options": {"top_k": 7, "label": "tips", "slice_features": ["company"]},
        },
    ),
    "statistics without examples": (
        run_with(changes={"examples": False}, statistics_options="{}"),
        "StatisticsGen",
        {"stats_options_json": {}, "rejected_rows": 3, "options": {"no_examples": True}},
    ),
    "statistics of an older release": (run_with(), "StatisticsGen", {"stats_options_json": None}),
    "given schema": (
        run_with(changes={"schema": SCHEMA}, given={"schema": "/in/schema.pbtxt"}),
        "ImportSchemaGen",
        {"schema_file": "/in/schema.pbtxt", "schema_sha256": sha256(SCHEMA)},
    ),
    "given schema of an older release": (
        run_with(changes={"schema": SCHEMA}),
        "ImportSchemaGen",
        {"schema_file": None, "schema_sha256": sha256(SCHEMA)},
    ),
    "checks and baseline": (
        run_with(changes={"validation": CHECKED}, given={"checks": "/in/checks.yaml"}, baseline_sha256="ab"),
        "ExampleValidator",
        {
            "checks_file": "/in/checks.yaml",
            "checks_sha256": sha256("checks: []"),
            "check_files": {"/checks/more.yaml": sha256("x")},
            "baseline": "/out/old",
            "baseline_sha256": "ab",
            "history": ["/out/a", "/out/b"],
        },
    ),
    "first run with a baseline": (
        run_with(changes={"validation": ValidationSettings(baseline="previous")}),
        "ExampleValidator",
        {"baseline": None, "baseline_sha256": None, "options": {"baseline": "previous"}},
    ),
}


def parsed(value: object) -> object:
    return json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value


@pytest.mark.parametrize(("run", "node", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_what_shaped_the_data_is_a_property(tmp_path: Path, run: RunManifest, node: str, expected: dict[str, object]):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    start(before(run), store, "FnApiRunner")
    record(run, store)
    found = parameters_of(store, "r", node)
    assert {name: parsed(found.get(name)) for name in expected} == expected


def test_every_execution_has_the_versions(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    record_run(store, "r")
    for node in NODES[:3]:
        versions = json.loads(parameters_of(store, "r", node)["versions"])
        assert versions.keys() == {"beam_taxi", "code", "ml-metadata", "tfx_layout"}


EVENTS: dict[str, tuple[RunManifest, dict[str, list[tuple[str, str, str]]]]] = {
    "given schema": (
        run_with(changes={"schema": SCHEMA}),
        {
            "CsvExampleGen": [
                *INPUTS,
                USED,
                ("OUTPUT", "examples", "Examples"),
                ("OUTPUT", "rejects", "Rejects"),
            ],
            "StatisticsGen": [("INPUT", "examples", "Examples"), USED, ("OUTPUT", "statistics", "ExampleStatistics")],
            "SchemaGen": [
                ("INPUT", "statistics", "ExampleStatistics"),
                ("OUTPUT", "inferred_schema", "InferredSchema"),
            ],
            "ImportSchemaGen": [("OUTPUT", "schema", "Schema")],
            "ExampleValidator": [
                USED,
                ("INPUT", "statistics", "ExampleStatistics"),
                ("OUTPUT", "anomalies", "ExampleAnomalies"),
            ],
        },
    ),
    "no examples": (
        run_with(changes={"examples": False}),
        {
            "StatisticsGen": [*INPUTS, ("OUTPUT", "rejects", "Rejects"), ("OUTPUT", "statistics", "ExampleStatistics")],
            "SchemaGen": [("INPUT", "statistics", "ExampleStatistics"), ("OUTPUT", "schema", "Schema")],
        },
    ),
    "no examples, given schema": (
        run_with(changes={"examples": False, "schema": SCHEMA}),
        {
            "StatisticsGen": [
                *INPUTS,
                USED,
                ("OUTPUT", "rejects", "Rejects"),
                ("OUTPUT", "statistics", "ExampleStatistics"),
            ],
        },
    ),
}


@pytest.mark.parametrize(("run", "expected"), EVENTS.values(), ids=EVENTS)
def test_inputs_and_outputs(tmp_path: Path, run: RunManifest, expected: dict[str, list[tuple[str, str, str]]]):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    start(before(run), store, "FnApiRunner")
    assert events_of(store, "r", next(iter(expected))) == INPUTS
    record(run, store)
    assert {node: events_of(store, "r", node) for node in expected} == expected


def test_what_other_runs_made_is_in_the_lineage(store: str):
    ids = record_run(store, "old")
    given = run_with(
        changes={"schema": SCHEMA, "validation": ValidationSettings(baseline="/out/old")},
        given={"schema": "/out/old/schema/schema.pbtxt"},
    )
    record(given, store)
    run = get_run(store, "r")
    artifacts = artifacts_of(store, run)
    assert (artifacts["given_schema"].id, artifacts["baseline_statistics"].id) == (ids["schema"], ids["statistics"])
    assert artifacts["schema"].id != ids["schema"]
    sources = {(edge.node, edge.source) for edge in lineage(store, [artifacts["anomalies"].id]).edges}
    assert {
        ("ImportSchemaGen", ids["schema"]),
        ("ExampleValidator", ids["statistics"]),
        ("CsvExampleGen", artifacts["schema"].id),
        ("StatisticsGen", artifacts["schema"].id),
        ("ExampleValidator", artifacts["schema"].id),
    } <= sources
    # A run that reuses the artifacts has the same inputs.
    cached = dataclasses.replace(before(given), run_id="c", run_uri="/out/c")
    record_cached(cached, given, store)
    assert events_of(store, "c", "ImportSchemaGen") == [
        ("INPUT", "given_schema", "Schema"),
        ("OUTPUT", "schema", "Schema"),
    ]


def test_a_schema_of_no_run_in_the_store_has_no_source(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    record_run(store, "old")
    # A folder in which another artifact is.
    record(run_with(changes={"schema": SCHEMA}, given={"schema": "/out/old/statistics/schema.pbtxt"}), store)
    assert events_of(store, "r", "ImportSchemaGen") == [("OUTPUT", "schema", "Schema")]


LONG: dict[str, tuple[RunManifest, str, dict[str, int]]] = {
    "one long value": (
        run_with(changes={"statistics": StatisticsSettings(features=tuple(f"é😀{n}" for n in range(9_000)))}),
        "options",
        {},
    ),
    "many values": (
        run_with(changes={"validation": ValidationSettings(baseline="/b", history=("😀" * 990,) * 10)}),
        "history",
        {"history_left_out": 9},
    ),
    "split key": (run_with(changes={"splitting": SplitSettings(key=("😀" * 70_000,))}), "output_config", {}),
    "file names that are not UTF-8": (
        run_with(changes={"validation": ValidationSettings(checks="", check_files={"/caf\udce9\0": "x"})}),
        "check_files",
        {},
    ),
}


@pytest.mark.parametrize(("run", "name", "left_out"), LONG.values(), ids=LONG)
def test_json_stays_valid(store: str, run: RunManifest, name: str, left_out: dict[str, int]):
    record(run, store)
    with executions_of(store, "r") as executions:
        found = [one.custom_properties for one in executions.values() if name in one.custom_properties]
    assert found
    for values in found:
        text = values[name].string_value
        assert 2 < len(text) <= MAX_TEXT
        assert json.loads(text)
        assert {key: values[key].int_value for key in values if key.endswith("_left_out")} == left_out


def test_statistics_options_are_whole_or_left_out(store: str):
    names = json.dumps({"_feature_allowlist": ["x" * 20] * 1_000})
    record(run_with(statistics_options=names), store)
    found = parameters_of(store, "r", "StatisticsGen")
    assert "stats_options_json" not in found
    assert found["stats_options_left_out"] == 1


def test_counts_of_more_than_32_bits(store: str):
    rows = 2**33
    entry = InputEntry("/big.csv", "csv", 1, "sha256:1", rows, rejects={"fields": rows})
    record(run_with(changes={"max_rejects": 10**12}, inputs=(entry,)), store)
    found = get_run(store, "r").properties
    assert (found["rows"], found["rejected_rows"], found["allowed_rejects"]) == (rows, rows, 10**12)


def test_types_of_tfx_have_no_properties_of_ours(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    record(run_with(changes={"schema": SCHEMA, "validation": CHECKED}), store)
    with open_store(store) as connection:
        declared = {one.name: set(one.properties) for one in connection.get_artifact_types() if one.properties}
        assert not [one.name for one in connection.get_execution_types() if one.properties]
    assert declared == {
        "Examples": {"span", "version", "split_names"},
        "ExampleStatistics": {"span", "split_names"},
        "ExampleAnomalies": {"span", "split_names"},
    }


DOCUMENT = Path(__file__).parents[2] / "docs" / "metadata.md"


def test_the_documentation_has_every_type_and_property(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    whole = run_with(
        changes={"schema": SCHEMA, "validation": dataclasses.replace(CHECKED, baseline="/out/old")},
        given={"schema": "/out/old/schema/schema.pbtxt", "checks": "/in/checks.yaml"},
        statistics_options="{}",
        baseline_sha256="ab",
    )
    record_run(store, "old")
    start(before(whole), store, "FnApiRunner", claim="c")
    record(whole, store)
    for run_id, state in (("failed", "FAILED"), ("canceled", "CANCELED")):
        start(planned(run_id), store, "FnApiRunner")
        fail(run_id, store, "x", state)
    record_cached(dataclasses.replace(before(whole), run_id="cached"), whole, store)
    with open_store(store) as connection:
        types = [*connection.get_artifact_types(), *connection.get_execution_types(), *connection.get_context_types()]
        stored = [*connection.get_artifacts(), *connection.get_executions()]
        events = connection.get_events_by_execution_ids([one.id for one in connection.get_executions()])
    names = {one.name for one in types} | {one.path.steps[0].key for one in events}
    names |= {name for one in stored for name in (*one.properties, *one.custom_properties)}
    documented = set(re.findall(r"(?<!`)`([^`\n]+)`(?!`)", DOCUMENT.read_text()))
    assert {name for name in names if not name.startswith("rejects_")} <= documented
