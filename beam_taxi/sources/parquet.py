"""Parquet files: types come with the file, and units are cut between row groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from operator import add

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from beam_taxi import storage
from beam_taxi.errors import DataError, StorageError
from beam_taxi.settings import Settings
from beam_taxi.sources.arrow import examine_values, kind_of, kinds_of, to_kind
from beam_taxi.sources.content import Content
from beam_taxi.sources.formats import FileFormat, Sample
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import (
    AnySource,
    Batch,
    Joined,
    Part,
    Place,
    Progress,
    RowNumbers,
    Scan,
    SourceInfo,
    no_progress,
)
from beam_taxi.sources.stored_file import StoredFile
from beam_taxi.sources.weights import Weighing, Weights, weighing_of, weights_of

_MAGIC = b"PAR1"
_FOOTER_BYTES = 8
_BATCH_CELLS = 1 << 20

RowGroup = int
"""A position: the index of a row group."""


class ParquetFormat(FileFormat):
    """Parquet files, as specified in https://parquet.apache.org/docs/file-format/."""

    def recognizes(self, sample: Sample) -> bool:
        """Return whether a file has the magic number at both ends, or at its start with binary data after it.

        The latter is a truncated file. A text file may also begin, and even end, with these letters.
        """
        if not sample.head.startswith(_MAGIC):
            return False
        tail = sample.tail(_FOOTER_BYTES)
        # The footer's length precedes the magic number.
        has_footer = tail.endswith(_MAGIC) and 4 + int.from_bytes(tail[:4], "little") + len(tail) <= sample.file.size
        return has_footer or b"\0" in sample.head

    def open(self, sample: Sample, settings: Settings, declared: Mapping[str, Kind]) -> AnySource:
        """Read the schema. Raises DataError if a column cannot be used, or the file cannot be read."""
        file = sample.file
        with _opened(file.uri) as parquet:
            schema = parquet.schema_arrow
        columns = tuple(kinds_of(file.uri, schema))
        info = SourceInfo(file.uri, "parquet", file.size, columns)
        return ParquetFile(info, file.version, declared, weighing_of(settings))


@dataclass(frozen=True)
class ParquetFile(StoredFile[RowGroup, Joined[RowGroup]]):
    """A Parquet file, scanned by one worker and read between row groups."""

    info: SourceInfo
    version: str
    declared: Mapping[str, Kind]
    weighing: Weighing | None

    def column_kinds(self) -> Mapping[str, Kind]:
        """Return the kinds of the columns by the schema of the file."""
        with _opened(self.info.uri) as parquet:
            return kinds_of(self.info.uri, parquet.schema_arrow)

    def scan(
        self, part: Part, assumption: int | None = None, progress: Progress = no_progress
    ) -> Scan[Joined[RowGroup]]:
        """Read the whole file. Raises DataError if it is damaged, or if a column is not of its declared type."""
        content = Content()
        with _opened(self.info.uri) as parquet:
            groups = [parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups)]
            rows = 0
            for batch in _batches(parquet, 0, len(groups)):
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    self._examine(content, name, column, rows)
                if self.weighing is not None and len(batch):
                    content.weights += self._weights(batch, self.weighing).at(partial(add, rows))
                rows += len(batch)
                progress(0, len(batch))
        content.rows = rows
        _, content.sha256 = storage.hash_file(self.info.uri)
        progress(self.info.size, 0)
        starts = list(accumulate(groups, initial=0))
        cuts = (int(np.searchsorted(starts, -(-cut * starts[-1] // self.info.size))) for cut in part.cuts)
        return Scan(part, content, Joined((0, *cuts, len(groups))))

    def _weights(self, batch: pa.RecordBatch, weighing: Weighing) -> Weights[int]:
        weights, *slices = (batch.column(batch.schema.get_field_index(n)) for n in (weighing.weight, *weighing.slices))
        if kind_of(weights.type) not in (Kind.INT, Kind.FLOAT):
            return Weights((0, f"is {weights.type}, which is no number"))
        return weights_of(weights.cast(pa.float64()), dict(zip(weighing.slices, slices, strict=True)))

    def _examine(self, content: Content, name: str, column: pa.Array, row: int) -> None:
        uri, declared = self.info.uri, self.declared
        try:
            evidence = examine_values(column)
        except pa.ArrowInvalid as error:
            raise DataError(f"{uri}: column {name!r}: {error}") from error
        if evidence.kind > declared.get(name, Kind.STRING):
            raise DataError(f"{uri}: column {name!r} is {column.type}, not {declared[name].name} as in --schema")
        content.add_evidence(name, evidence)
        if evidence.overflow is not None:
            content.overflows.setdefault(name, row + evidence.overflow)

    def join(self, joints: Sequence[Joined[RowGroup]]) -> Joined[RowGroup]:
        """Return the joint of the only part."""
        return joints[0]

    def reader(self, kinds: Mapping[str, Kind], has_rejects: bool, with_places: bool = False) -> _Reader:
        """Return a reader."""
        return _Reader(self, kinds, with_places)


class _Reader:
    def __init__(self, file: ParquetFile, kinds: Mapping[str, Kind], with_places: bool) -> None:
        self._file = file
        self._kinds = kinds
        self._with_places = with_places

    def read(self, start: RowGroup, end: RowGroup) -> Iterator[Batch]:
        """Yield the rows of row groups `start` to `end`."""
        with self._file.read_again(), _opened(self._file.info.uri) as parquet:
            groups = [parquet.metadata.row_group(number).num_rows for number in range(start, end)]
            row = 0
            for batch in _batches(parquet, start, end):
                columns = [
                    to_kind(batch.column(batch.schema.get_field_index(name)), kind)
                    for name, kind in self._kinds.items()
                ]
                rows = pa.RecordBatch.from_arrays(columns, names=list(self._kinds))
                yield Batch(rows, places=_Places(start, groups, row) if self._with_places else None)
                row += len(batch)

    def close(self) -> None:
        """Do nothing: no resource is held open."""


@dataclass(frozen=True)
class _Places:
    """Where the rows of a batch are; `first_row` is counted from the first of the row groups with these lengths."""

    first_group: int
    lengths: Sequence[int]
    first_row: int

    def places_of(self, rows: RowNumbers) -> list[Place]:
        """Return the places of some rows."""
        groups, numbers = self.numbers_of(rows)
        return [Place(group, number) for group, number in zip(groups.tolist(), numbers.tolist(), strict=True)]

    def numbers_of(self, rows: RowNumbers) -> tuple[RowNumbers, RowNumbers]:
        """Return the row groups of rows, and their numbers in them."""
        starts, numbers = np.cumsum([0, *self.lengths]), rows + self.first_row
        groups = np.searchsorted(starts, numbers, side="right") - 1
        return self.first_group + groups, numbers - starts[groups] + 1


@contextmanager
def _opened(uri: str) -> Iterator[pq.ParquetFile]:
    with storage.open_input(uri) as stored:
        try:
            yield pq.ParquetFile(stored)
        except (pa.ArrowException, OSError) as error:
            # Arrow also raises OSError for damaged files, but without an errno.
            if isinstance(error, OSError) and (error.errno is not None or isinstance(error, StorageError)):
                raise
            raise DataError(f"{uri}: is a Parquet file that cannot be read: {error}") from error


def _batches(parquet: pq.ParquetFile, start: int, end: int) -> Iterator[pa.RecordBatch]:
    rows = max(256, _BATCH_CELLS // max(1, len(parquet.schema_arrow)))
    yield from parquet.iter_batches(batch_size=rows, row_groups=range(start, end))
