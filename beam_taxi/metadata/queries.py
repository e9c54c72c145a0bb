"""Queries of a store: runs, their latest artifacts, and lineage; for notebooks and for `python -m beam_taxi runs`.

schema = latest_schema("sqlite:///out/metadata.sqlite", "beam_taxi")
tfdv.load_schema_text(f"{schema.uri}/schema.pbtxt")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from beam_taxi.errors import UsageError
from beam_taxi.metadata import mlmd
from beam_taxi.metadata.mlmd import EventType, Execution, MetadataStore, Value
from beam_taxi.metadata.names import context_named
from beam_taxi.metadata.nodes import INPUT, attempt_of, event_key, key_of, run_id_of
from beam_taxi.metadata.run_state import failure_of, state_of
from beam_taxi.metadata.store import Store, open_store
from beam_taxi.metadata.types import RUN_END


@dataclass(frozen=True)
class Run:
    """A run: the latest attempt under its id, with times in ISO 8601, UTC.

    `state` is that of its executions, FAILED if one of them is. `properties` are those of the first execution, with the
    `error` and the `failed_node` of one that failed; of a job outside the process that
    launched it they have `job_runner`, `job_id`, `job_service`, `job_page` and `job_cancel`.
    """

    run_id: str
    pipeline: str
    state: str
    attempt: int
    started: str
    updated: str
    properties: Mapping[str, str | int]
    executions: Mapping[str, int]

    @property
    def manifest(self) -> str:
        """URI of the manifest, which exists once the run is complete; for a CACHED run, that of the earlier run."""
        return str(self.properties["manifest"])


@dataclass(frozen=True)
class Artifact:
    """A recorded artifact; `run_id` is the run that made it, or that read it if it is an input."""

    id: int
    type: str
    uri: str
    state: str
    run_id: str
    created: str
    properties: Mapping[str, str | int]


@dataclass(frozen=True)
class Edge:
    """An execution that made the artifact with id `target` from the one with id `source`."""

    source: int
    execution: int
    node: str
    run_id: str
    state: str
    target: int


@dataclass(frozen=True)
class Lineage:
    """What artifacts came from and what was made of them; the edges are in the order of the executions."""

    artifacts: Mapping[int, Artifact]
    edges: tuple[Edge, ...]


def list_runs(store: Store) -> list[Run]:
    """Return the runs of this package, oldest first. Raises StoreError."""
    with open_store(store) as connection:
        return _runs(connection.get_executions())


def get_run(store: Store, run_id: str) -> Run:
    """Return a run. Raises UsageError if the store has no such run, and StoreError."""
    with open_store(store) as connection:
        run = find_run(connection, run_id)
    if run is None:
        raise UsageError(f"{run_id}: the store has no run of this id; see `python -m beam_taxi runs list`")
    return run


def find_run(connection: MetadataStore, run_id: str) -> Run | None:
    """Return a run of an open store, or None."""
    context = context_named(connection, "pipeline_run", run_id)
    # One call, since several calls could see a run between two states.
    runs = _runs(connection.get_executions_by_context(context.id)) if context else []
    return runs[0] if runs else None


def accepted_runs(store: Store, pipeline: str) -> list[Run]:
    """Return the complete runs of a pipeline that were accepted, oldest first. Raises StoreError."""
    with open_store(store) as connection:
        context = context_named(connection, "pipeline", pipeline)
        runs = _runs(connection.get_executions_by_context(context.id)) if context else []
    return [run for run in runs if run.state == "COMPLETE" and is_accepted(run.properties)]


def is_accepted(properties: Mapping[str, str | int]) -> bool:
    """Return whether a run, or the run of an artifact, was accepted; those of older versions were not judged."""
    return properties.get("accepted", 1) != 0


def artifacts_of(store: Store, run: Run) -> dict[str, Artifact]:
    """Return the inputs and outputs of a run by the keys input/0, examples, statistics, schema, …"""
    with open_store(store) as connection:
        events = connection.get_events_by_execution_ids(list(run.executions.values()))
        keys = {}
        for event in events:
            key, index = event.path.steps[0].key, event.path.steps[1].index
            keys[event.artifact_id] = f"{key}/{index}" if key == INPUT else key
        found = {one.id: one for one in _artifacts(connection.get_artifacts_by_id(list(keys)))}
    # Inputs first: those of a CACHED run are newer than its outputs.
    ids = sorted(found, key=lambda id_: (event_key(keys[id_]) != INPUT, id_))
    return {keys[id_]: found[id_] for id_ in ids}


def latest_artifact(store: Store, pipeline: str, type_name: str) -> Artifact | None:
    """Return the newest LIVE artifact of a type from an accepted run of a pipeline, or None. Raises StoreError."""
    with open_store(store) as connection:
        context = context_named(connection, "pipeline", pipeline)
        found = _artifacts(connection.get_artifacts_by_context(context.id)) if context else []
    live = [one for one in found if one.type == type_name and one.state == "LIVE" and is_accepted(one.properties)]
    return max(live, key=lambda one: (one.created, one.id), default=None)


def latest_schema(store: Store, pipeline: str) -> Artifact | None:
    """Return the newest Schema of a pipeline: `schema.pbtxt` is under its uri."""
    return latest_artifact(store, pipeline, "Schema")


def latest_statistics(store: Store, pipeline: str) -> Artifact | None:
    """Return the newest ExampleStatistics of a pipeline: `Split-NAME/FeatureStats.pb` are under its uri."""
    return latest_artifact(store, pipeline, "ExampleStatistics")


def lineage(store: Store, artifact_ids: Iterable[int]) -> Lineage:
    """Return what led to artifacts, back to the inputs, and what was made of them. Raises StoreError.

    Each run has its own artifact of an input; those with the same uri and content hash count as one.
    """
    from ml_metadata.proto import metadata_store_pb2

    pb: Any = metadata_store_pb2
    event = pb.Event
    with open_store(store) as connection:
        start = list(artifact_ids)
        back = _walk(connection, start, event.OUTPUT, event.INPUT)
        forward = _walk(connection, _same_files(connection, start), event.INPUT, event.OUTPUT)
        events = connection.get_events_by_execution_ids(sorted(back | forward)) if back | forward else []
        executions = {one.id: one for one in connection.get_executions_by_id(sorted(back | forward))}
        ids = sorted({one.artifact_id for one in events} | set(start))
        artifacts = {one.id: one for one in _artifacts(connection.get_artifacts_by_id(ids))}
    edges = []
    for id_, execution in sorted(executions.items()):
        mine = [one for one in events if one.execution_id == id_]
        run_id = execution.custom_properties["run_id"].string_value
        node, state = key_of(execution.name), _state(execution)
        for source in (one.artifact_id for one in mine if one.type == event.INPUT):
            for target in (one.artifact_id for one in mine if one.type == event.OUTPUT):
                edges.append(Edge(source, id_, node, run_id, state, target))
    return Lineage(artifacts, tuple(edges))


def _walk(connection: MetadataStore, artifact_ids: Iterable[int], into: EventType, out: EventType) -> set[int]:
    """Return the executions reached from artifacts, by events of type `into` to executions and `out` from them."""
    executions: set[int] = set()
    seen, frontier = set(artifact_ids), set(artifact_ids)
    while frontier:
        events = connection.get_events_by_artifact_ids(sorted(frontier))
        new = {one.execution_id for one in events if one.type == into} - executions
        executions |= new
        events = connection.get_events_by_execution_ids(sorted(new)) if new else []
        frontier = {one.artifact_id for one in events if one.type == out} - seen
        seen |= frontier
    return executions


def _same_files(connection: MetadataStore, artifact_ids: list[int]) -> set[int]:
    """Return the artifacts, and for inputs also those of the same uri and content in other runs."""
    found = set(artifact_ids)
    for artifact in connection.get_artifacts_by_id(artifact_ids):
        content = artifact.custom_properties["content_hash"].string_value
        if event_key(key_of(artifact.name)) == INPUT and content:
            others = connection.get_artifacts_by_uri(artifact.uri)
            found |= {one.id for one in others if one.custom_properties["content_hash"].string_value == content}
    return found


def _runs(executions: Iterable[Execution]) -> list[Run]:
    by_run: dict[str, list[Execution]] = {}
    for one in executions:
        if one.custom_properties["producer"].string_value == "beam_taxi":
            by_run.setdefault(one.custom_properties["run_id"].string_value, []).append(one)
    runs = []
    for run_id, of_all_attempts in by_run.items():
        attempt = max(map(attempt_of, of_all_attempts))
        its = sorted((one for one in of_all_attempts if attempt_of(one) == attempt), key=lambda one: one.id)
        first = its[0]
        properties = {**_properties(first.custom_properties), **failure_of(its)}
        runs.append(
            Run(
                run_id=run_id,
                pipeline=str(properties["pipeline_name"]),
                state=state_of(its),
                attempt=attempt,
                started=_time(first.create_time_since_epoch),
                updated=_time(max(one.last_update_time_since_epoch for one in its)),
                properties=properties,
                executions={key_of(one.name): one.id for one in its},
            )
        )
    return sorted(runs, key=lambda run: (run.started, run.run_id))


def _artifacts(found: Iterable[mlmd.Artifact]) -> Iterator[Artifact]:
    for one in found:
        if one.type == RUN_END:
            continue
        properties = {**_properties(one.properties), **_properties(one.custom_properties)}
        created, state = _time(one.create_time_since_epoch), type(one).State.Name(one.state)
        yield Artifact(one.id, one.type, one.uri, state, run_id_of(one.name), created, properties)


def _properties(values: Mapping[str, Value]) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for key, value in sorted(values.items()):
        kind = value.WhichOneof("value")
        if kind in ("int_value", "string_value"):
            found[key] = getattr(value, kind)
        elif kind == "double_value" and value.double_value.is_integer():
            # `set_properties` stores integers of more than 32 bits so.
            found[key] = int(value.double_value)
    return found


def _state(execution: Execution) -> str:
    return str(type(execution).State.Name(execution.last_known_state))


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="milliseconds")
