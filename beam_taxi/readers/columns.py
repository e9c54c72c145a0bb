"""The columns of the features: the same types, whatever the format of the Examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.errors import DataError, one_line
from beam_taxi.schemas.features import Feature, Type
from beam_taxi.tfexample.batches import to_list_columns

_NUMBERS = {Type.INT: pa.int64(), Type.FLOAT: pa.float32()}


@dataclass(frozen=True)
class Columns:
    """Turns stored rows into columns of the features.

    A feature that has one value in each row that has it is a column of values, others are columns of lists; null is a
    missing feature. BYTES are text in UTF-8, but for those of the names in `binary`.
    """

    features: Sequence[Feature]
    binary: frozenset[str] = frozenset()

    @cached_property
    def schema(self) -> pa.Schema:
        """The schema of the columns."""
        return pa.schema([(one.name, _type_of(one, one.name in self.binary)) for one in self.features])

    @cached_property
    def _decoder(self) -> Any:
        # The library takes a moment to load, and only files of Examples need it.
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        types = [schema_pb2.Feature(name=one.name, type=one.type.value) for one in self.features]
        return ExamplesToRecordBatchDecoder(schema_pb2.Schema(feature=types).SerializeToString())

    def decode(self, records: Sequence[bytes]) -> pa.RecordBatch:
        """Return serialized Examples as columns of lists."""
        return self._decoder.DecodeBatch(records)

    def of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the features as columns of `schema`, from columns of values or of lists. Raises DataError."""
        columns = []
        for feature, field in zip(self.features, self.schema, strict=True):
            column = batch.column(batch.schema.get_field_index(feature.name))
            if feature.shape == ():
                column = _values(column, feature.name)
            elif not _is_list(column):
                column = to_list_columns(pa.RecordBatch.from_arrays([column], names=[""])).column(0)
            columns.append(_cast(column, field))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _type_of(feature: Feature, is_binary: bool) -> pa.DataType:
    value = _NUMBERS.get(feature.type, pa.binary() if is_binary else pa.string())
    return value if feature.shape == () else pa.list_(value)


def _is_list(column: pa.Array) -> bool:
    return bool(pa.types.is_list(column.type) or pa.types.is_large_list(column.type))


def _values(column: pa.Array, name: str) -> pa.Array:
    """Return lists of up to one value as these values."""
    if not _is_list(column):
        return column
    lengths = column.value_lengths().fill_null(0).to_numpy()
    if (lengths > 1).any():
        raise DataError(f"feature {name!r} has {lengths.max()} values in a row, but one in the schema")
    values = column.flatten()
    if len(values) == len(column):
        return values
    ends = np.cumsum(lengths)
    return values.take(pa.array(np.maximum(ends - 1, 0), mask=lengths == 0))


def _cast(column: pa.Array, field: pa.Field) -> pa.Array:
    try:
        return column if column.type == field.type else column.cast(field.type)
    except pa.ArrowInvalid as error:
        reason = one_line(error)
        hint = f"; pass binary=[{field.name!r}] to read it as bytes" if "UTF8" in reason else ""
        raise DataError(f"feature {field.name!r} cannot be read as {field.type}: {reason}{hint}") from error
