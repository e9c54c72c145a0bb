"""TFRecord files of tf.Examples as sources: units are cut between records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import add

import numpy as np
import pyarrow as pa

from beam_taxi import storage
from beam_taxi.errors import DataError
from beam_taxi.sources.arrow.columns import Column
from beam_taxi.sources.arrow.content import add_column, weights_in
from beam_taxi.sources.arrow.values import to_kind
from beam_taxi.sources.content import Content
from beam_taxi.sources.csv.cursor import Cursor
from beam_taxi.sources.csv.stream import Decoding, TextStream
from beam_taxi.sources.cuts import Marks, RecordPosition
from beam_taxi.sources.kinds import ARROW_TYPES, Kind
from beam_taxi.sources.look import Look
from beam_taxi.sources.source import (
    NO_GROUP,
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
from beam_taxi.sources.tfrecord.examples import ExampleColumns, ExampleDecoder, NotAnExample
from beam_taxi.sources.weights import Weighing
from beam_taxi.tfexample.frames import DamagedFrame, Frames, read_frames


@contextmanager
def named(uri: str) -> Iterator[None]:
    """Raise DataError with the offset of a frame that is damaged."""
    try:
        yield
    except DamagedFrame as error:
        where = f"record {error.number + 1}, at byte {error.offset:,}"
        raise DataError(f"{uri}: is damaged: {where}: {error}") from error


@dataclass(frozen=True)
class TFRecordFile(StoredFile[RecordPosition, Joined[RecordPosition]]):
    """A TFRecord file of tf.Examples, scanned by one worker; `types` are those of the values of its features.

    `names` has the names of the features in the file by those of the columns.
    """

    info: SourceInfo
    version: str
    look: Look
    types: Mapping[str, pa.DataType]
    names: Mapping[str, str]
    declared: Mapping[str, Kind]
    batch_bytes: int
    weighing: Weighing | None
    decoding: Decoding | None

    @property
    def columns(self) -> ExampleColumns:
        """The columns that are wanted."""
        return ExampleColumns(self.look, {self.names[name]: name for name in self.info.columns})

    def column_kinds(self) -> Mapping[str, Kind]:
        """Return the kinds of the features that have a type."""
        kinds = {pa.int64(): Kind.INT, pa.float32(): Kind.FLOAT}
        types = {name: self.types.get(self.names[name]) for name in self.info.columns}
        return {name: kinds.get(type_, Kind.STRING) for name, type_ in types.items() if type_ is not None}

    def scan(
        self, part: Part, assumption: int | None = None, progress: Progress = no_progress
    ) -> Scan[Joined[RecordPosition]]:
        """Read the whole file. Raises DataError if it is damaged, or a record cannot be taken."""
        content, marks, rows, end = Content(), Marks(), 0, 0
        decoder, columns = ExampleDecoder(self.types), self.columns
        with storage.open_input(self.info.uri) as stored, named(self.info.uri):
            stream = TextStream(self.info.uri, stored, self.decoding or Decoding(None, None))
            for frames in read_frames(stream, None, self.batch_bytes, 0, 0):
                try:
                    self._add(content, columns, decoder.decode(frames.records), rows)
                except NotAnExample as error:
                    content.fault = rows + error.row, str(error)
                    break
                count = len(frames.records)
                marks.add(frames.starts, rows + np.arange(1, count + 1))
                rows, end = rows + count, frames.end
                progress(stream.take_stored(), count)
        content.rows, content.sha256 = rows, stream.sha256
        last = RecordPosition(end, rows + 1)
        cuts = marks.positions(part.cuts, self.info.size, 0, last)
        return Scan(part, content, Joined((RecordPosition(0, 1), *cuts, last)))

    def _add(self, content: Content, columns: ExampleColumns, batch: pa.RecordBatch, row: int) -> None:
        found = {column.name: (column, array) for column, array in columns.of(batch)}
        for name, (column, array) in found.items():
            add_column(content, self.info, column, array, row, self.declared.get(name))
        if self.weighing is not None:
            for name in (self.weighing.weight, *self.weighing.slices):
                found.setdefault(name, (Column((name,), pa.float32(), Kind.FLOAT), pa.nulls(len(batch), pa.float32())))
            weights = weights_in(
                self.weighing,
                {name: column for name, (column, _) in found.items()},
                {name: array for name, (_, array) in found.items()},
            )
            content.weights += weights.at(partial(add, row))

    def join(self, joints: Sequence[Joined[RecordPosition]]) -> Joined[RecordPosition]:
        """Return the joint of the only part."""
        return joints[0]

    def reader(self, kinds: Mapping[str, Kind], has_rejects: bool, with_places: bool = False) -> _Reader:
        """Return a reader."""
        return _Reader(self, kinds, with_places)


class _Reader:
    def __init__(self, file: TFRecordFile, kinds: Mapping[str, Kind], with_places: bool) -> None:
        self._file = file
        self._kinds = kinds
        self._with_places = with_places
        self._columns = file.columns
        self._decoder = ExampleDecoder(file.types)
        self._cursor = Cursor(file.info.uri, file.decoding)

    def close(self) -> None:
        """Close what is open."""
        self._cursor.close()

    def read(self, start: RecordPosition, end: RecordPosition) -> Iterator[Batch]:
        """Yield the rows between two positions. Raises DataError if the file differs from what the first pass read."""
        file, number = self._file, start.number
        with file.read_again(DamagedFrame, NotAnExample, EOFError, pa.ArrowInvalid):
            stream, size = self._cursor.at(start.offset), end.offset - start.offset
            for frames in read_frames(stream, size, file.batch_bytes, start.offset, number - 1):
                stored_bytes = self._cursor.take_stored(frames.size)
                places = _Places(number) if self._with_places else None
                yield Batch(self._rows(frames), stored_bytes=stored_bytes, places=places)
                number += len(frames.records)

    def _rows(self, frames: Frames) -> pa.RecordBatch:
        found = {
            column.name: (column, array) for column, array in self._columns.of(self._decoder.decode(frames.records))
        }
        columns = []
        for name, kind in self._kinds.items():
            if name in found:
                columns.append(to_kind(*found[name], kind))
            else:
                type_ = (
                    pa.binary()
                    if self._file.types.get(self._file.names[name]) == pa.large_binary()
                    else ARROW_TYPES[kind]
                )
                has_lists = name in self._file.info.with_lists
                columns.append(pa.nulls(len(frames.records), pa.list_(type_) if has_lists else type_))
        return pa.RecordBatch.from_arrays(columns, names=list(self._kinds))


@dataclass(frozen=True)
class _Places:
    """Where the rows of a batch are, whose first record has the number `first`."""

    first: int

    def places_of(self, rows: RowNumbers) -> list[Place]:
        """Return the places of some rows."""
        return [Place(None, number) for number in (self.first + rows).tolist()]

    def numbers_of(self, rows: RowNumbers) -> tuple[RowNumbers, RowNumbers]:
        """Return no groups, and the numbers of the records."""
        return np.full(len(rows), NO_GROUP), self.first + rows
