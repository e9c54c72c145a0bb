"""BigQuery tables and queries, read through the Storage Read API: Arrow batches of one snapshot, by stream.

A table is read only once. What other sources report in the first pass (the number of rows, values that overflow
float32) is known only when the rows are read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from beam_taxi.errors import BeamTaxiError, DataError, UsageError, one_line
from beam_taxi.settings import Settings
from beam_taxi.sources.arrow.columns import Column, columns_of
from beam_taxi.sources.arrow.values import examine, to_kind
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
from beam_taxi.storage import credentials

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.bigquery import Client
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient

SCHEME = "bq://"
_STORAGE_EMULATOR = "BIGQUERY_STORAGE_EMULATOR_HOST"
_CALL_SECONDS = 30.0
_RETRY_SECONDS = 10.0
_POLL_SECONDS = 1.0
_READ_SECONDS = 120.0
"""How long rows are waited for; the client's own limit is a day. A runner may then repeat the unit."""

Waiting = Callable[[float], None]

Stream = int
"""A position: the index of a stream of the read session."""


def run_query(query: str, project: str | None, waiting: Waiting | None = None) -> str:
    """Run a SQL query and return the URI of the temporary table with its rows. Raises UsageError.

    `waiting` is called again and again with the seconds that the query has been running.
    """
    with _errors_of("--query"):
        job = _queries(project).query(query, retry=_retry(), job_retry=None, timeout=_CALL_SECONDS)
        started = time.monotonic()
        while not job.done(retry=_retry(), timeout=_CALL_SECONDS):
            if waiting is not None:
                waiting(time.monotonic() - started)
            time.sleep(_POLL_SECONDS)
        job.result(retry=_retry(), timeout=_CALL_SECONDS)
        table = job.destination
    if table is None:
        raise UsageError("--query: must be one SELECT statement: a script has no result to read")
    return f"{SCHEME}{table.project}.{table.dataset_id}.{table.table_id}"


def dry_run_bytes(settings: Settings) -> int:
    """Return how many bytes the query would process, which costs nothing to ask. Raises UsageError."""
    with _errors_of("--query"):
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        job = _queries(settings.project).query(
            settings.query, config, retry=_retry(), job_retry=None, timeout=_CALL_SECONDS
        )
        return int(job.total_bytes_processed or 0)


def _queries(project: str | None) -> Client:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    is_emulated = bool(os.environ.get("BIGQUERY_EMULATOR_HOST")) and not credentials.is_impersonated()
    if not is_emulated:
        _require_credentials()
    return bigquery.Client(project, AnonymousCredentials() if is_emulated else credentials.credentials())


def _require_credentials() -> None:
    """Raise DefaultCredentialsError if there are none; the search of Google's libraries for them takes seconds."""
    from google.auth.exceptions import DefaultCredentialsError

    if not credentials.has_credentials():
        raise DefaultCredentialsError("none were found")


def _retry(seconds: float = _RETRY_SECONDS) -> Retry:
    """Return a policy that gives up after some seconds: the clients' own try for ten minutes, without a word."""
    from google.api_core.exceptions import InternalServerError, ServiceUnavailable, TooManyRequests
    from google.api_core.retry import Retry, if_exception_type

    return Retry(if_exception_type(ServiceUnavailable, TooManyRequests, InternalServerError), timeout=seconds)


def open_bigquery(uri: str, settings: Settings, declared: Mapping[str, Kind]) -> BigQueryTable:
    """Open `bq://PROJECT.DATASET.TABLE` as it is now. Raises UsageError and DataError."""
    parts = uri.removeprefix(SCHEME).split(".")
    if len(parts) != 3:
        raise UsageError(f"--input {uri}: give bq://PROJECT.DATASET.TABLE")
    snapshot = datetime.now(timezone.utc)
    with _errors_of(uri):
        from google.cloud.bigquery_storage_v1 import types

        if _STORAGE_EMULATOR not in os.environ:
            _require_credentials()
        session = _client().create_read_session(
            retry=_retry(),
            timeout=_CALL_SECONDS,
            parent=f"projects/{settings.project or parts[0]}",
            read_session=types.ReadSession(
                table=f"projects/{parts[0]}/datasets/{parts[1]}/tables/{parts[2]}",
                data_format=types.DataFormat.ARROW,
                table_modifiers=types.ReadSession.TableModifiers(snapshot_time=snapshot),
            ),
            max_stream_count=settings.num_shards or 0,
        )
    if not session.streams:
        raise DataError(f"{uri}: has no rows")
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    chosen = columns_of(uri, schema, settings.flatten).chosen(uri, declared)
    kinds = {}
    for name, column in chosen.usable.items():
        kinds[name] = declared.get(name) or _kind_of(column)
        if not column.can_be(kinds[name]):
            raise DataError(f"{uri}: column {name!r} is {column.kind.name}, not {declared[name].name} as declared")
    info = SourceInfo(
        uri,
        "bigquery",
        max(1, session.estimated_total_bytes_scanned),
        tuple(chosen.usable),
        with_lists=chosen.with_lists,
        left_out=chosen.unusable,
    )
    streams = tuple(stream.name for stream in session.streams)
    time = snapshot.isoformat(timespec="microseconds")
    return BigQueryTable(info, streams, kinds, time, chosen.usable, frozenset(declared))


def _kind_of(column: Column) -> Kind:
    """Return the kind of a column, whose values are not known: STRING if they may be beyond int64."""
    return column.kind if column.is_bounded else Kind.STRING


@dataclass(frozen=True)
class BigQueryTable(Source[Stream, Joined[Stream]]):
    """A snapshot of a table: the streams that hold its rows, the kinds of its columns, and its time in ISO 8601.

    `declared` has the columns whose kinds are given.
    """

    info: SourceInfo
    streams: tuple[str, ...]
    kinds: Mapping[str, Kind]
    snapshot: str
    columns: Mapping[str, Column]
    declared: frozenset[str] = frozenset()

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
        """Return the time of the snapshot instead of a hash, since the rows are read only once."""
        return f"bigquery-snapshot:{self.snapshot}"

    def hash_content(self, part_bytes: int) -> str:
        """Return the time of the snapshot, as `content_hash` does."""
        return self.content_hash(())


class _Reader:
    def __init__(self, table: BigQueryTable, kinds: Mapping[str, Kind]) -> None:
        self._table = table
        self._kinds = kinds
        self._client = _client()

    def read(self, start: Stream, end: Stream) -> Iterator[Batch]:
        """Yield the rows of streams `start` to `end`. Raises DataError, and BeamTaxiError if BigQuery is away."""
        from google.api_core.exceptions import RetryError

        try:
            for number, stream in enumerate(self._table.streams[start:end], start):
                row = 0
                for page in self._client.read_rows(stream, retry=_retry(_READ_SECONDS)).rows().pages:
                    rows = self._to_features(page.to_arrow())
                    yield Batch(rows, places=_Places(number, row))
                    row += len(rows)
        except RetryError as error:
            reason = one_line(error.cause or error)
            raise BeamTaxiError(f"{self._table.info.uri}: BigQuery cannot be reached: {reason}") from error

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
                raise DataError(f"{at}: {found.beyond.value} is not INT as declared: a whole number within int64")
            if kind is Kind.FLOAT and found.evidence.overflow is not None:
                raise DataError(f"{at} overflows float32, the float of tf.Example")
            is_decimal = pa.types.is_decimal(column.type)
            if (
                kind is Kind.FLOAT
                and is_decimal
                and found.evidence.losses.changed
                and column.name not in self._table.declared
            ):
                raise DataError(
                    f"{at} of type {column.type} has values above {EXACT_FLOAT32:,} that lose digits as float32, the "
                    "float of tf.Example; declare it by --types: STRING keeps all digits, FLOAT accepts the loss"
                )
        # The decimals of a type are BigQuery's, not those of the table.
        return to_kind(column, array, kind, trim=True)

    def close(self) -> None:
        """Do nothing: no resource is held open."""


def _client() -> BigQueryReadClient:
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

    emulator = os.environ.get(_STORAGE_EMULATOR)
    if emulator is None:
        return BigQueryReadClient(credentials=credentials.credentials())
    import grpc

    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=grpc.insecure_channel(emulator)))


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


@contextmanager
def _errors_of(what: str) -> Iterator[None]:
    """Turn errors of Google's client into a one-line UsageError."""
    from google.api_core.exceptions import GoogleAPIError, RetryError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except GoogleAuthError as error:
        raise UsageError(
            f"{what}: no credentials for BigQuery: {str(error).splitlines()[0]} "
            "(run `gcloud auth application-default login`)"
        ) from error
    except (RetryError, OSError) as error:
        cause = getattr(error, "cause", None) or error
        raise UsageError(f"{what}: BigQuery cannot be reached: {one_line(cause)}; try again later") from error
    except (GoogleAPIError, ValueError) as error:
        raise UsageError(f"{what}: BigQuery refused: {one_line(error)}") from error
