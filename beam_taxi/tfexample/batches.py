"""Batches of rows as tf.Examples with their checksums, and as the list columns that TFDV expects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.tfexample.encode import encode_examples
from beam_taxi.tfexample.tfrecord import record_checksums

_Rows = TypeVar("_Rows", pa.Array, pa.RecordBatch)


class EncodedRows(NamedTuple):
    """The tf.Example of each row, and its crc32c."""

    records: pa.BinaryArray
    checksums: npt.NDArray[np.uint32]


def encode_rows(batch: pa.RecordBatch) -> EncodedRows:
    """Return the rows as `encode_examples` encodes them: equal rows have equal records."""
    records = encode_examples(batch)
    return EncodedRows(records, record_checksums(records))


def filter_rows(rows: _Rows, chosen: npt.NDArray[np.bool_]) -> _Rows:
    """Return the chosen rows of an array or a batch."""
    return rows if chosen.all() else rows.filter(pa.array(chosen))


def select_columns(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """Return a batch of these columns."""
    return pa.RecordBatch.from_arrays([batch.column(batch.schema.get_field_index(n)) for n in names], list(names))


def to_list_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return columns as the list<T> columns that TFDV expects: null stays null, a value becomes a list of one."""
    columns = []
    for column in batch.columns:
        if pa.types.is_list(column.type):
            columns.append(column)
            continue
        present = column.is_valid().to_numpy(zero_copy_only=False)
        offsets = np.concatenate([[0], np.cumsum(present)]).astype(np.int32)
        if column.null_count:
            # A null offset makes a null list.
            masked = pa.array(offsets, mask=np.append(~present, False))
            columns.append(pa.ListArray.from_arrays(masked, column.drop_null()))
        else:
            columns.append(pa.ListArray.from_arrays(pa.array(offsets), column))
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
