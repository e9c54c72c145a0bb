"""BigQuery tables and queries by the Storage Read API: Arrow batches of one snapshot, a stream at a time.

Places are streams instead of bytes. A table is read once, so what another input learns in the first pass, that a
number overflows float32 or how many rows there are, is known here only when the rows are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

from beam_taxi.errors import DataError, UsageError
from beam_taxi.settings import Settings
from beam_taxi.sources.arrow import examine_values, kinds_of, to_kind
from beam_taxi.sources.content import Content
from beam_taxi.sources.csv.grammar import Kind
from beam_taxi.sources.csv.records import OUTSIDE
from beam_taxi.sources.csv.scan import BlockScan, Boundaries, Place
from beam_taxi.sources.source import Block, SourceFile, Table

SCHEME = "bq://"


def run_query(query: str, project: str | None) -> str:
    """Run SQL; returns the URI of the temporary table with its rows. Raises UsageError."""
    with _told("--query"):
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        credentials = AnonymousCredentials() if os.environ.get("BIGQUERY_EMULATOR_HOST") else None
        job = bigquery.Client(project, credentials).query(query)
        job.result()
        table = job.destination
    return f"{SCHEME}{table.project}.{table.dataset_id}.{table.table_id}"


def open_table(uri: str, settings: Settings) -> SourceFile:
    """Open `bq://PROJECT.DATASET.TABLE` as it is now. Raises UsageError and DataError."""
    parts = uri.removeprefix(SCHEME).split(".")
    if len(parts) != 3:
        raise UsageError(f"--input {uri}: give bq://PROJECT.DATASET.TABLE")
    snapshot = datetime.now(timezone.utc)
    with _told(uri):
        from google.cloud.bigquery_storage_v1 import types

        session = _client().create_read_session(
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
    kinds = kinds_of(uri, schema)
    table = Table(tuple(stream.name for stream in session.streams), kinds, snapshot.isoformat(timespec="microseconds"))
    size = max(1, session.estimated_total_bytes_scanned)
    return SourceFile(uri, size, 0.0, tuple(schema.names), 0, 1, settings.dialect, table=table)


def scan_table(file: SourceFile, block: Block, declared: Mapping[str, Kind]) -> BlockScan:
    """Return what is known of the one block of a table: its kinds, and its streams as the places for cuts."""
    assert file.table is not None
    streams = len(file.table.streams)
    for name, kind in file.table.kinds.items():
        if kind > declared.get(name, Kind.STRING):
            raise DataError(f"{file.uri}: column {name!r} is {kind.name}, not {declared[name].name} as in --schema")
    cuts = [-(-cut * streams // file.size) for cut in block.cuts]
    places = tuple(Place(cut, 0) if cut < streams else None for cut in cuts)
    bounds = Boundaries(OUTSIDE, Place(0, 0), places, None)
    return BlockScan(block, b"", streams, 0, (bounds, bounds), OUTSIDE, Content(kinds=dict(file.table.kinds)))


def read_streams(file: SourceFile, start: int, end: int, kinds: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of streams `start` to `end` as flat columns in the order of `kinds`. Raises DataError."""
    assert file.table is not None
    client = _client()
    for stream in file.table.streams[start:end]:
        for page in client.read_rows(stream).rows().pages:
            batch = page.to_arrow()
            columns = []
            for name, kind in kinds.items():
                column = batch.column(batch.schema.get_field_index(name))
                if kind is Kind.FLOAT and examine_values(column).overflow is not None:
                    raise DataError(f"{file.uri}: column {name!r} overflows float32, the float of tf.Example")
                columns.append(to_kind(column, kind))
            yield pa.RecordBatch.from_arrays(columns, names=list(kinds))


def _client() -> Any:
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

    emulator = os.environ.get("BIGQUERY_STORAGE_EMULATOR_HOST")
    if emulator is None:
        return BigQueryReadClient()
    import grpc

    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=grpc.insecure_channel(emulator)))


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn what Google's client raises into one line."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except GoogleAuthError as error:
        raise UsageError(
            f"{what}: no credentials for BigQuery: {str(error).splitlines()[0]} "
            "(gcloud auth application-default login gives some)"
        ) from None
    except (GoogleAPICallError, OSError, ValueError) as error:
        raise UsageError(f"{what}: BigQuery refuses: {str(error).splitlines()[0]}") from None
