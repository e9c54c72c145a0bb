"""The life cycle of a run in ML Metadata: start, then exactly one of complete, fail, cancel and cached.

The types, properties, contexts and event paths are those of TFX 1.16, on which its readers rely. In addition, the
inputs are artifacts too, and everything has a content hash.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata import nodes
from beam_taxi.metadata.mlmd import Artifact, Context, Edge, Event, EventType, Execution, MetadataStore, State
from beam_taxi.metadata.process import this_process
from beam_taxi.metadata.store import Store, open_store
from beam_taxi.metadata.types import NODES, RUN_END, Types, put_types
from beam_taxi.run.manifest import RunManifest


def init(store: Store) -> None:
    """Create the schema and the types, if they do not exist. Raises StoreError."""
    with open_store(store, write=True) as connection:
        put_types(connection)


def start(planned: RunManifest, store: Store, runner: str, in_process: bool = True) -> None:
    """Record the start of a run, in one transaction: RUNNING executions with the inputs as artifacts.

    `planned` is the manifest before the run. `in_process` means that the run ends with this process. Raises StoreError,
    and UsageError if the store already has a run with this id.
    """
    with open_store(store, write=True) as connection:
        run = _Run(connection, planned.run_id, planned)
        if run.executions():
            raise UsageError(f"--run_id {planned.run_id}: the store has a run of this id; choose another")
        run.stage(planned, {"runner": runner, **(this_process() if in_process else {})})


def note_job(run_id: str, store: Store, job: Mapping[str, str]) -> None:
    """Add the properties of a job that runs outside this process to the executions of a run. Raises StoreError."""
    with open_store(store, write=True) as connection:
        executions = list(_Run(connection, run_id).executions().values())
        for one in executions:
            nodes.set_properties(one.custom_properties, job)
        connection.put_executions(executions)


def record(manifest: RunManifest, store: Store) -> dict[str, int]:
    """Record a run as complete, and return the ids of its executions, artifacts and pipeline_run context.

    The run need not have been started in this store. If the process is killed, the run is complete or not, never
    in between; recording it again returns the same ids. Raises StoreError, and BeamTaxiError if the run has already
    ended in another state.
    """
    with open_store(store, write=True) as connection:
        run = _Run(connection, manifest.run_id, manifest)
        with run.ending("COMPLETE") as first:
            if first:
                run.stage(manifest, {})
                run.complete(manifest)
        return run.ids()


def fail(run_id: str, store: Store, error: str, state: str = "FAILED") -> None:
    """Record that a started run FAILED, or was CANCELED, and why.

    Raises StoreError, and BeamTaxiError if the run was not started or has already ended in another state.
    """
    with open_store(store, write=True) as connection:
        run = _Run(connection, run_id)
        with run.ending(state) as first:
            if first:
                run.abandon(state, error)


def record_cached(manifest: RunManifest, earlier: RunManifest, store: Store) -> dict[str, int]:
    """Record a run as CACHED: its outputs are the artifacts of an earlier run. Returns ids as `record` does.

    The id, pipeline and settings come from `manifest`, everything else from the earlier run. Raises StoreError and
    BeamTaxiError.
    """
    cached = dataclasses.replace(
        earlier,
        run_id=manifest.run_id,
        pipeline_name=manifest.pipeline_name,
        settings=manifest.settings,
        settings_sha256=manifest.settings_sha256,
    )
    with open_store(store, write=True) as connection:
        run = _Run(connection, cached.run_id, cached)
        with run.ending("CACHED") as first:
            if first:
                run.stage(cached, {}, with_outputs=False)
                run.complete(cached, "CACHED", earlier.run_id)
        return run.ids()


class _Run:
    """A run in an open store; `manifest` is needed to stage it."""

    def __init__(self, store: MetadataStore, run_id: str, manifest: RunManifest | None = None) -> None:
        from ml_metadata import errors
        from ml_metadata.proto import metadata_store_pb2

        self._pb: Any = metadata_store_pb2
        self._exists: Any = errors.AlreadyExistsError
        self._store = store
        self._run_id = run_id
        self._types: Types = put_types(store, (entry.format for entry in manifest.inputs) if manifest else ())

    def executions(self) -> dict[str, Execution]:
        """Return the executions by name, read in one call; empty if the store has no such run."""
        context = self._store.get_context_by_type_and_name("pipeline_run", self._run_id)
        return {one.name: one for one in self._store.get_executions_by_context(context.id)} if context else {}

    def _artifacts(self) -> dict[str, Artifact]:
        context = self._store.get_context_by_type_and_name("pipeline_run", self._run_id)
        return {one.name: one for one in self._store.get_artifacts_by_context(context.id)} if context else {}

    @contextmanager
    def ending(self, state: str) -> Iterator[bool]:
        """Yield whether the run has not ended yet. Raises BeamTaxiError if it has ended in another state."""
        first = self._store.get_artifact_by_type_and_name(RUN_END, self._run_id) is None
        # If another process was first, the database has rejected this whole transaction.
        with suppress(self._exists):
            yield first
        end = self._store.get_artifact_by_type_and_name(RUN_END, self._run_id)
        found = end.custom_properties["state"].string_value if end else "no end"
        if found != state:
            raise BeamTaxiError(f"run {self._run_id} is {found} in the store already, and cannot become {state}")

    def stage(self, manifest: RunManifest, start: nodes.Properties, with_outputs: bool = True) -> None:
        """Create what does not exist yet: RUNNING executions and PENDING artifacts, in the contexts of their nodes.

        `start` has the execution properties that only a start sets.
        """
        steps, pb = nodes.steps(manifest), self._pb
        wanted = [*nodes.inputs(manifest), *(nodes.outputs(manifest) if with_outputs else [])]
        # If another process writes the same first, look again at what exists.
        for _ in range(2):
            executions, artifacts = self.executions(), self._artifacts()
            new_steps = [step for step in steps if self._name(manifest, step.node) not in executions]
            new_nodes = [node for node in wanted if self._name(manifest, node.key) not in artifacts]
            if not new_steps and not new_nodes:
                break
            try:
                self._put(
                    manifest.pipeline_name,
                    [self._execution(manifest, step, pb.Execution.RUNNING, None, start) for step in new_steps],
                    [self._artifact(manifest, node, pb.Artifact.PENDING, None) for node in new_nodes],
                    self._input_edges(new_steps, new_nodes),
                )
            except self._exists:
                continue
        self._join_nodes(manifest, steps)

    def _input_edges(self, new_steps: list[nodes.Step], new_nodes: list[nodes.Node]) -> list[Edge]:
        """Return the events of the inputs, if the step that reads them is new."""
        if not new_steps or new_steps[0].inputs != (nodes.INPUT,):
            return []
        read = [number for number, node in enumerate(new_nodes) if node.event_key == nodes.INPUT]
        return [(0, number, self._event(self._pb.Event.INPUT, nodes.INPUT, i)) for i, number in enumerate(read)]

    def complete(self, manifest: RunManifest, state: str = "COMPLETE", cached_from: str | None = None) -> None:
        """End the staged run, in one transaction: states, artifacts, events and the mark of the end."""
        pb, steps = self._pb, nodes.steps(manifest)
        stored = self.executions()
        end: nodes.Properties = {} if cached_from is None else {"cached_from": cached_from}
        state_value = pb.Execution.State.Value(state)
        executions = [
            self._execution(manifest, step, state_value, stored[self._name(manifest, step.node)], end) for step in steps
        ]
        artifacts = self._final_artifacts(manifest, cached_from)
        events = self._store.get_events_by_execution_ids([one.id for one in executions])
        known_events = {(event.execution_id, event.artifact_id) for event in events}
        keys, edges = list(artifacts), []
        for number, step in enumerate(steps):
            for name, index, key, event_type in self._paths(step, keys):
                if (executions[number].id, artifacts[key].id) not in known_events:
                    edges.append((number, keys.index(key), self._event(event_type, name, index)))
        self._put(manifest.pipeline_name, executions, [*artifacts.values(), self._end(state)], edges)

    def _final_artifacts(self, manifest: RunManifest, cached_from: str | None) -> dict[str, Artifact]:
        """Return the LIVE artifacts of the run by key; the outputs are those of an earlier run if it is cached."""
        stored, found = self._artifacts(), {}
        for node in [*nodes.inputs(manifest), *([] if cached_from else nodes.outputs(manifest))]:
            known = stored[self._name(manifest, node.key)]
            found[node.key] = self._artifact(manifest, node, self._pb.Artifact.LIVE, known)
        if cached_from is not None:
            for key, artifact in manifest.artifacts.items():
                name = nodes.artifact_name(manifest.pipeline_name, cached_from, key)
                found[key] = self._store.get_artifact_by_type_and_name(artifact.type, name)
        return found

    def _paths(self, step: nodes.Step, keys: list[str]) -> Iterator[tuple[str, int, str, EventType]]:
        """Yield key and index of an event's path, the key of its artifact, and its type."""
        for name in step.inputs:
            for index, key in enumerate(key for key in keys if nodes.event_key(key) == name):
                yield name, index, key, self._pb.Event.INPUT
        for name in step.outputs:
            yield name, 0, name, self._pb.Event.OUTPUT

    def abandon(self, state: str, error: str) -> None:
        """End a started run without its outputs, in one transaction. Raises BeamTaxiError if it was not started."""
        executions = list(self.executions().values())
        if not executions:
            raise BeamTaxiError(f"run {self._run_id} was not started in this store")
        for one in executions:
            one.last_known_state = self._pb.Execution.State.Value(state)
            nodes.set_properties(one.custom_properties, {"error": error})
        pending = [one for one in self._artifacts().values() if one.state == self._pb.Artifact.PENDING]
        for one in pending:
            one.state = self._pb.Artifact.ABANDONED
        pipeline = executions[0].custom_properties["pipeline_name"].string_value
        self._put(pipeline, executions, [*pending, self._end(state)], [])

    def ids(self) -> dict[str, int]:
        """Return the ids of the executions by node, of their outputs by key, and of the run's context."""
        executions = {nodes.key_of(one.name): one.id for one in self.executions().values()}
        ids = {node: executions[node] for node in NODES if node in executions}
        for event in self._store.get_events_by_execution_ids(list(ids.values())):
            if event.type == self._pb.Event.OUTPUT:
                ids[event.path.steps[0].key] = event.artifact_id
        ids["pipeline_run"] = self._store.get_context_by_type_and_name("pipeline_run", self._run_id).id
        return ids

    def _name(self, manifest: RunManifest, key: str) -> str:
        return nodes.artifact_name(manifest.pipeline_name, self._run_id, key)

    def _put(self, pipeline: str, executions: list[Execution], artifacts: list[Artifact], edges: list[Edge]) -> None:
        """Write everything in one call, which is one transaction, and attach it to the contexts of pipeline and run."""
        contexts = [self._context("pipeline", pipeline), self._context("pipeline_run", self._run_id)]
        self._store.put_lineage_subgraph(executions, artifacts, contexts, edges, reuse_context_if_already_exist=True)

    def _join_nodes(self, manifest: RunManifest, steps: Iterable[nodes.Step]) -> None:
        """Attach executions and artifacts to the contexts of their nodes, and the run to the pipeline. Idempotent.

        A separate step before the end, since a lineage subgraph attaches everything in it to all of its contexts.
        """
        pb, pipeline = self._pb, manifest.pipeline_name
        run_id, pipeline_id = (
            self._store.get_context_by_type_and_name(*one).id
            for one in (("pipeline_run", self._run_id), ("pipeline", pipeline))
        )
        if not self._store.get_parent_contexts_by_context(run_id):
            with suppress(self._exists):
                self._store.put_parent_contexts([pb.ParentContext(child_id=run_id, parent_id=pipeline_id)])
        executions, artifacts = self.executions(), self._artifacts()
        keys = {nodes.key_of(name): one.id for name, one in artifacts.items() if name != self._run_id}
        attributions, associations = [], []
        for step in steps:
            node_id = self._node_id(f"{pipeline}.{step.node}")
            execution_id = executions[self._name(manifest, step.node)].id
            associations.append(pb.Association(execution_id=execution_id, context_id=node_id))
            mine = [id_ for key, id_ in keys.items() if nodes.event_key(key) in (*step.inputs, *step.outputs)]
            attributions += [pb.Attribution(artifact_id=id_, context_id=node_id) for id_ in mine]
        self._store.put_attributions_and_associations(attributions, associations)

    def _node_id(self, name: str) -> int:
        node = self._store.get_context_by_type_and_name("node", name)
        if node is None:
            try:
                return int(self._store.put_contexts([self._context("node", name)])[0])
            except self._exists:
                node = self._store.get_context_by_type_and_name("node", name)
        return int(node.id)

    def _context(self, type_name: str, name: str) -> Context:
        return self._pb.Context(type_id=self._types.contexts[type_name], name=name)

    def _execution(
        self,
        manifest: RunManifest,
        step: nodes.Step,
        state: State,
        known: Execution,
        more: nodes.Properties,
    ) -> Execution:
        """Return an execution; a known one keeps its id and the properties of its start."""
        execution = self._pb.Execution(
            type_id=self._types.executions[NODES[step.node]], name=self._name(manifest, step.node)
        )
        if known is not None:
            execution.CopyFrom(known)
        execution.last_known_state = state
        values = {**step.parameters, **nodes.run_properties(manifest), **more}
        nodes.set_properties(execution.custom_properties, values)
        return execution

    def _artifact(self, manifest: RunManifest, node: nodes.Node, state: State, known: Artifact) -> Artifact:
        artifact = self._pb.Artifact(
            type_id=self._types.artifacts[node.type_name],
            name=self._name(manifest, node.key),
            uri=node.uri,
            state=state,
        )
        if known is not None:
            artifact.id = known.id
        nodes.set_properties(artifact.properties, node.properties)
        nodes.set_properties(artifact.custom_properties, node.custom)
        return artifact

    def _end(self, state: str) -> Artifact:
        end = self._pb.Artifact(type_id=self._types.artifacts[RUN_END], name=self._run_id, state=self._pb.Artifact.LIVE)
        nodes.set_properties(end.custom_properties, {"state": state})
        return end

    def _event(self, event_type: EventType, key: str, index: int) -> Event:
        event = self._pb.Event(type=event_type)
        event.path.steps.add().key = key
        event.path.steps.add().index = index
        return event
