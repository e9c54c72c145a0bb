"""Parquet files with a column for each feature: what pandas, DuckDB and Arrow read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from beam_taxi.tfexample.encode import encode_examples
from beam_taxi.tfexample.formats.base import Decode, ShardFormat, ShardWriter
from beam_taxi.tfexample.formats.file_hash import HashedFileWriter

GROUP_ROWS, GROUP_BYTES = 1 << 16, 64 << 20
"""Rows of a row group, and bytes of their values: one that has as many ends. Nothing but the rows decides where."""

_BATCH_ROWS = 4096


class _Writer(HashedFileWriter):
    """Writes row groups of about the same size. The hash of the file is that of the content: zstd is the same on
    every processor."""

    content_sha256 = None

    def __init__(self, file: BinaryIO, columns: pa.Schema) -> None:
        super().__init__(file)
        self._columns = columns
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.RecordBatch] = []
        self._waiting = self._waiting_bytes = 0

    def write(self, rows: pa.RecordBatch) -> None:
        self._columns = rows.schema
        self.records += len(rows)
        sizes = _sizes(rows)
        while len(rows):
            ends = self._waiting_bytes + np.cumsum(sizes[: GROUP_ROWS - self._waiting])
            taken = rows.slice(0, min(len(ends), int(np.searchsorted(ends, GROUP_BYTES)) + 1))
            rows, sizes = rows.slice(len(taken)), sizes[len(taken) :]
            self._pending.append(taken)
            self._waiting += len(taken)
            self._waiting_bytes = int(ends[len(taken) - 1])
            if self._waiting == GROUP_ROWS or self._waiting_bytes >= GROUP_BYTES:
                self._end_group()

    def close(self) -> None:
        if self._waiting or self._writer is None:
            self._end_group()
        assert self._writer is not None
        self._writer.close()

    def _end_group(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, self._columns, compression="zstd", version="2.6")
        # Pages end with a chunk, too.
        table = pa.Table.from_batches(self._pending, self._columns).combine_chunks()
        if self._waiting:
            self._writer.write_table(table, row_group_size=GROUP_ROWS)
        self._pending, self._waiting, self._waiting_bytes = [], 0, 0

    def adopt(self, file: BinaryIO) -> bool:
        """Return False: the same rows are the same bytes."""
        return False


def _sizes(rows: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Return the bytes of the values of each row."""
    sizes = np.zeros(len(rows), np.int64)
    for column in rows.columns:
        if pa.types.is_list(column.type):
            lengths = pc.list_value_length(column).fill_null(0).to_numpy()
            # The bytes of all values before each, and at the end.
            before = np.concatenate([[0], np.cumsum(_bytes_of(column.flatten()))])
            ends = np.cumsum(lengths)
            sizes += before[ends] - before[ends - lengths]
        else:
            sizes += _bytes_of(column)
    return sizes


def _bytes_of(values: pa.Array) -> npt.NDArray[np.int64]:
    if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
        found: npt.NDArray[np.int64] = pc.binary_length(values).fill_null(0).to_numpy().astype(np.int64)
        return found
    return np.full(len(values), 0 if pa.types.is_null(values.type) else values.type.bit_width // 8, np.int64)


class _Parquet(ShardFormat):
    takes_frames = False

    def open(self, file: BinaryIO, columns: pa.Schema, level: int) -> ShardWriter:
        return _Writer(file, columns)

    def records(self, file: BinaryIO, start: int, stop: int) -> Iterator[Sequence[bytes]]:
        for batch in _batches(file, start, stop):
            yield encode_examples(batch).to_pylist()

    def batches(self, file: BinaryIO, start: int, stop: int, decode: Decode) -> Iterator[pa.RecordBatch]:
        return _batches(file, start, stop)


def _batches(file: BinaryIO, start: int, stop: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows between two numbers; row groups without any are not read. Raises EOFError if there are fewer."""
    parquet = pq.ParquetFile(file)
    number = 0
    for group in range(parquet.num_row_groups):
        end = number + parquet.metadata.row_group(group).num_rows
        if end <= start or number >= stop:
            number = end
            continue
        for batch in parquet.iter_batches(_BATCH_ROWS, row_groups=[group], use_threads=False):
            chosen = batch[max(0, start - number) : max(0, stop - number)]
            number += len(batch)
            if len(chosen):
                yield chosen
    if number < stop:
        raise EOFError(f"has {number:,} rows, not {stop:,}")


FORMAT = _Parquet()
