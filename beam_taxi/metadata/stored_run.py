"""The entries of one run in an open store, and how an attempt at it is written.

Every attempt has executions and artifacts of its own, named after run and attempt. Names are unique, so the database
itself decides which of several processes starts an attempt, and which of them ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from beam_taxi.errors import BeamTaxiError
from beam_taxi.metadata import nodes
from beam_taxi.metadata.contexts import RunContexts
from beam_taxi.metadata.mlmd import Artifact, Edge, Event, EventType, Execution, MetadataStore, State
from beam_taxi.metadata.names import artifact_named, context_named
from beam_taxi.metadata.queries import Run
from beam_taxi.metadata.run_state import end_without_result, node_that_failed
from beam_taxi.metadata.texts import storable
from beam_taxi.metadata.types import NODES, RUN_END, Types, put_types
from beam_taxi.run.manifest import RunManifest


class OtherRunError(BeamTaxiError):
    """The store has another run of this id."""


class StoredRun:
    """An attempt at a run, in an open store; `manifest` is needed to stage it."""

    def __init__(
        self, store: MetadataStore, run_id: str, attempt: int = 1, manifest: RunManifest | None = None
    ) -> None:
        from ml_metadata import errors
        from ml_metadata.proto import metadata_store_pb2

        self._pb: Any = metadata_store_pb2
        self._exists: Any = errors.AlreadyExistsError
        self._store = store
        self._run_id = run_id
        self.attempt = attempt
        self._label = nodes.attempt_name(run_id, attempt)
        self._types: Types = put_types(store, (entry.format for entry in manifest.inputs) if manifest else ())

    def _executions(self) -> dict[str, Execution]:
        """Return the executions of the attempt by name, read in one call; empty if it was not started."""
        context = context_named(self._store, "pipeline_run", self._run_id)
        found = self._store.get_executions_by_context(context.id) if context else []
        return {one.name: one for one in found if nodes.attempt_of(one) == self.attempt}

    def _artifacts(self) -> dict[str, Artifact]:
        """Return the artifacts that the attempt itself has made or read, by name."""
        context = context_named(self._store, "pipeline_run", self._run_id)
        found = self._store.get_artifacts_by_context(context.id) if context else []
        return {one.name: one for one in found if one.name.split(":")[1:2] == [self._label]}

    @contextmanager
    def ending(self, state: str) -> Iterator[bool]:
        """Yield whether the attempt has not ended yet. Raises BeamTaxiError if it has ended in another state."""
        first = artifact_named(self._store, RUN_END, self._label) is None
        try:
            yield first
        except self._exists:
            # If another process was first, the database has rejected this whole transaction.
            if artifact_named(self._store, RUN_END, self._label) is None:
                raise
        end = artifact_named(self._store, RUN_END, self._label)
        found = end.custom_properties["state"].string_value if end else "no end"
        if found != state:
            raise BeamTaxiError(f"run {self._run_id} is {found} in the store already, and cannot become {state}")

    def stage(
        self, manifest: RunManifest, start: nodes.Properties, with_outputs: bool = True, is_start: bool = False
    ) -> bool:
        """Create what does not exist yet, in the contexts of their nodes: RUNNING executions, inputs, PENDING outputs.

        `start` has the execution properties that only a start sets. Return False, without a change, if `is_start` is
        set and another process has created the attempt. Raises UsageError if the store takes the name of the run, or
        of its pipeline, for another, and OtherRunError if the attempt is that of a run in another folder.
        """
        steps, pb, pipeline = nodes.steps(manifest), self._pb, manifest.pipeline_name
        wanted = [*nodes.inputs(manifest), *(nodes.outputs(manifest) if with_outputs else [])]
        contexts = self._contexts(pipeline)
        contexts.check_names()
        node_ids = contexts.make_shared(step.node for step in steps)
        # If another process writes the same first, look again at what exists. It may do so for every entry.
        for _ in range(len(steps) + len(wanted) + 1):
            executions, artifacts = self._executions(), self._artifacts()
            if is_start and executions:
                return False
            self._check_folder(executions.values(), manifest)
            new_steps = [step for step in steps if self._name(pipeline, step.node) not in executions]
            new_nodes = [node for node in wanted if self._name(pipeline, node.key) not in artifacts]
            if not new_steps and not new_nodes:
                break
            try:
                self._put(
                    pipeline,
                    [self._execution(manifest, step, pb.Execution.RUNNING, None, start) for step in new_steps],
                    [self._artifact(pipeline, node, self._first_state(node), None) for node in new_nodes],
                    self._input_edges(new_steps, new_nodes),
                )
                break
            except self._exists:
                continue
        self._join_nodes(pipeline, steps, node_ids)
        return True

    def _first_state(self, node: nodes.Node) -> State:
        """Return the state of a new artifact: an input exists already."""
        return self._pb.Artifact.LIVE if node.event_key == nodes.INPUT else self._pb.Artifact.PENDING

    def _check_folder(self, executions: Iterable[Execution], manifest: RunManifest) -> None:
        """Raise OtherRunError if the attempt was started for a run in another folder."""
        place = nodes.place_of(manifest)
        for one in executions:
            if one.custom_properties["manifest"].string_value != place:
                raise OtherRunError(f"run {self._run_id}: the store has another run of this id, in another folder")

    def add_properties(self, properties: nodes.Properties) -> None:
        """Add properties to the executions that are RUNNING, and change nothing else of them, in one transaction."""
        running = [one for one in self._executions().values() if one.last_known_state == self._pb.Execution.RUNNING]
        changes = [self._pb.Execution(id=one.id, type_id=one.type_id) for one in running]
        for one in changes:
            nodes.set_properties(one.custom_properties, properties)
        if changes:
            # With a mask, a process that ends the run meanwhile does not lose its end.
            self._store.put_executions(changes, field_mask_paths=[f"custom_properties.{name}" for name in properties])

    def _input_edges(self, new_steps: list[nodes.Step], new_nodes: list[nodes.Node]) -> list[Edge]:
        """Return the events of the inputs, if the step that reads them is new."""
        if not new_steps or nodes.INPUT not in new_steps[0].inputs:
            return []
        read = [number for number, node in enumerate(new_nodes) if node.event_key == nodes.INPUT]
        return [(0, number, self._event(self._pb.Event.INPUT, nodes.INPUT, i)) for i, number in enumerate(read)]

    def complete(self, manifest: RunManifest, state: str = "COMPLETE", reused: Run | None = None) -> None:
        """End the staged attempt, in one transaction: states, artifacts, events and the mark of the end."""
        pb, steps, pipeline = self._pb, nodes.steps(manifest), manifest.pipeline_name
        stored = self._executions()
        end: nodes.Properties = {"digest": manifest.digest()}
        if reused is not None:
            end = {**end, "cached_from": reused.run_id}
        state_value = pb.Execution.State.Value(state)
        executions = [
            self._execution(manifest, step, state_value, stored[self._name(pipeline, step.node)], end) for step in steps
        ]
        artifacts = self._final_artifacts(manifest, reused)
        events = self._store.get_events_by_execution_ids([one.id for one in executions])
        known_events = {(event.execution_id, event.artifact_id) for event in events}
        positions, edges = {key: position for position, key in enumerate(artifacts)}, []
        for number, step in enumerate(steps):
            for name, index, key, event_type in self._paths(step, list(positions)):
                if (executions[number].id, artifacts[key].id) not in known_events:
                    edges.append((number, positions[key], self._event(event_type, name, index)))
        self._put(pipeline, executions, [*artifacts.values(), self._end(state)], edges)

    def _final_artifacts(self, manifest: RunManifest, reused: Run | None) -> dict[str, Artifact]:
        """Return the LIVE artifacts of the run by key; the outputs are those of an earlier run if it is cached."""
        stored, found, pipeline = self._artifacts(), {}, manifest.pipeline_name
        for node in [*nodes.inputs(manifest), *([] if reused else nodes.outputs(manifest))]:
            known = stored[self._name(pipeline, node.key)]
            found[node.key] = self._artifact(pipeline, node, self._pb.Artifact.LIVE, known)
        if reused is not None:
            for key, artifact in manifest.artifacts.items():
                name = nodes.artifact_name(pipeline, reused.run_id, reused.attempt, key)
                found[key] = artifact_named(self._store, artifact.type, name)
                if found[key] is None:
                    raise BeamTaxiError(f"run {reused.run_id}: the store has no {key} to reuse")
        return found | self._of_other_runs(manifest)

    def _of_other_runs(self, manifest: RunManifest) -> dict[str, Artifact]:
        """Return the artifacts of other runs that this one used, if the store has them, by the keys of their events."""
        found = {}
        for key, type_name, uri in nodes.used_of_other_runs(manifest):
            type_id, recorded = self._types.artifacts[type_name], self._store.get_artifacts_by_uri(storable(uri))
            live = [one for one in recorded if one.type_id == type_id and one.state == self._pb.Artifact.LIVE]
            if live:
                found[key] = max(live, key=lambda one: one.id)
        return found

    def _paths(self, step: nodes.Step, keys: list[str]) -> Iterator[tuple[str, int, str, EventType]]:
        """Yield key and index of an event's path, the key of its artifact, and its type."""
        for name in step.inputs:
            for index, key in enumerate(key for key in keys if nodes.event_key(key) == name):
                yield name, index, key, self._pb.Event.INPUT
        for name in step.outputs:
            yield name, 0, name, self._pb.Event.OUTPUT

    def abandon(self, state: str, error: str, step: str = "") -> None:
        """End the attempt without outputs, in one transaction. Raises BeamTaxiError if it was not started.

        If it FAILED, so did the execution of a step of the graph, and the others are CANCELED; see `run_state`.
        """
        executions = sorted(self._executions().values(), key=lambda one: one.id)
        if not executions:
            raise BeamTaxiError(f"run {self._run_id} was not started in this store")
        failed = node_that_failed(step, [nodes.key_of(one.name) for one in executions])
        for one in executions:
            own, properties = end_without_result(nodes.key_of(one.name), state, error, failed)
            one.last_known_state = self._pb.Execution.State.Value(own)
            nodes.set_properties(one.custom_properties, properties)
        pending = [one for one in self._artifacts().values() if one.state == self._pb.Artifact.PENDING]
        for one in pending:
            # Older versions of this package started runs with PENDING inputs.
            is_input = nodes.event_key(nodes.key_of(one.name)) == nodes.INPUT
            one.state = self._pb.Artifact.LIVE if is_input else self._pb.Artifact.ABANDONED
        pipeline = executions[0].custom_properties["pipeline_name"].string_value
        self._put(pipeline, executions, [*pending, self._end(state)], [])

    def delete_outputs(self, properties: nodes.Properties) -> None:
        """Mark the outputs of the attempt as DELETED, and add properties to its executions, in one transaction."""
        executions, outputs = list(self._executions().values()), list(self._artifacts().values())
        outputs = [one for one in outputs if nodes.event_key(nodes.key_of(one.name)) != nodes.INPUT]
        for execution in executions:
            nodes.set_properties(execution.custom_properties, properties)
        for artifact in outputs:
            artifact.state = self._pb.Artifact.DELETED
        self._store.put_lineage_subgraph(executions, outputs, [], [])

    def ids(self) -> dict[str, int]:
        """Return the ids of the executions by node, of their outputs by key, and of the run's context."""
        executions = {nodes.key_of(one.name): one.id for one in self._executions().values()}
        ids = {node: executions[node] for node in NODES if node in executions}
        for event in self._store.get_events_by_execution_ids(list(ids.values())):
            if event.type == self._pb.Event.OUTPUT:
                ids[event.path.steps[0].key] = event.artifact_id
        ids["pipeline_run"] = self._store.get_context_by_type_and_name("pipeline_run", self._run_id).id
        return ids

    def _name(self, pipeline: str, key: str) -> str:
        return nodes.artifact_name(pipeline, self._run_id, self.attempt, key)

    def _put(self, pipeline: str, executions: list[Execution], artifacts: list[Artifact], edges: list[Edge]) -> None:
        """Write everything in one call, which is one transaction, and attach it to the contexts of pipeline and run."""
        contexts = self._contexts(pipeline).messages()
        self._store.put_lineage_subgraph(executions, artifacts, contexts, edges, reuse_context_if_already_exist=True)

    def _contexts(self, pipeline: str) -> RunContexts:
        return RunContexts(self._store, self._types, pipeline, self._run_id)

    def _join_nodes(self, pipeline: str, steps: Iterable[nodes.Step], node_ids: Mapping[str, int]) -> None:
        """Attach executions and artifacts to the contexts of their nodes, and the run to the pipeline. Idempotent.

        A separate step before the end, since a lineage subgraph attaches everything in it to all of its contexts.
        """
        pb = self._pb
        self._contexts(pipeline).join()
        executions, artifacts = self._executions(), self._artifacts()
        keys = {nodes.key_of(name): one.id for name, one in artifacts.items()}
        attributions, associations = [], []
        for step in steps:
            node_id, execution_id = node_ids[step.node], executions[self._name(pipeline, step.node)].id
            associations.append(pb.Association(execution_id=execution_id, context_id=node_id))
            mine = [id_ for key, id_ in keys.items() if nodes.event_key(key) in (*step.inputs, *step.outputs)]
            attributions += [pb.Attribution(artifact_id=id_, context_id=node_id) for id_ in mine]
        self._store.put_attributions_and_associations(attributions, associations)

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
            type_id=self._types.executions[NODES[step.node]], name=self._name(manifest.pipeline_name, step.node)
        )
        if known is not None:
            execution.CopyFrom(known)
        execution.last_known_state = state
        values = {**step.parameters, **nodes.run_properties(manifest), "attempt": self.attempt, **more}
        nodes.set_properties(execution.custom_properties, values)
        return execution

    def _artifact(self, pipeline: str, node: nodes.Node, state: State, known: Artifact) -> Artifact:
        artifact = self._pb.Artifact(
            type_id=self._types.artifacts[node.type_name],
            name=self._name(pipeline, node.key),
            uri=storable(node.uri),
            state=state,
        )
        if known is not None:
            artifact.id = known.id
        nodes.set_properties(artifact.properties, node.properties)
        nodes.set_properties(artifact.custom_properties, node.custom)
        return artifact

    def _end(self, state: str) -> Artifact:
        end = self._pb.Artifact(type_id=self._types.artifacts[RUN_END], name=self._label, state=self._pb.Artifact.LIVE)
        nodes.set_properties(end.custom_properties, {"state": state})
        return end

    def _event(self, event_type: EventType, key: str, index: int) -> Event:
        event = self._pb.Event(type=event_type)
        event.path.steps.add().key = key
        event.path.steps.add().index = index
        return event
