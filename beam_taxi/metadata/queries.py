"""Queries of a store: runs and their artifacts; for notebooks and for `python -m beam_taxi runs`.

They read by context and by id, and of a long answer the newest part.

schema = latest_schema("sqlite:///out/metadata.sqlite", "beam_taxi")
tfdv.load_schema_text(f"{schema.uri}/schema.pbtxt")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from itertools import islice

from beam_taxi.errors import UsageError
from beam_taxi.metadata import mlmd
from beam_taxi.metadata.mlmd import Execution, MetadataStore, Value
from beam_taxi.metadata.names import context_named
from beam_taxi.metadata.newest import newest
from beam_taxi.metadata.nodes import INPUT, PART, attempt_of, event_key, key_of, run_id_of
from beam_taxi.metadata.run_state import failure_of, name_of_state, state_of
from beam_taxi.metadata.store import Store, open_store
from beam_taxi.metadata.types import RUN_END

PRUNED = "pruned"
"""The property of a run whose files were removed: when that began."""
_DAY = len("2026-11-24")


@dataclass(frozen=True)
class Run:
    """A run: the latest attempt under its id, with times in ISO 8601, UTC.

    `state` is that of its executions, FAILED if one of them is. `properties` are those of the first execution, with the
    `error` and the `failed_node` of one that failed. If its job runs outside the process that launched it, they have
    `job_runner`, `job_id`, `job_service`, `job_page` and `job_cancel`.
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
class Reader:
    """A run that read a file, and the hash of the content that it found, empty if it did not come to know it."""

    run_id: str
    content_hash: str


def list_runs(store: Store, limit: int | None = None, pipeline: str | None = None) -> list[Run]:
    """Return the newest `limit` runs of this package, by default all, or those of a pipeline, oldest first.

    Raises StoreError.
    """
    with open_store(store) as connection:
        query = connection.get_executions
        if pipeline is not None:
            context = context_named(connection, "pipeline", pipeline)
            if context is None:
                return []
            query = partial(connection.get_executions_by_context, context.id)
        if limit is None:
            return _runs(query())
        return _oldest_first(islice(_runs_of(connection, newest(query)), limit))


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


def accepted_runs(store: Store, pipeline: str, limit: int = 100) -> list[Run]:
    """Return the complete runs of a pipeline that were accepted, oldest first. Raises StoreError.

    Only the newest `limit` complete runs are looked at, or as many as it takes to find one that was accepted.
    """
    found = []
    with open_store(store) as connection:
        for number, run in enumerate(_complete_runs(connection, pipeline), 1):
            if is_accepted(run.properties):
                found.append(run)
            if found and number >= limit:
                break
    return _oldest_first(found)


def accepted_runs_before(store: Store, pipeline: str, date: str, window: int, limit: int = 100) -> list[Run]:
    """Return the accepted runs of the newest `limit` days before a date, in the order of the days. Raises StoreError.

    Of each day there is the latest run, with the same window. Runs without a date count by the day on which they
    started.
    """
    by_day: dict[str, list[str]] = {}
    found: list[Run] = []
    with open_store(store) as connection:
        # The order of the runs is not that of their days, so all executions are looked at, but few runs.
        for one in _complete(connection, pipeline):
            day = date_of(_properties(one.custom_properties)) or _time(one.create_time_since_epoch)[:_DAY]
            if day < date and _window(one) in (None, window):
                by_day.setdefault(day, []).append(one.custom_properties["run_id"].string_value)
        for day in sorted(by_day, reverse=True)[:limit]:
            runs = (find_run(connection, run_id) for run_id in dict.fromkeys(by_day[day]))
            found += islice((run for run in runs if run and run.state == "COMPLETE" and is_accepted(run.properties)), 1)
    return found[::-1]


def latest_complete_run(store: Store, pipeline: str) -> Run | None:
    """Return the newest complete run of a pipeline, accepted or not, or None. Raises StoreError."""
    with open_store(store) as connection:
        return next(_complete_runs(connection, pipeline), None)


def readers(store: Store, uri: str) -> list[Reader]:
    """Return the runs that read a file or table, newest first. Raises StoreError."""
    with open_store(store) as connection:
        found: dict[str, Reader] = {}
        for one in inputs_of_uri(connection, uri):
            run_id = run_id_of(one.name)
            found.setdefault(run_id, Reader(run_id, content_of(one)))
        return list(found.values())


def is_accepted(properties: Mapping[str, str | int]) -> bool:
    """Return whether a run, or the run of an artifact, was accepted; those of older versions were not judged."""
    return properties.get("accepted", 1) != 0


def is_pruned(run: Run) -> bool:
    """Return whether the files of a run were removed by `runs prune`, or its removal has begun."""
    return PRUNED in run.properties


def date_of(properties: Mapping[str, str | int]) -> str:
    """Return the date of a run in ISO 8601, empty if it has none."""
    return str(properties.get("date", ""))


def day_of(run: Run) -> str:
    """Return the date of a run, or the day on which it started, in ISO 8601, UTC."""
    return date_of(run.properties) or run.started[:_DAY]


def pruned_runs(store: Store, pipeline: str, window: int) -> list[Run]:
    """Return the runs of a pipeline with a date and this window that `runs prune` has removed. Raises StoreError."""
    runs = [run for run in list_runs(store, pipeline=pipeline) if is_pruned(run) and date_of(run.properties)]
    return [run for run in runs if run.properties.get("window") == window]


def artifacts_of(store: Store, run: Run) -> dict[str, Artifact]:
    """Return the inputs and outputs of a run by the keys input/0, examples, statistics, schema, …"""
    with open_store(store) as connection:
        events = connection.get_events_by_execution_ids(list(run.executions.values()))
        keys = {}
        for event in events:
            key, index = event.path.steps[0].key, event.path.steps[1].index
            keys[event.artifact_id] = f"{key}/{index}" if key in (INPUT, PART) else key
        found = {one.id: one for one in to_artifacts(connection.get_artifacts_by_id(list(keys)))}
    # Inputs first: those of a CACHED run are newer than its outputs.
    ids = sorted(found, key=lambda id_: (event_key(keys[id_]) != INPUT, id_))
    return {keys[id_]: found[id_] for id_ in ids}


def latest_artifact(store: Store, pipeline: str, type_name: str) -> Artifact | None:
    """Return the newest LIVE artifact of a type from an accepted run of a pipeline, or None. Raises StoreError."""
    with open_store(store) as connection:
        context = context_named(connection, "pipeline", pipeline)
        query = partial(connection.get_artifacts_by_context, context.id) if context else None
        found = to_artifacts(newest(query) if query else ())
        wanted = (one for one in found if (one.type, one.state) == (type_name, "LIVE") and is_accepted(one.properties))
        return next(wanted, None)


def latest_schema(store: Store, pipeline: str) -> Artifact | None:
    """Return the newest Schema of a pipeline: `schema.pbtxt` is under its uri."""
    return latest_artifact(store, pipeline, "Schema")


def latest_statistics(store: Store, pipeline: str) -> Artifact | None:
    """Return the newest ExampleStatistics of a pipeline: `Split-NAME/FeatureStats.pb` are under its uri."""
    return latest_artifact(store, pipeline, "ExampleStatistics")


def inputs_of_uri(connection: MetadataStore, uri: str) -> list[mlmd.Artifact]:
    """Return the artifacts that stand for an input in the runs that read it, newest first."""
    # A database may ignore case.
    found = [one for one in connection.get_artifacts_by_uri(uri) if one.uri == uri and is_input(one)]
    return sorted(found, key=lambda one: -one.id)


def is_input(artifact: mlmd.Artifact) -> bool:
    """Return whether an artifact is an input of a run of this package."""
    return event_key(key_of(artifact.name)) == INPUT and bool(run_id_of(artifact.name))


def content_of(artifact: mlmd.Artifact) -> str:
    """Return the content hash of an input, empty if it is not known."""
    return str(artifact.custom_properties["content_hash"].string_value)


def _complete_runs(connection: MetadataStore, pipeline: str) -> Iterator[Run]:
    """Yield the complete runs of a pipeline that still have their files, newest first."""
    return (run for run in _runs_of(connection, _complete(connection, pipeline)) if run.state == "COMPLETE")


def _complete(connection: MetadataStore, pipeline: str) -> Iterator[Execution]:
    """Yield the executions of StatisticsGen that are complete, newest first, of runs that still have their files."""
    # Every run has this node, and a complete one is in its context, which is smaller than that of the pipeline.
    context = context_named(connection, "node", f"{pipeline}.StatisticsGen")
    found = newest(partial(connection.get_executions_by_context, context.id)) if context else ()
    ours = (one for one in found if name_of_state(one) == "COMPLETE" and _is_ours(one))
    return (one for one in ours if PRUNED not in one.custom_properties)


def _runs_of(connection: MetadataStore, executions: Iterable[Execution]) -> Iterator[Run]:
    """Yield the runs of executions, each once, in their order; other executions are skipped.

    Each run is read by itself: the executions may be only some of its own, read while it changed.
    """
    ids = (one.custom_properties["run_id"].string_value for one in executions if _is_ours(one))
    seen: set[str] = set()
    for run_id in ids:
        if run_id not in seen:
            seen.add(run_id)
            run = find_run(connection, run_id)
            if run is not None:
                yield run


def _window(execution: Execution) -> int | None:
    """Return the days that a run with a date has read."""
    properties = execution.custom_properties
    return int(properties["window"].int_value) if "window" in properties else None


def _is_ours(execution: Execution) -> bool:
    return bool(execution.custom_properties["producer"].string_value == "beam_taxi")


def _runs(executions: Iterable[Execution]) -> list[Run]:
    by_run: dict[str, list[Execution]] = {}
    for one in executions:
        if _is_ours(one):
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
    return _oldest_first(runs)


def _oldest_first(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (run.started, run.run_id))


def to_artifacts(found: Iterable[mlmd.Artifact]) -> Iterator[Artifact]:
    """Yield the artifacts of a store, without the marks of ends."""
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


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="milliseconds")
