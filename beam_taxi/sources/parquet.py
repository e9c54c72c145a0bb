"""Parquet files: types come with the file, and units are cut between row groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from operator import add

import numpy as np
import pyarrow as pa

from beam_taxi import storage
from beam_taxi.settings import Settings
from beam_taxi.sources.arrow.columns import Column
from beam_taxi.sources.arrow.content import add_column, weights_in
from beam_taxi.sources.arrow.values import to_kind
from beam_taxi.sources.content import Content
from beam_taxi.sources.formats import FileFormat, Sample
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.parquet_rows import MAGIC, ParquetRows, opened
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
from beam_taxi.sources.weights import Weighing, weighing_of

_FOOTER_BYTES = 8

RowGroup = int
"""A position: the index of a row group."""


class ParquetFormat(FileFormat):
    """Parquet files, as specified in https://parquet.apache.org/docs/file-format/."""

    def recognizes(self, sample: Sample) -> bool:
        """Return whether a file has the magic number at both ends, or at its start with binary data after it.

        The latter is a truncated file. A text file may also begin, and even end, with these letters.
        """
        if not sample.head.startswith(MAGIC):
            return False
        tail = sample.tail(_FOOTER_BYTES)
        # The footer's length precedes the magic number.
        has_footer = tail.endswith(MAGIC) and 4 + int.from_bytes(tail[:4], "little") + len(tail) <= sample.file.size
        return has_footer or b"\0" in sample.head

    def open(self, sample: Sample, settings: Settings, declared: Mapping[str, Kind]) -> AnySource:
        """Read the schema. Raises DataError if a column cannot be used, or the file cannot be read."""
        file = sample.file
        with opened(file.uri) as parquet:
            columns = parquet.columns(settings.flatten)
        names, chosen = columns.chosen_by(file.uri, settings, declared)
        info = SourceInfo(
            file.uri,
            "parquet",
            file.size,
            tuple(chosen.usable),
            with_lists=chosen.with_lists,
            left_out=chosen.unusable,
            redacted=settings.columns.redacted,
        )
        return ParquetFile(info, file.version, declared, weighing_of(settings), names, settings.flatten)


@dataclass(frozen=True)
class ParquetFile(StoredFile[RowGroup, Joined[RowGroup]]):
    """A Parquet file, scanned by one worker and read between row groups.

    `names` has the names in the file of the wanted columns, by the names of their features.
    """

    info: SourceInfo
    version: str
    declared: Mapping[str, Kind]
    weighing: Weighing | None
    names: Mapping[str, str]
    flatten: bool = False

    @property
    def times_read(self) -> int:
        """Once more for the content hash, since columns are not read in the order of the bytes."""
        return 3

    def column_kinds(self) -> Mapping[str, Kind]:
        """Return the kinds of the columns, as far as the schema of the file decides them."""
        with opened(self.info.uri) as parquet:
            return {name: column.kind for name, column in self.columns(parquet).items() if column.is_bounded}

    def columns(self, parquet: ParquetRows) -> dict[str, Column]:
        """Return the columns by name, in the order of the file."""
        return parquet.columns(self.flatten).selected(self.names).wanted(self.info.uri, self.info.columns)

    def scan(
        self, part: Part, assumption: int | None = None, progress: Progress = no_progress
    ) -> Scan[Joined[RowGroup]]:
        """Read the whole file. Raises DataError if it is damaged, or if a column is not of its declared type."""
        content = Content()
        with opened(self.info.uri) as parquet:
            groups = parquet.group_rows
            columns = self.columns(parquet)
            rows = 0
            for count, arrays in parquet.batches(columns, 0, len(groups)):
                for column in columns.values():
                    name = column.name
                    add_column(content, self.info, column, arrays[name], rows, self.declared.get(name))
                if self.weighing is not None and count:
                    content.weights += weights_in(self.weighing, columns, arrays).at(partial(add, rows))
                rows += count
                progress(0, count)
        content.rows = rows
        _, content.sha256 = storage.hash_file(self.info.uri)
        progress(self.info.size, 0)
        starts = list(accumulate(groups, initial=0))
        cuts = (int(np.searchsorted(starts, -(-cut * starts[-1] // self.info.size))) for cut in part.cuts)
        return Scan(part, content, Joined((0, *cuts, len(groups))))

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
        with self._file.read_again(pa.ArrowInvalid), opened(self._file.info.uri) as parquet:
            groups = parquet.group_rows[start:end]
            columns = self._file.columns(parquet)
            columns = {name: columns[name] for name in self._kinds}
            row = 0
            for count, arrays in parquet.batches(columns, start, end):
                features = [to_kind(columns[name], arrays[name], kind) for name, kind in self._kinds.items()]
                rows = pa.RecordBatch.from_arrays(features, names=list(self._kinds))
                yield Batch(rows, places=_Places(start, groups, row) if self._with_places else None)
                row += count

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
