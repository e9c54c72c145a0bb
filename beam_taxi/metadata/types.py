"""The types of TFX 1.16, whose readers go by them, and our own for what TFX does not record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

INPUTS = {"csv": "CsvFile", "parquet": "ParquetFile", "bigquery": "BigQueryTable"}
"""The types of what a run reads, by the format in its manifest."""

RUN_END = "RunEnd"
"""An artifact with the name of its run: since a name is there once, the database decides which end a run has."""

NODES = {
    "CsvExampleGen": "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen",
    "FileBasedExampleGen": "tfx.components.example_gen.component.FileBasedExampleGen",
    "BigQueryExampleGen": "tfx.extensions.google_cloud_big_query.example_gen.component.BigQueryExampleGen",
    "StatisticsGen": "tfx.components.statistics_gen.component.StatisticsGen",
    "SchemaGen": "tfx.components.schema_gen.component.SchemaGen",
    "ExampleValidator": "tfx.components.example_validator.component.ExampleValidator",
}
_CONTEXTS = ("pipeline", "pipeline_run", "node")


@dataclass(frozen=True)
class Types:
    """The ids of the types in a store, by name."""

    artifacts: dict[str, int]
    executions: dict[str, int]
    contexts: dict[str, int]


def put_types(store: Any) -> Types:
    """Return the ids of all types, after adding those that the store has not; does no harm when repeated."""
    from ml_metadata.proto import metadata_store_pb2

    pb: Any = metadata_store_pb2
    span, splits = {"span": pb.INT}, {"split_names": pb.STRING}
    artifacts = [
        pb.ArtifactType(
            name="Examples", base_type=pb.ArtifactType.DATASET, properties={**span, **splits, "version": pb.INT}
        ),
        pb.ArtifactType(name="ExampleStatistics", base_type=pb.ArtifactType.STATISTICS, properties={**span, **splits}),
        pb.ArtifactType(name="Schema"),
        pb.ArtifactType(name="ExampleAnomalies", properties={**span, **splits}),
        *(pb.ArtifactType(name=name) for name in (*INPUTS.values(), "Rejects", RUN_END)),
    ]
    process = {"base_type": pb.ExecutionType.PROCESS}
    executions = [
        pb.ExecutionType(name=name, **(process if node in ("StatisticsGen", "SchemaGen") else {}))
        for node, name in NODES.items()
    ]
    contexts = [pb.ContextType(name=name) for name in _CONTEXTS]
    return Types(
        _put(artifacts, store.get_artifact_types(), store.put_artifact_type),
        _put(executions, store.get_execution_types(), store.put_execution_type),
        _put(contexts, store.get_context_types(), store.put_context_type),
    )


def _put(wanted: list[Any], known: list[Any], put: Any) -> dict[str, int]:
    ids = {one.name: one.id for one in known}
    has = {one.name: set(one.properties) for one in known}
    for one in wanted:
        if one.name not in ids or not set(one.properties) <= has[one.name]:
            ids[one.name] = put(one, can_add_fields=True, can_omit_fields=True)
    return {one.name: ids[one.name] for one in wanted}
