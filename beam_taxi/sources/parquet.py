"""Parquet files: types come with the file, and units are cut between row groups.

Places are row groups instead of bytes, and rows instead of lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beam_taxi import storage
from beam_taxi.errors import DataError
from beam_taxi.sources.arrow import examine_values, kinds_of, to_kind
from beam_taxi.sources.content import Content
from beam_taxi.sources.csv.grammar import Kind
from beam_taxi.sources.csv.records import OUTSIDE
from beam_taxi.sources.csv.scan import BlockScan, Boundaries, Place
from beam_taxi.sources.source import Block, SourceFile

MAGIC = b"PAR1"
_BATCH_CELLS = 1 << 20


def read_columns(file: storage.InputFile) -> tuple[str, ...]:
    """Return the names of the columns. Raises DataError where they are nested, or the file cannot be read."""
    with _opened(file.uri) as parquet:
        schema = parquet.schema_arrow
    return tuple(kinds_of(file.uri, schema))


def scan_parquet(file: SourceFile, block: Block, declared: Mapping[str, Kind]) -> BlockScan:
    """Read the one block of a file. Raises DataError where the file is damaged, or has another type than declared."""
    content = Content()
    with _opened(file.uri) as parquet:
        groups = [parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups)]
        for batch in _batches(parquet, 0, len(groups)):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                _examine(content, file, name, column, declared)
            content.rows += len(batch)
    starts = list(accumulate(groups, initial=0))
    cuts = [int(np.searchsorted(starts, -(-cut * starts[-1] // file.size))) for cut in block.cuts]
    places = tuple(Place(number, starts[number]) if number < len(groups) else None for number in cuts)
    _, sha256 = storage.hash_file(file.uri)
    bounds = Boundaries(OUTSIDE, Place(0, 0) if groups else None, places, None)
    return BlockScan(block, sha256, len(groups), starts[-1], (bounds, bounds), OUTSIDE, content)


def read_groups(file: SourceFile, start: int, end: int, kinds: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of row groups `start` to `end` as flat columns in the order of `kinds`."""
    with _opened(file.uri) as parquet:
        for batch in _batches(parquet, start, end):
            columns = [to_kind(batch.column(batch.schema.get_field_index(name)), kind) for name, kind in kinds.items()]
            yield pa.RecordBatch.from_arrays(columns, names=list(kinds))


def _examine(content: Content, file: SourceFile, name: str, column: pa.Array, declared: Mapping[str, Kind]) -> None:
    try:
        evidence = examine_values(column)
    except pa.ArrowInvalid as error:
        raise DataError(f"{file.uri}: column {name!r}: {error}") from None
    if evidence.kind > declared.get(name, Kind.STRING):
        raise DataError(f"{file.uri}: column {name!r} is {column.type}, not {declared[name].name} as in --schema")
    content.kinds[name] = max(content.kinds.get(name, Kind.MISSING), evidence.kind)
    if evidence.overflow is not None:
        content.overflows.setdefault(name, content.rows + evidence.overflow)
    if evidence.inexact:
        content.inexact.add(name)


@contextmanager
def _opened(uri: str) -> Iterator[pq.ParquetFile]:
    with storage.open_input(uri) as stored:
        try:
            yield pq.ParquetFile(stored)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{uri}: is a Parquet file that cannot be read: {error}") from None


def _batches(parquet: pq.ParquetFile, start: int, end: int) -> Iterator[pa.RecordBatch]:
    rows = max(256, _BATCH_CELLS // max(1, len(parquet.schema_arrow)))
    yield from parquet.iter_batches(batch_size=rows, row_groups=range(start, end))
