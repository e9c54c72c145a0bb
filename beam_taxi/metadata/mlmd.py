"""Names for the types of ML Metadata, whose generated module declares none. To mypy, each of them is `Any`.

https://github.com/google/ml-metadata/blob/v1.17.1/ml_metadata/proto/metadata_store.proto
"""

from __future__ import annotations

from typing import Any, TypeAlias

Artifact: TypeAlias = Any
Context: TypeAlias = Any
Event: TypeAlias = Any
EventType: TypeAlias = Any
Execution: TypeAlias = Any
Value: TypeAlias = Any
"""A value of a property: an integer, a text or a struct."""

ConnectionConfig: TypeAlias = Any
"""A ConnectionConfig, or a MetadataStoreClientConfig for a store that is served over gRPC."""
MetadataStore: TypeAlias = Any
State: TypeAlias = Any
"""A state of an artifact or an execution."""
TypeMessage: TypeAlias = Any
"""An ArtifactType, ExecutionType or ContextType."""
Edge = tuple[int, int, Event]
"""The indexes of an execution and of an artifact, and the event that links them."""
