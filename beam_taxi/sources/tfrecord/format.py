"""TFRecord as a file format: how it is recognized, and which columns it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from beam_taxi.errors import DataError
from beam_taxi.settings import Settings
from beam_taxi.sources.arrow.columns import Column, Columns, kind_of
from beam_taxi.sources.csv.stream import TextStream
from beam_taxi.sources.formats import EmptyFile, FileFormat, Sample
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.look import LOOK_BYTES, Look, named_columns
from beam_taxi.sources.names import MAX_COLUMNS
from beam_taxi.sources.source import AnySource, SourceInfo
from beam_taxi.sources.tfrecord.examples import ExampleDecoder, NotAnExample, are_single
from beam_taxi.sources.tfrecord.file import TFRecordFile, named
from beam_taxi.sources.weights import weighing_of
from beam_taxi.tfexample.frames import is_frame, read_frames

_SHARD = re.compile(r"tfrecord[^/]*$|-\d+-of-\d+[^/]*$")


class TFRecordFormat(FileFormat):
    """TFRecord files of tf.Examples, also compressed."""

    def recognizes(self, sample: Sample) -> bool:
        """Return whether a file begins with a length and its checksum.

        An empty one that is compressed is one of these if it is named like a shard.
        """
        is_empty = sample.decoding is not None and not sample.decoded_head
        return is_frame(sample.decoded_head) or (is_empty and _SHARD.search(sample.file.uri) is not None)

    def open(self, sample: Sample, settings: Settings, declared: Mapping[str, Kind]) -> AnySource:
        """Find the features. Raises DataError if one cannot be used, or the file is damaged."""
        file = sample.file
        features = _Features()
        with named(file.uri):
            features.look_at(sample, settings.batch_bytes)
        if not features.is_whole:
            for name in named_columns(settings, declared):
                features.types.setdefault(name, pa.null())
        if not features.rows:
            raise EmptyFile(f"{file.uri}: has no records")
        columns = features.columns(file.uri)
        names, chosen = columns.chosen_by(file.uri, settings, declared)
        info = SourceInfo(
            file.uri,
            "tfrecord",
            file.size,
            tuple(chosen.usable),
            is_sequential=sample.decoding is not None,
            row_word="record",
            with_lists=chosen.with_lists,
            redacted=settings.columns.redacted,
        )
        look = Look(frozenset(features.types), columns.with_lists, settings.columns, LOOK_BYTES, info.row_word)
        types = {name: type_ for name, type_ in features.types.items() if not pa.types.is_null(type_)}
        weighing = weighing_of(settings)
        return TFRecordFile(
            info, file.version, look, types, names, declared, settings.batch_bytes, weighing, sample.decoding
        )


@dataclass
class _Features:
    """The features of the first records by name: the types of their values, those with lists, and the number of
    rows that were looked at."""

    types: dict[str, pa.DataType] = field(default_factory=dict)
    with_lists: set[str] = field(default_factory=set)
    rows: int = 0
    is_whole: bool = True

    def look_at(self, sample: Sample, batch_bytes: int) -> None:
        """Read the first records. Raises DamagedFrame, and DataError."""
        uri, seen = sample.file.uri, 0
        sample.stored.seek(0)
        stream = sample.stored if sample.decoding is None else TextStream(uri, sample.stored, sample.decoding)
        for frames in read_frames(stream, None, batch_bytes, 0, 0):
            if seen >= LOOK_BYTES:
                self.is_whole = False
                break
            try:
                self._add(ExampleDecoder(self._known).decode(frames.records))
            except NotAnExample as error:
                raise DataError(f"{uri}: record {self.rows + error.row + 1}: {error}") from error
            seen = frames.end
            self.rows += len(frames.records)

    @property
    def _known(self) -> dict[str, pa.DataType]:
        return {name: type_ for name, type_ in self.types.items() if not pa.types.is_null(type_)}

    def _add(self, batch: pa.RecordBatch) -> None:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            type_ = column.type if pa.types.is_null(column.type) else column.type.value_type
            if pa.types.is_null(self.types.get(name, pa.null())):
                self.types[name] = type_
            if not are_single(column):
                self.with_lists.add(name)

    def columns(self, uri: str) -> Columns:
        """Return the columns, in the order of their names. Raises DataError if the names cannot be used."""
        if not self.types:
            raise DataError(f"{uri}: has no features, and so no columns")
        if len(self.types) > MAX_COLUMNS:
            raise DataError(f"{uri}: has {len(self.types):,} features, which exceeds the limit of {MAX_COLUMNS:,}")
        if "" in self.types:
            raise DataError(f"{uri}: has a feature without a name")
        return Columns(
            {
                name: Column((name,), type_, kind_of(type_) or Kind.MISSING, name in self.with_lists)
                for name, type_ in sorted(self.types.items())
            }
        )
