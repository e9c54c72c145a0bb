"""The types of TFX 1.16, on which its readers rely, and types of this package for what TFX does not record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from beam_taxi.metadata.mlmd import MetadataStore, TypeMessage

_INPUT_TYPES = {"bigquery": "BigQueryTable", "jsonlines": "JsonLinesFile", "tfrecord": "TFRecordFile"}
_FORMATS = ("csv", "parquet", "bigquery")
"""Formats whose types are in every store; types of others are added when a run with such an input is recorded."""

_EXAMPLE_GENS = {"csv": "CsvExampleGen", "bigquery": "BigQueryExampleGen"}

RUN_END = "RunEnd"
"""The type of an artifact named after its run. Names are unique, so the database lets a run end only once."""

NODES = {
    "CsvExampleGen": "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen",
    "FileBasedExampleGen": "tfx.components.example_gen.component.FileBasedExampleGen",
    "BigQueryExampleGen": "tfx.extensions.google_cloud_big_query.example_gen.component.BigQueryExampleGen",
    "StatisticsGen": "tfx.components.statistics_gen.component.StatisticsGen",
    "ImportSchemaGen": "tfx.components.schema_gen.import_schema_gen.component.ImportSchemaGen",
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


def input_type(format_: str) -> str:
    """Return the artifact type of an input by its format: CsvFile, ParquetFile, BigQueryTable, …"""
    return _INPUT_TYPES.get(format_, f"{format_.capitalize()}File")


def example_gen(formats: Iterable[str]) -> str:
    """Return the node that reads such inputs in TFX; mixed and other formats use FileBasedExampleGen."""
    names = {_EXAMPLE_GENS.get(format_, "FileBasedExampleGen") for format_ in formats}
    return names.pop() if len(names) == 1 else "FileBasedExampleGen"


def put_types(store: MetadataStore, formats: Iterable[str] = ()) -> Types:
    """Add the types that the store lacks, and return the ids of all types. Idempotent.

    `store` is a MetadataStore; `formats` are those of the inputs to record.
    """
    from ml_metadata.proto import metadata_store_pb2

    pb: Any = metadata_store_pb2
    span, splits = {"span": pb.INT}, {"split_names": pb.STRING}
    input_types = dict.fromkeys(input_type(format_) for format_ in (*_FORMATS, *formats))
    artifacts = [
        pb.ArtifactType(
            name="Examples", base_type=pb.ArtifactType.DATASET, properties={**span, **splits, "version": pb.INT}
        ),
        pb.ArtifactType(name="ExampleStatistics", base_type=pb.ArtifactType.STATISTICS, properties={**span, **splits}),
        pb.ArtifactType(name="Schema"),
        pb.ArtifactType(name="ExampleAnomalies", properties={**span, **splits}),
        *(pb.ArtifactType(name=name) for name in (*input_types, "InferredSchema", "Rejects", RUN_END)),
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


def _put(wanted: list[TypeMessage], known: list[TypeMessage], put: Callable[..., int]) -> dict[str, int]:
    ids = {one.name: one.id for one in known}
    has = {one.name: set(one.properties) for one in known}
    for one in wanted:
        if one.name not in ids or not set(one.properties) <= has[one.name]:
            ids[one.name] = put(one, can_add_fields=True, can_omit_fields=True)
    return {one.name: ids[one.name] for one in wanted}
