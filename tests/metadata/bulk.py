"""Many runs in a store, quickly: copies of a recorded one, written in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as pb

from beam_taxi.metadata.mlmd import MetadataStore
from beam_taxi.metadata.recorder import record
from beam_taxi.metadata.store import open_store
from beam_taxi.run.manifest import RunManifest

_AT_ONCE = 500
"""Runs that are written together."""


def fill(store: str, template: RunManifest, run_ids: Sequence[str]) -> None:
    """Record a run, and copies of it under other ids: all that has its id in it has another id instead."""
    record(template, store)
    with open_store(store, write=True) as connection:
        run = _Template(connection, template.run_id)
        for first in range(0, len(run_ids), _AT_ONCE):
            run.copy(run_ids[first : first + _AT_ONCE])


class _Template:
    """The entries of a run, and how they hang together."""

    def __init__(self, connection: MetadataStore, run_id: str) -> None:
        self._store, self._run_id = connection, run_id
        self._context = connection.get_context_by_type_and_name("pipeline_run", run_id)
        self._parents = [one.id for one in connection.get_parent_contexts_by_context(self._context.id)]
        self._executions = connection.get_executions_by_context(self._context.id)
        self._artifacts = connection.get_artifacts_by_context(self._context.id)
        self._events = connection.get_events_by_execution_ids([one.id for one in self._executions])
        self._of_executions = {
            one.id: [context.id for context in connection.get_contexts_by_execution(one.id)] for one in self._executions
        }
        self._of_artifacts = {
            one.id: [context.id for context in connection.get_contexts_by_artifact(one.id)] for one in self._artifacts
        }

    def copy(self, run_ids: Sequence[str]) -> None:
        store = self._store
        contexts = store.put_contexts([self._copied(self._context, run_id) for run_id in run_ids])
        executions = store.put_executions([self._copied(one, run_id) for run_id in run_ids for one in self._executions])
        artifacts = store.put_artifacts([self._copied(one, run_id) for run_id in run_ids for one in self._artifacts])
        parents, events, associations, attributions = [], [], [], []
        execution_ids, artifact_ids = iter(executions), iter(artifacts)
        for context in contexts:
            execution_of = {one.id: next(execution_ids) for one in self._executions}
            artifact_of = {one.id: next(artifact_ids) for one in self._artifacts}
            context_of = {self._context.id: context}
            parents += [pb.ParentContext(child_id=context, parent_id=parent) for parent in self._parents]
            for one in self._events:
                ends = {"execution_id": execution_of[one.execution_id], "artifact_id": artifact_of[one.artifact_id]}
                events.append(pb.Event(type=one.type, path=one.path, **ends))
            for id_, its in self._of_executions.items():
                for one in its:
                    of = context_of.get(one, one)
                    associations.append(pb.Association(execution_id=execution_of[id_], context_id=of))
            for id_, its in self._of_artifacts.items():
                for one in its:
                    of = context_of.get(one, one)
                    attributions.append(pb.Attribution(artifact_id=artifact_of[id_], context_id=of))
        store.put_parent_contexts(parents)
        store.put_events(events)
        store.put_attributions_and_associations(attributions, associations)

    def _copied(self, one: Any, run_id: str) -> Any:
        """Return an entry of the template as that of another run."""
        copy = type(one)()
        copy.CopyFrom(one)
        for field in ("id", "type", "create_time_since_epoch", "last_update_time_since_epoch"):
            copy.ClearField(field)
        copy.name = one.name.replace(self._run_id, run_id)
        if isinstance(one, pb.Artifact):
            copy.uri = one.uri.replace(self._run_id, run_id)
        for value in copy.custom_properties.values():
            if value.HasField("string_value"):
                value.string_value = value.string_value.replace(self._run_id, run_id)
        return copy
