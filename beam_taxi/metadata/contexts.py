"""The contexts of runs: their pipeline, the run itself, and the nodes of the pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from beam_taxi.metadata.mlmd import Context, MetadataStore
from beam_taxi.metadata.names import own_context
from beam_taxi.metadata.types import Types


class RunContexts:
    """The contexts of a run of a pipeline, in an open store."""

    def __init__(self, store: MetadataStore, types: Types, pipeline: str, run_id: str) -> None:
        from ml_metadata import errors
        from ml_metadata.proto import metadata_store_pb2

        self._pb: Any = metadata_store_pb2
        self._exists: Any = errors.AlreadyExistsError
        self._store = store
        self._types = types
        self._pipeline = pipeline
        self._run_id = run_id

    def messages(self) -> list[Context]:
        """Return the contexts of pipeline and run, as a lineage subgraph needs them."""
        return [self._message("pipeline", self._pipeline), self._message("pipeline_run", self._run_id)]

    def check_names(self) -> None:
        """Raises UsageError if the store takes the name of the run, or of its pipeline, for another."""
        self._own()

    def make_shared(self, nodes: Iterable[str]) -> dict[str, int]:
        """Create the contexts that runs share, each by itself, and return the ids of those of the nodes by node.

        ML Metadata aborts a lineage subgraph if another process creates one of its contexts at the same time, and then
        waits for seconds; after several times it fails with "Duplicate entry". A context alone is found instead.
        https://github.com/google/ml-metadata/issues/52
        """
        self._id("pipeline", self._pipeline)
        return {node: self._id("node", f"{self._pipeline}.{node}") for node in nodes}

    def join(self) -> None:
        """Make the context of the run a child of that of its pipeline, unless it is one."""
        run, pipeline = self._own()
        assert run is not None
        assert pipeline is not None
        if pipeline.id not in [one.id for one in self._store.get_parent_contexts_by_context(run.id)]:
            with suppress(self._exists):
                self._store.put_parent_contexts([self._pb.ParentContext(child_id=run.id, parent_id=pipeline.id)])

    def _own(self) -> tuple[Context | None, Context | None]:
        """Return the contexts of the run and of its pipeline, if they exist. Raises UsageError."""
        return (
            own_context(self._store, "pipeline_run", self._run_id, "--run_id"),
            own_context(self._store, "pipeline", self._pipeline, "--pipeline_name"),
        )

    def _id(self, type_name: str, name: str) -> int:
        """Return the id of a context, which is created if it does not exist."""
        found = self._store.get_context_by_type_and_name(type_name, name)
        if found is None:
            try:
                return int(self._store.put_contexts([self._message(type_name, name)])[0])
            except self._exists:
                found = self._store.get_context_by_type_and_name(type_name, name)
        return int(found.id)

    def _message(self, type_name: str, name: str) -> Context:
        return self._pb.Context(type_id=self._types.contexts[type_name], name=name)
