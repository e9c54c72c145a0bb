"""What artifacts came from, what was made of them, and which other runs read the same files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from beam_taxi.metadata.mlmd import Event, MetadataStore
from beam_taxi.metadata.nodes import key_of, run_id_of
from beam_taxi.metadata.queries import Artifact, content_of, inputs_of_uri, is_input, to_artifacts
from beam_taxi.metadata.run_state import name_of_state
from beam_taxi.metadata.store import Store, open_store
from beam_taxi.metadata.types import NODES

_MOST_ENTRIES = 10_000
"""If there is a limit, no further inputs are looked up once this many of their entries have been read."""


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
    """What artifacts came from and what was made of them; the edges are in the order of the executions.

    `readers_left_out` is the number of other runs that read the same files and are left out; `is_cut` tells whether
    anything else is left out.
    """

    artifacts: Mapping[int, Artifact]
    edges: tuple[Edge, ...]
    readers_left_out: int = 0
    is_cut: bool = False


def lineage(
    store: Store, artifact_ids: Iterable[int], limit: int | None = None, executions: Collection[int] = ()
) -> Lineage:
    """Return what led to artifacts, back to the inputs, and what was made of them. Raises StoreError.

    Each run has its own artifact of an input. Those with the same uri and content hash count as one, so what other
    runs made of the same files is included.

    `limit` is the maximum number of these other runs, the newest, and the maximum number of executions before the
    artifacts, and of those after them, the nearest; by default, all are included. The `executions` do not count, and
    are never left out.
    """
    start = sorted(set(artifact_ids))
    with open_store(store) as connection:
        walk = _Walk(connection, frozenset(executions))
        found = walk.back(start, limit) | walk.forward(start, limit)
        readers = walk.other_readers(start, limit)
        of_their_runs = None if limit is None else limit * len(NODES)
        found |= walk.forward(set[int]().union(*readers[:limit]), of_their_runs)
        events = connection.get_events_by_execution_ids(sorted(found)) if found else []
        edges = _edges(connection, events)
        ids = {one.artifact_id for one in events}.union(start)
        artifacts = {one.id: one for one in to_artifacts(connection.get_artifacts_by_id(sorted(ids)))}
    return Lineage(artifacts, edges, len(readers) - len(readers[:limit]), walk.is_cut)


class _Walk:
    """Walks from artifacts to executions; `is_cut` is set once a limit leaves something out."""

    def __init__(self, connection: MetadataStore, kept: frozenset[int]) -> None:
        from ml_metadata.proto import metadata_store_pb2

        pb: Any = metadata_store_pb2
        self._event = pb.Event
        self._connection = connection
        self._kept = kept
        self.is_cut = False

    def back(self, artifact_ids: Iterable[int], limit: int | None) -> set[int]:
        """Return the executions that led to artifacts."""
        return self._walk(artifact_ids, limit, is_forward=False)

    def forward(self, artifact_ids: Iterable[int], limit: int | None) -> set[int]:
        """Return the executions that artifacts led to."""
        return self._walk(artifact_ids, limit, is_forward=True)

    def _walk(self, artifact_ids: Iterable[int], limit: int | None, is_forward: bool) -> set[int]:
        """Return at most `limit` executions and those kept, the nearest.

        Of those that read an artifact, the last are the nearest; of those that made it, the first, since others have
        reused it.
        """
        types = (self._event.INPUT, self._event.OUTPUT)
        into, out = types if is_forward else reversed(types)
        found = set[int]()
        seen, frontier = set(artifact_ids), set(artifact_ids)
        while frontier:
            events = self._connection.get_events_by_artifact_ids(sorted(frontier))
            new = {one.execution_id for one in events if one.type == into} - found
            if limit is not None:
                others = sorted(new - self._kept, reverse=is_forward)
                left_out = others[limit - len(found - self._kept) :]
                self.is_cut |= bool(left_out)
                new.difference_update(left_out)
            found |= new
            events = self._connection.get_events_by_execution_ids(sorted(new)) if new else []
            frontier = {one.artifact_id for one in events if one.type == out} - seen
            seen |= frontier
        return found

    def other_readers(self, artifact_ids: Iterable[int], limit: int | None) -> list[set[int]]:
        """Return the artifacts of the same files in other runs: a set for each run, the newest run first."""
        artifacts = self._connection.get_artifacts_by_id(list(artifact_ids))
        inputs = [one for one in artifacts if is_input(one) and content_of(one)]
        own = {run_id_of(one.name) for one in inputs}
        by_run: dict[str, set[int]] = {}
        count = 0
        for artifact in inputs:
            if limit is not None and count >= _MOST_ENTRIES:
                self.is_cut = True
                break
            entries = inputs_of_uri(self._connection, artifact.uri)
            count += len(entries)
            for one in entries:
                run_id = run_id_of(one.name)
                if run_id not in own and content_of(one) == content_of(artifact):
                    by_run.setdefault(run_id, set()).add(one.id)
        return sorted(by_run.values(), key=max, reverse=True)


def _edges(connection: MetadataStore, events: Iterable[Event]) -> tuple[Edge, ...]:
    sources: dict[int, list[int]] = {}
    targets: dict[int, list[int]] = {}
    for one in events:
        found = sources if one.type == type(one).INPUT else targets
        found.setdefault(one.execution_id, []).append(one.artifact_id)
    both = sorted(sources.keys() & targets.keys())
    edges = []
    for execution in sorted(connection.get_executions_by_id(both), key=lambda one: one.id) if both else []:
        run_id = execution.custom_properties["run_id"].string_value
        node, state = key_of(execution.name), name_of_state(execution)
        for source in sources[execution.id]:
            edges += [Edge(source, execution.id, node, run_id, state, target) for target in targets[execution.id]]
    return tuple(edges)
