"""A BigQuery table that is open: Arrow batches of one moment, by stream.

A table is read only once. What other sources report in the first pass (the number of rows, values that overflow
float32, weights that cannot be used) is known only when the rows are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from beam_taxi.errors import BeamTaxiError, DataError, one_line
from beam_taxi.sources.arrow.columns import Column
from beam_taxi.sources.arrow.values import examine, to_kind
from beam_taxi.sources.bigquery.service import is_transient, read_client
from beam_taxi.sources.bigquery.streams import pages
from beam_taxi.sources.content import Content
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.losses import EXACT_FLOAT32
from beam_taxi.sources.source import (
    Batch,
    Joined,
    Part,
    Place,
    Progress,
    RowNumbers,
    Scan,
    Source,
    SourceInfo,
    no_progress,
)
from beam_taxi.sources.weights import Weighing, weights_of

_READ_SECONDS = 120.0
"""How long rows are waited for; the client's own limit is a day. A runner may then repeat the unit."""

Stream = int
"""A position: the index of a stream of the read session."""


@dataclass(frozen=True)
class BigQueryTable(Source[Stream, Joined[Stream]]):
    """The rows of a table at one moment: the streams that hold them, and the columns by name, with their kinds.

    `identity` changes with the rows, and `declared` has the columns whose kinds are given.
    """

    info: SourceInfo
    streams: tuple[str, ...]
    kinds: Mapping[str, Kind]
    identity: str
    columns: Mapping[str, Column]
    declared: frozenset[str] = frozenset()
    weighing: Weighing | None = None

    @property
    def times_read(self) -> int:
        """Once: the first pass reads no rows."""
        return 1

    def scan(self, part: Part, assumption: int | None = None, progress: Progress = no_progress) -> Scan[Joined[Stream]]:
        """Return what is known without reading any rows: the kinds. Units begin at streams."""
        streams = len(self.streams)
        cuts = (min(-(-cut * streams // self.info.size), streams) for cut in part.cuts)
        progress(self.info.size, 0)
        return Scan(part, Content(rows=None, kinds=dict(self.kinds)), Joined((0, *cuts, streams)))

    def join(self, joints: Sequence[Joined[Stream]]) -> Joined[Stream]:
        """Return the joint of the only part."""
        return joints[0]

    def column_kinds(self) -> Mapping[str, Kind]:
        """Return the kinds of the columns by the schema of the table."""
        return self.kinds

    def reader(self, kinds: Mapping[str, Kind], has_rejects: bool, with_places: bool = False) -> _Reader:
        """Return a reader."""
        return _Reader(self, kinds)

    def content_hash(self, digests: Sequence[bytes]) -> str:
        """Return what the service says of the content instead of a hash, since the rows are read only once."""
        return self.identity

    def hash_content(self, part_bytes: int) -> str:
        """Return the same as `content_hash`."""
        return self.content_hash(())


class _Reader:
    def __init__(self, table: BigQueryTable, kinds: Mapping[str, Kind]) -> None:
        self._table = table
        self._kinds = kinds
        self._client = read_client()

    def read(self, start: Stream, end: Stream) -> Iterator[Batch]:
        """Yield the rows of streams `start` to `end`. Raises DataError, and BeamTaxiError if BigQuery gives no rows."""
        from google.api_core.exceptions import GoogleAPIError, RetryError
        from google.auth.exceptions import GoogleAuthError

        try:
            for number, stream in enumerate(self._table.streams[start:end], start):
                row = 0
                for page in pages(self._client, stream, _READ_SECONDS):
                    self._check_weights(page, number, row)
                    rows = self._to_features(page)
                    yield Batch(rows, places=_Places(number, row))
                    row += len(rows)
        except (GoogleAPIError, GoogleAuthError) as error:
            is_away = isinstance(error, RetryError) or is_transient(error)
            reason = one_line(getattr(error, "cause", None) or error)
            told = "cannot be reached" if is_away else "refused"
            raise BeamTaxiError(f"{self._table.info.uri}: BigQuery {told}: {reason}") from error

    def _check_weights(self, batch: pa.RecordBatch, stream: Stream, row: int) -> None:
        """Raise DataError for a weight that cannot be used."""
        weighing = self._table.weighing
        if weighing is None:
            return
        column = self._table.columns[weighing.weight]
        weights = to_kind(column, column.of(batch), Kind.FLOAT)
        fault = weights_of(weights.cast(pa.float64()), {}).fault
        if fault is not None:
            at = f"{self._table.info.uri}: stream {stream}, row {row + fault[0] + 1}"
            raise DataError(f"{at}: column {weighing.weight!r}, the --weight_feature, {fault[1]}")

    def _to_features(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = [(self._table.columns[name], kind) for name, kind in self._kinds.items()]
        features = [self._to_feature(column, column.of(batch), kind) for column, kind in columns]
        return pa.RecordBatch.from_arrays(features, names=list(self._kinds))

    def _to_feature(self, column: Column, array: pa.Array, kind: Kind) -> pa.Array:
        """Return a column as a feature. Raises DataError for what a first pass would have refused or told."""
        at = f"{self._table.info.uri}: column {column.name!r}"
        if column.is_number and kind is not Kind.STRING:
            found = examine(column, array, kind)
            if found.beyond is not None and kind is Kind.INT:
                value = self._table.info.shown(column.name, found.beyond.value)
                raise DataError(f"{at}: {value} is not INT as declared: a whole number within int64")
            if kind is Kind.FLOAT and found.evidence.overflow is not None:
                raise DataError(f"{at} overflows float32, the float of tf.Example")
            loses = pa.types.is_decimal(column.type) and found.evidence.losses.changed
            if kind is Kind.FLOAT and loses and column.name not in self._table.declared:
                raise DataError(
                    f"{at} of type {column.type} has values above {EXACT_FLOAT32:,} that lose digits as float32, the "
                    "float of tf.Example; set its type with --types: STRING keeps all digits, FLOAT accepts the loss"
                )
        # The decimals of a type are BigQuery's, not those of the table.
        return to_kind(column, array, kind, trim=True)

    def close(self) -> None:
        """Do nothing: no resource is held open."""


@dataclass(frozen=True)
class _Places:
    """Where the rows of a page are in a stream."""

    stream: int
    first_row: int

    def places_of(self, rows: RowNumbers) -> list[Place]:
        """Return the places of some rows."""
        return [Place(self.stream, self.first_row + row + 1) for row in rows.tolist()]

    def numbers_of(self, rows: RowNumbers) -> tuple[RowNumbers, RowNumbers]:
        """Return the stream of rows, and their numbers in it."""
        return np.full(len(rows), self.stream), rows + self.first_row + 1
