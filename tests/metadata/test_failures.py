"""The states of a run that has failed: the failure has its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from beam_taxi.metadata.queries import artifacts_of, get_run, list_runs
from beam_taxi.metadata.recorder import fail, start
from beam_taxi.metadata.store import open_store
from tests.metadata.runs import planned
from tests.metadata.test_shape import NODES, SCHEMA, before, executions_of, parameters_of, run_with

pytestmark = pytest.mark.slow


def states(store: str, run_id: str) -> dict[str, str]:
    with executions_of(store, run_id) as executions:
        return {node: pb.Execution.State.Name(one.last_known_state) for node, one in executions.items()}


FAILURES = {
    "the input": ("ReadTable", "CsvExampleGen"),
    "the examples": ("WriteExamples", "CsvExampleGen"),
    "the statistics": ("ComputeStatistics", "StatisticsGen"),
    "the profile": ("ComputeProfile", "StatisticsGen"),
    "the schema": ("InferSchema", "SchemaGen"),
    "the validation": ("ValidateStatistics", "ExampleValidator"),
    "the count of rows": ("Reconcile", "CsvExampleGen"),
    "the runner": ("", "CsvExampleGen"),
}


@pytest.mark.parametrize(("step", "node"), FAILURES.values(), ids=FAILURES)
def test_the_execution_that_failed_is_the_one_that_is_failed(tmp_path: Path, step: str, node: str):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    start(before(run_with(changes={"schema": SCHEMA})), store, "FnApiRunner")
    fail("r", store, "é" * 20_000, step=step)
    assert states(store, "r") == {one: "FAILED" if one == node else "CANCELED" for one in NODES}
    run = get_run(store, "r")
    assert (run.state, run.properties["failed_node"]) == ("FAILED", node)
    assert str(run.properties["error"]).startswith("éé")
    assert [one.state for one in list_runs(store)] == ["FAILED"]
    # TFX's get_execution_result parses this property.
    assert json.loads(parameters_of(store, "r", node)["__execution_result__"])["code"] == 2
    assert {one.state for one in artifacts_of(store, run).values()} == {"LIVE"}
    # The next attempt is not marked by the failure of this one.
    start(before(run_with()), store, "FnApiRunner")
    assert get_run(store, "r").properties.keys().isdisjoint({"error", "failed_node"})


def test_a_failure_without_the_step_that_it_names_is_of_the_first(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    start(planned("r"), store, "FnApiRunner")
    fail("r", store, "x", step="ValidateStatistics")
    assert states(store, "r") == {"CsvExampleGen": "FAILED", "StatisticsGen": "CANCELED", "SchemaGen": "CANCELED"}


def test_a_canceled_run_has_no_failure(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    start(planned("r"), store, "FnApiRunner")
    fail("r", store, "interrupted", "CANCELED")
    assert set(states(store, "r").values()) == {"CANCELED"}
    run = get_run(store, "r")
    assert (run.state, run.properties["error"], run.properties.get("failed_node")) == ("CANCELED", "interrupted", None)


def test_only_outputs_that_were_not_finished_are_abandoned(tmp_path: Path):
    """As after a recorder that was killed, and of a run that an older version has started."""
    store = f"sqlite:///{tmp_path}/m.sqlite"
    start(planned("r"), store, "FnApiRunner")
    with open_store(store, write=True) as connection:
        inputs = connection.get_artifacts_by_type("CsvFile")
        for one in inputs:
            one.state = pb.Artifact.PENDING
        context = connection.get_context_by_type_and_name("pipeline_run", "r")
        pending = pb.Artifact(
            type_id=connection.get_artifact_type("Examples").id, name="taxi:r:examples", state=pb.Artifact.PENDING
        )
        (examples,) = connection.put_artifacts([pending])
        connection.put_artifacts(inputs)
        connection.put_attributions_and_associations([pb.Attribution(artifact_id=examples, context_id=context.id)], [])
    fail("r", store, "x")
    with open_store(store) as connection:
        states = {one.name: one.state for one in connection.get_artifacts_by_context(context.id)}
    live, abandoned = pb.Artifact.LIVE, pb.Artifact.ABANDONED
    assert states == {"taxi:r:input/0": live, "taxi:r:input/1": live, "taxi:r:examples": abandoned, "r": live}


def as_an_older_version_failed(connection: MetadataStore) -> None:
    executions = connection.get_executions()
    for one in executions:
        one.last_known_state = pb.Execution.FAILED
        one.custom_properties["error"].string_value = "old"
    connection.put_executions(executions)


def test_failures_of_older_versions_have_no_place(tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    start(planned("r"), store, "FnApiRunner")
    with open_store(store, write=True) as connection:
        as_an_older_version_failed(connection)
    run = get_run(store, "r")
    assert (run.state, run.properties["error"], run.properties.get("failed_node")) == ("FAILED", "old", None)
    assert start(planned("r"), store, "FnApiRunner") == 2
