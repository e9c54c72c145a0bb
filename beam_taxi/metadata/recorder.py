"""The life of a run in ML Metadata: start, then one of complete, fail, cancel and cached.

The types, properties, contexts and event paths are those of TFX 1.16, whose readers go by them; beyond TFX's
record what was read is an artifact too, and everything has a content hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata import nodes
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.metadata.process import this_process
from beam_taxi.metadata.store import open_store
from beam_taxi.metadata.types import NODES, RUN_END, Types, put_types

Store = StoreAddress | str


def init(store: Store) -> None:
    """Make the schema and the types, where they are not there yet. Raises StoreError."""
    with open_store(store, write=True) as connection:
        put_types(connection)


def start(planned: Mapping[str, Any], store: Store, runner: str, in_process: bool = True) -> None:
    """Record that a run begins: RUNNING executions, which have the input files as inputs; a transaction.

    `planned` is a manifest without artifacts; its inputs have uri and size. `in_process` tells that the run ends with
    this process. Raises StoreError, and UsageError where the store has a run of this id.
    """
    with open_store(store, write=True) as connection:
        run = _Run(connection, planned["run_id"])
        if run.executions():
            raise UsageError(f"--run_id {planned['run_id']}: the store has a run of this id; give another one")
        run.stage(planned, {"runner": runner, **(this_process() if in_process else {})})


def record(manifest: Mapping[str, Any], store: Store) -> dict[str, int]:
    """Record a run as complete; returns the ids of its executions, artifacts and pipeline_run context.

    Works whether the run was started in this store or not. A kill leaves it whole or not complete; recorded again,
    the ids are those of before. Raises StoreError, and BeamTaxiError where the run has another end already.
    """
    with open_store(store, write=True) as connection:
        run = _Run(connection, manifest["run_id"])
        with run.ending("COMPLETE") as first:
            if first:
                run.stage(manifest, {})
                run.complete(manifest)
        return run.ids()


def fail(run_id: str, store: Store, error: str, state: str = "FAILED") -> None:
    """Record that a started run FAILED, or was CANCELED, and why.

    Raises StoreError, and BeamTaxiError where the run was not started or has another end.
    """
    with open_store(store, write=True) as connection:
        run = _Run(connection, run_id)
        with run.ending(state) as first:
            if first:
                run.abandon(state, error)


def record_cached(manifest: Mapping[str, Any], earlier: Mapping[str, Any], store: Store) -> dict[str, int]:
    """Record a run as CACHED: its outputs are the artifacts of an earlier run, whose manifest is given.

    `manifest` has the new run's id and inputs with content hashes. Raises StoreError and BeamTaxiError.
    """
    with open_store(store, write=True) as connection:
        run = _Run(connection, manifest["run_id"])
        with run.ending("CACHED") as first:
            if first:
                run.stage(manifest, {}, with_outputs=False)
                run.complete(manifest, "CACHED", earlier["run_id"])
        return run.ids()


def artifact_name(pipeline: str, run_id: str, key: str) -> str:
    """Return the name of an artifact or execution of a run."""
    return f"{pipeline}:{run_id}:{key}"


class _Run:
    """A run in an open store."""

    def __init__(self, store: Any, run_id: str) -> None:
        from ml_metadata import errors
        from ml_metadata.proto import metadata_store_pb2

        self._pb: Any = metadata_store_pb2
        self._exists: Any = errors.AlreadyExistsError
        self._store = store
        self._run_id = run_id
        self._types: Types = put_types(store)

    def executions(self) -> dict[str, Any]:
        """Return the executions by name, read in one call; empty where the store has no such run."""
        context = self._store.get_context_by_type_and_name("pipeline_run", self._run_id)
        return {one.name: one for one in self._store.get_executions_by_context(context.id)} if context else {}

    def _artifacts(self) -> dict[str, Any]:
        context = self._store.get_context_by_type_and_name("pipeline_run", self._run_id)
        return {one.name: one for one in self._store.get_artifacts_by_context(context.id)} if context else {}

    @contextmanager
    def ending(self, state: str) -> Iterator[bool]:
        """Yield whether the run has no end yet. Raises BeamTaxiError where its end is not `state`."""
        first = self._store.get_artifact_by_type_and_name(RUN_END, self._run_id) is None
        # Where another process was first, the database has refused this whole transaction.
        with suppress(self._exists):
            yield first
        end = self._store.get_artifact_by_type_and_name(RUN_END, self._run_id)
        found = end.custom_properties["state"].string_value if end else "no end"
        if found != state:
            raise BeamTaxiError(f"run {self._run_id} is {found} in the store already, and cannot become {state}")

    def stage(self, manifest: Mapping[str, Any], told: Mapping[str, Any], with_outputs: bool = True) -> None:
        """Put what is not there yet: RUNNING executions, PENDING artifacts, and both in the contexts of their nodes."""
        steps, pb = nodes.steps(manifest), self._pb
        found = [*nodes.inputs(manifest), *(nodes.outputs(manifest) if with_outputs else [])]
        # A process that was faster has written the same.
        for _ in range(2):
            executions, artifacts = self.executions(), self._artifacts()
            new_steps = [step for step in steps if self._name(manifest, step.node) not in executions]
            new_nodes = [node for node in found if self._name(manifest, node.key) not in artifacts]
            edges = []
            if new_steps and new_steps[0].inputs == (nodes.INPUT,):
                read = [number for number, node in enumerate(new_nodes) if node.key.startswith(f"{nodes.INPUT}/")]
                edges = [(0, number, self._event(pb.Event.INPUT, nodes.INPUT, i)) for i, number in enumerate(read)]
            if not new_steps and not new_nodes:
                break
            try:
                self._put(
                    manifest,
                    [self._execution(manifest, step, pb.Execution.RUNNING, None, told) for step in new_steps],
                    [self._artifact(manifest, node, pb.Artifact.PENDING, None) for node in new_nodes],
                    edges,
                )
            except self._exists:
                continue
        self._join_nodes(manifest, steps)

    def complete(self, manifest: Mapping[str, Any], state: str = "COMPLETE", cached_from: str | None = None) -> None:
        """Give the staged run its end, in one transaction: states, artifacts, events and the mark that it has ended."""
        pb, steps = self._pb, nodes.steps(manifest)
        stored, artifacts = self.executions(), self._artifacts()
        told = {} if cached_from is None else {"cached_from": cached_from}
        executions = [
            self._execution(
                manifest, step, pb.Execution.State.Value(state), stored[self._name(manifest, step.node)], told
            )
            for step in steps
        ]
        found = {}
        for node in [*nodes.inputs(manifest), *([] if cached_from else nodes.outputs(manifest))]:
            known = artifacts[self._name(manifest, node.key)]
            found[node.key] = self._artifact(manifest, node, pb.Artifact.LIVE, known)
        if cached_from is not None:
            for key, entry in manifest["artifacts"].items():
                name = artifact_name(manifest["pipeline_name"], cached_from, key)
                found[key] = self._store.get_artifact_by_type_and_name(entry["type"], name)
        events = self._store.get_events_by_execution_ids([one.id for one in executions])
        known_events = {(event.execution_id, event.artifact_id) for event in events}
        keys, edges = list(found), []
        for number, step in enumerate(steps):
            for name, index, key, kind in self._paths(step, keys):
                if (executions[number].id, found[key].id) not in known_events:
                    edges.append((number, keys.index(key), self._event(kind, name, index)))
        self._put(manifest, executions, [*found.values(), self._end(state)], edges)

    def _paths(self, step: nodes.Step, keys: list[str]) -> Iterator[tuple[str, int, str, Any]]:
        """Yield name and index of an event's path, the key of its artifact, and its kind."""
        for name in step.inputs:
            for index, key in enumerate(key for key in keys if key.split("/")[0] == name):
                yield name, index, key, self._pb.Event.INPUT
        for name in step.outputs:
            yield name, 0, name, self._pb.Event.OUTPUT

    def abandon(self, state: str, error: str) -> None:
        """End a started run without its outputs, in one transaction. Raises BeamTaxiError where it was not started."""
        executions = list(self.executions().values())
        if not executions:
            raise BeamTaxiError(f"run {self._run_id} was not started in this store")
        for one in executions:
            one.last_known_state = self._pb.Execution.State.Value(state)
            nodes.set_properties(one.custom_properties, {"error": error})
        pending = [one for one in self._artifacts().values() if one.state == self._pb.Artifact.PENDING]
        for one in pending:
            one.state = self._pb.Artifact.ABANDONED
        told = executions[0].custom_properties["pipeline_name"].string_value
        self._put({"pipeline_name": told}, executions, [*pending, self._end(state)], [])

    def ids(self) -> dict[str, int]:
        """Return the ids of the executions by node, of their outputs by key, and of the run's context."""
        executions = {one.name.rsplit(":", 1)[1]: one.id for one in self.executions().values()}
        ids = {node: executions[node] for node in NODES if node in executions}
        for event in self._store.get_events_by_execution_ids(list(ids.values())):
            if event.type == self._pb.Event.OUTPUT:
                ids[event.path.steps[0].key] = event.artifact_id
        ids["pipeline_run"] = self._store.get_context_by_type_and_name("pipeline_run", self._run_id).id
        return ids

    def _name(self, manifest: Mapping[str, Any], key: str) -> str:
        return artifact_name(manifest["pipeline_name"], self._run_id, key)

    def _put(self, manifest: Mapping[str, Any], executions: list[Any], artifacts: list[Any], edges: list[Any]) -> None:
        """Write in one call, which ML Metadata makes one transaction, and join all of it to pipeline and run."""
        contexts = [self._context("pipeline", manifest["pipeline_name"]), self._context("pipeline_run", self._run_id)]
        self._store.put_lineage_subgraph(executions, artifacts, contexts, edges, reuse_context_if_already_exist=True)

    def _join_nodes(self, manifest: Mapping[str, Any], steps: Iterable[nodes.Step]) -> None:
        """Join executions and artifacts to their nodes, and the run to the pipeline; does no harm when repeated.

        Before the end, since a lineage subgraph joins all that it has to all of its contexts.
        """
        pb, pipeline = self._pb, manifest["pipeline_name"]
        run_id, pipeline_id = (
            self._store.get_context_by_type_and_name(*one).id
            for one in (("pipeline_run", self._run_id), ("pipeline", pipeline))
        )
        if not self._store.get_parent_contexts_by_context(run_id):
            with suppress(self._exists):
                self._store.put_parent_contexts([pb.ParentContext(child_id=run_id, parent_id=pipeline_id)])
        executions, artifacts = self.executions(), self._artifacts()
        keys = {name.rsplit(":", 1)[1]: one.id for name, one in artifacts.items() if name != self._run_id}
        attributions, associations = [], []
        for step in steps:
            node_id = self._node_id(f"{pipeline}.{step.node}")
            execution_id = executions[self._name(manifest, step.node)].id
            associations.append(pb.Association(execution_id=execution_id, context_id=node_id))
            mine = [id_ for key, id_ in keys.items() if key.split("/")[0] in (*step.inputs, *step.outputs)]
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

    def _context(self, type_name: str, name: str) -> Any:
        return self._pb.Context(type_id=self._types.contexts[type_name], name=name)

    def _execution(
        self, manifest: Mapping[str, Any], step: nodes.Step, state: Any, known: Any, told: Mapping[str, Any]
    ) -> Any:
        """Return an execution; of one that is known the id, and what it was told at its start."""
        execution = self._pb.Execution(
            type_id=self._types.executions[NODES[step.node]], name=self._name(manifest, step.node)
        )
        if known is not None:
            execution.CopyFrom(known)
        execution.last_known_state = state
        values = {**step.parameters, **nodes.run_properties(manifest), **told}
        nodes.set_properties(execution.custom_properties, values)
        return execution

    def _artifact(self, manifest: Mapping[str, Any], node: nodes.Node, state: Any, known: Any) -> Any:
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

    def _end(self, state: str) -> Any:
        end = self._pb.Artifact(type_id=self._types.artifacts[RUN_END], name=self._run_id, state=self._pb.Artifact.LIVE)
        nodes.set_properties(end.custom_properties, {"state": state})
        return end

    def _event(self, kind: Any, key: str, index: int) -> Any:
        event = self._pb.Event(type=kind)
        event.path.steps.add().key = key
        event.path.steps.add().index = index
        return event
