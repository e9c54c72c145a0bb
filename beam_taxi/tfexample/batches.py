"""Batches of rows as tf.Example frames with their splits, and as the list columns that TFDV expects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.tfexample.encode import encode_examples
from beam_taxi.tfexample.split import assign_splits, hash_column
from beam_taxi.tfexample.tfrecord import frame_records, record_checksums

_Rows = TypeVar("_Rows", pa.Array, pa.RecordBatch)


def frame_and_split(
    batch: pa.RecordBatch, weights: Sequence[int], split_key: str | None, with_frames: bool
) -> tuple[pa.BinaryArray | None, npt.NDArray[np.uint8]]:
    """Return the TFRecord frame of each row, if wanted, and the index of its split.

    A row's split is a fixed hash of its encoded Example, or of the column `split_key`, so equal rows share a split.

    Args:
        batch: Columns, as `encode_examples` takes them.
        weights: Relative size of each split.
        split_key: The column whose value determines the split, or None.
        with_frames: Whether to return frames. If not, rows are encoded only if their bytes determine the split.
    """
    hashes = None if split_key is None else hash_column(batch.column(batch.schema.get_field_index(split_key)))
    frames = None
    if with_frames or (hashes is None and len(weights) > 1):
        records = encode_examples(batch)
        checksums = record_checksums(records)
        frames = frame_records(records, checksums) if with_frames else None
        hashes = checksums if hashes is None else hashes
    splits = np.zeros(len(batch), np.uint8) if hashes is None else assign_splits(hashes, weights)
    return frames, splits


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
