"""Open Parquet files, and read the rows of their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from os import SEEK_END
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from beam_taxi import storage
from beam_taxi.errors import DataError, StorageError
from beam_taxi.sources.arrow.columns import Column, Columns, columns_of
from beam_taxi.sources.arrow.int96 import text_of_int96
from beam_taxi.sources.parquet_footer import FLOAT16, without_newer_types

MAGIC = b"PAR1"
_LENGTH_BYTES = 4
_BATCH_CELLS = 1 << 20
_FEWEST_ROWS = 256


@dataclass
class ParquetRows:
    """An open Parquet file. `newer` has the columns of types that Arrow does not know, with these types.

    with opened(uri) as parquet:
        columns = parquet.columns().wanted(uri)
        for rows, arrays in parquet.batches(columns, 0, len(parquet.group_rows)):
            arrays["fare"]
    """

    uri: str
    stored: BinaryIO
    metadata: pq.FileMetaData | None = None
    newer: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # INT96 is nanoseconds of any year; see `text_of_int96`.
        self._file = pq.ParquetFile(self.stored, metadata=self.metadata, coerce_int96_timestamp_unit="ms")

    @cached_property
    def group_rows(self) -> list[int]:
        """The number of rows of each row group."""
        metadata = self._file.metadata
        return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]

    def columns(self, flatten: bool = False) -> Columns:
        """Return the columns. Raises DataError if names cannot be used."""
        schema = self._file.schema_arrow
        for name, type_ in self.newer.items():
            if type_ == FLOAT16:
                number = schema.get_field_index(name)
                schema = schema.set(number, pa.field(name, _with_halves(schema.field(number).type)))
        unknown = {name: type_ for name, type_ in self.newer.items() if type_ != FLOAT16}
        return columns_of(self.uri, schema, flatten, unknown)

    def batches(
        self, columns: Mapping[str, Column], start: int, end: int
    ) -> Iterator[tuple[int, Mapping[str, pa.Array]]]:
        """Yield the rows of row groups `start` to `end`: their number, and the array of each column."""
        names = list(dict.fromkeys(column.path[0] for column in columns.values()))
        groups, rows = range(start, end), self._batch_rows(columns, start, end)
        wanted = None if len(names) == len(self._file.schema_arrow) else names
        int96 = self._int96_columns(names)
        exact = _Rows(self._exact_batches(int96, groups, rows))
        for batch in self._file.iter_batches(batch_size=rows, row_groups=groups, columns=wanted):
            found = {name: column.of(batch) for name, column in columns.items()}
            if int96:
                nanoseconds = exact.take(len(batch))
                for name, column in columns.items():
                    precise = column.of(nanoseconds) if column.path[0] in int96 else found[name]
                    # Only INT96 has another unit when it is read again.
                    if precise.type != found[name].type:
                        found[name] = self._text_of_int96(name, found[name], precise)
            yield len(batch), found

    def _batch_rows(self, columns: Mapping[str, Column], start: int, end: int) -> int:
        """Return the number of rows of a batch, so that it has about `_BATCH_CELLS` values."""
        width = len(self._file.schema_arrow)
        if not any(column.has_lists for column in columns.values()):
            return max(_FEWEST_ROWS, _BATCH_CELLS // max(1, width))
        metadata = self._file.metadata
        groups = [metadata.row_group(number) for number in range(start, end)]
        rows = sum(group.num_rows for group in groups)
        cells = sum(group.column(number).num_values for group in groups for number in range(metadata.num_columns))
        return max(1, int(_BATCH_CELLS * rows // max(1, cells)))

    def _text_of_int96(self, name: str, milliseconds: pa.Array, nanoseconds: pa.Array) -> pa.Array:
        try:
            return text_of_int96(milliseconds, nanoseconds)
        except pa.ArrowInvalid as error:
            raise DataError(f"{self.uri}: column {name!r}: {error}") from error

    def _int96_columns(self, names: Sequence[str]) -> list[str]:
        schema = self._file.schema
        leaves = (schema.column(number) for number in range(len(schema)))
        found = {leaf.path.split(".")[0] for leaf in leaves if leaf.physical_type == "INT96"}
        return [name for name in names if name in found or any(name.startswith(f"{one}.") for one in found)]

    def _exact_batches(self, int96: Sequence[str], groups: range, rows: int) -> Iterator[pa.RecordBatch]:
        if int96:
            file = pq.ParquetFile(self.stored, metadata=self.metadata)
            yield from file.iter_batches(batch_size=rows, row_groups=groups, columns=int96)


class _Rows:
    """Rows of batches, taken in other portions."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._rest: pa.Table | None = None

    def take(self, count: int) -> pa.RecordBatch:
        """Return the next rows."""
        while self._rest is None or len(self._rest) < count:
            more = pa.Table.from_batches([next(self._batches)])
            self._rest = more if self._rest is None else pa.concat_tables([self._rest, more])
        taken, self._rest = self._rest.slice(0, count), self._rest.slice(count)
        return taken.combine_chunks().to_batches()[0]


def _with_halves(type_: pa.DataType) -> pa.DataType:
    """Return a type with half floats in place of two bytes."""
    if type_ == pa.binary(2):
        return pa.float16()
    if pa.types.is_list(type_):
        return pa.list_(_with_halves(type_.value_type))
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(one.name, _with_halves(one.type)) for one in type_])
    return type_


@contextmanager
def opened(uri: str) -> Iterator[ParquetRows]:
    """Open a file. Raises DataError if it is damaged, here or while it is being read."""
    with storage.open_input(uri) as stored:
        try:
            yield _open(uri, stored)
        except (pa.ArrowException, OSError) as error:
            # Arrow also raises OSError for damaged files, but without an errno.
            if isinstance(error, OSError) and (error.errno is not None or isinstance(error, StorageError)):
                raise
            raise DataError(f"{uri}: is a Parquet file that cannot be read: {error}") from error


def _open(uri: str, stored: BinaryIO) -> ParquetRows:
    try:
        return ParquetRows(uri, stored)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, StorageError):
            raise
        try:
            older = _without_newer_types(uri, stored)
        except (pa.ArrowException, OSError):
            older = None
        if older is None:
            raise
        return older


def _without_newer_types(uri: str, stored: BinaryIO) -> ParquetRows | None:
    """Return a file with the types that Arrow does not know hidden, or None if its footer cannot be read."""
    tail = _LENGTH_BYTES + len(MAGIC)
    size = stored.seek(-tail, SEEK_END)
    length = int.from_bytes(stored.read(_LENGTH_BYTES), "little")
    if length > size:
        return None
    stored.seek(size - length)
    try:
        footer = without_newer_types(stored.read(length))
    except (ValueError, IndexError):
        return None
    content = MAGIC + footer.content + length.to_bytes(_LENGTH_BYTES, "little") + MAGIC
    return ParquetRows(uri, stored, pq.read_metadata(pa.BufferReader(content)), footer.newer)
