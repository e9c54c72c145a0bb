"""The facets of OpenLineage that events of this package have.

Each class is one schema of https://github.com/OpenLineage/OpenLineage/tree/main/spec/facets, as far as it is used; the
attributes have the names of the schema in snake case. What is None or empty is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Facet:
    """What an event says of a run, a job or a dataset."""

    SCHEMA: ClassVar[str] = ""
    """The version and the name of the schema."""


@dataclass(frozen=True)
class ProcessingEngine(Facet):
    """What runs the job."""

    SCHEMA: ClassVar[str] = "1-1-1/ProcessingEngineRunFacet"
    name: str
    version: str
    openlineage_adapter_version: str


@dataclass(frozen=True)
class NominalTime(Facet):
    """The time that the data of a run are about, in ISO 8601; the end is not part of it."""

    SCHEMA: ClassVar[str] = "1-0-1/NominalTimeRunFacet"
    nominal_start_time: str
    nominal_end_time: str


@dataclass(frozen=True)
class ErrorMessage(Facet):
    """Why a run failed."""

    SCHEMA: ClassVar[str] = "1-0-1/ErrorMessageRunFacet"
    message: str
    programming_language: str = "Python"


@dataclass(frozen=True)
class TestExecution:
    """A test: its status is `pass`, `fail` or `skip`, and its severity `error` or `warn`."""

    name: str
    status: str
    severity: str
    type: str
    description: str | None = None
    params: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Tests(Facet):
    """The tests of a run, whatever dataset they are about."""

    SCHEMA: ClassVar[str] = "1-0-1/TestRunFacet"
    tests: tuple[TestExecution, ...]


@dataclass(frozen=True)
class JobType(Facet):
    """What kind of a job it is."""

    SCHEMA: ClassVar[str] = "2-0-4/JobTypeJobFacet"
    processing_type: str = "BATCH"
    integration: str = "BEAM"
    job_type: str = "JOB"


@dataclass(frozen=True)
class Sql(Facet):
    """The query of a job."""

    SCHEMA: ClassVar[str] = "1-1-0/SQLJobFacet"
    query: str
    dialect: str = "bigquery"


@dataclass(frozen=True)
class DataSource(Facet):
    """Where a dataset is."""

    SCHEMA: ClassVar[str] = "1-0-1/DatasourceDatasetFacet"
    name: str
    uri: str


@dataclass(frozen=True)
class DatasetType(Facet):
    """`FILE`, `TABLE` or the like, and the format."""

    SCHEMA: ClassVar[str] = "1-0-1/DatasetTypeDatasetFacet"
    dataset_type: str
    sub_type: str


@dataclass(frozen=True)
class Version(Facet):
    """What changes with the content of a dataset."""

    SCHEMA: ClassVar[str] = "1-0-1/DatasetVersionDatasetFacet"
    dataset_version: str


@dataclass(frozen=True)
class Field:
    """A column; its type is None if it is not known."""

    name: str
    type: str | None


@dataclass(frozen=True)
class Schema(Facet):
    """The columns of a dataset."""

    SCHEMA: ClassVar[str] = "1-2-0/SchemaDatasetFacet"
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Transformation:
    """How a column is made from another."""

    type: str = "DIRECT"
    subtype: str = "IDENTITY"


@dataclass(frozen=True)
class InputField:
    """A column of an input that a column of an output is made from."""

    namespace: str
    name: str
    field: str
    transformations: tuple[Transformation, ...] = (Transformation(),)


@dataclass(frozen=True)
class InputFields:
    """The columns of the inputs that a column of an output is made from."""

    input_fields: tuple[InputField, ...]


@dataclass(frozen=True)
class ColumnLineage(Facet):
    """What the columns of an output are made from."""

    SCHEMA: ClassVar[str] = "1-2-0/ColumnLineageDatasetFacet"
    fields: Mapping[str, InputFields]


@dataclass(frozen=True)
class ColumnMetrics:
    """What is known exactly of a column. Quantiles have keys from `0.01` to `0.99`."""

    null_count: int
    count: int
    distinct_count: int | None = None
    min: int | float | None = None
    max: int | float | None = None
    quantiles: Mapping[str, int | float] | None = None


@dataclass(frozen=True)
class DataQualityMetrics(Facet):
    """The columns of a dataset in numbers; `row_count` are the rows that they were computed from."""

    SCHEMA: ClassVar[str] = "1-0-0/DataQualityMetricsDatasetFacet"
    row_count: int
    column_metrics: Mapping[str, ColumnMetrics]
    bytes: int | None = None
    file_count: int | None = None


@dataclass(frozen=True)
class InputDataQualityMetrics(DataQualityMetrics):
    """The same of an input."""

    SCHEMA: ClassVar[str] = "1-0-3/DataQualityMetricsInputDatasetFacet"


@dataclass(frozen=True)
class Assertion:
    """A test of an input, and whether it succeeded; its severity is `error` or `warn`."""

    assertion: str
    success: bool
    severity: str
    name: str
    column: str | None = None
    description: str | None = None
    params: Mapping[str, str] | None = None


@dataclass(frozen=True)
class DataQualityAssertions(Facet):
    """The tests of an input."""

    SCHEMA: ClassVar[str] = "1-1-0/DataQualityAssertionsDatasetFacet"
    assertions: tuple[Assertion, ...]


@dataclass(frozen=True)
class InputStatistics(Facet):
    """What was read of an input: rows, bytes, files."""

    SCHEMA: ClassVar[str] = "1-0-0/InputStatisticsInputDatasetFacet"
    row_count: int | None
    size: int
    file_count: int


@dataclass(frozen=True)
class OutputStatistics(Facet):
    """What was written: rows, bytes, files."""

    SCHEMA: ClassVar[str] = "1-0-2/OutputStatisticsOutputDatasetFacet"
    row_count: int | None
    size: int
    file_count: int
