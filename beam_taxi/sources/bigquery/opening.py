"""Open tables, and the rows of queries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from beam_taxi.errors import DataError, UsageError, one_line
from beam_taxi.settings import Settings
from beam_taxi.sources.arrow.columns import Column, columns_of
from beam_taxi.sources.bigquery.identity import identity_of_query, identity_of_table
from beam_taxi.sources.bigquery.names import SCHEME, TableName
from beam_taxi.sources.bigquery.query import Waiting, dry_run, run_query
from beam_taxi.sources.bigquery.service import CALL_SECONDS, errors_of, patience, query_client
from beam_taxi.sources.bigquery.streams import Sessions, schema_of, size_of
from beam_taxi.sources.bigquery.table import BigQueryTable
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import SourceInfo
from beam_taxi.sources.weights import Weighing, weighing_of

FORMAT = "bigquery"


def open_bigquery(uri: str, settings: Settings, declared: Mapping[str, Kind]) -> BigQueryTable:
    """Open `bq://PROJECT.DATASET.TABLE` as it is now. Raises UsageError and DataError."""
    name = TableName.parse(uri)
    with errors_of(uri):
        identity = identity_of_table(name, settings.project)
    return _open(uri, name, identity, settings, declared)


def has_bigquery(uri: str, settings: Settings) -> bool:
    """Return whether a table exists, also if it cannot be seen but perhaps read. Raises UsageError."""
    from google.api_core.exceptions import Forbidden, NotFound
    from google.cloud.bigquery import DatasetReference

    name = TableName.parse(uri)
    with errors_of(uri):
        reference = DatasetReference(name.project, name.dataset).table(name.table)
        try:
            client = query_client(settings.project or name.project)
            client.get_table(reference, retry=patience(), timeout=CALL_SECONDS)
        except NotFound:
            return False
        except Forbidden:
            return True
        return True


@dataclass(frozen=True)
class Query:
    """A query that was found to be one SELECT, and what is known before it runs.

    `identity` changes with its rows; it is None if that cannot be known. `parameters` are the days that it names.
    """

    text: str
    processed_bytes: int
    identity: str | None
    parameters: Mapping[str, date] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """The URI of its rows, whose table has another name each time."""
        days = "".join(f"\n@{name} {day.isoformat()}" for name, day in self.parameters.items())
        return f"{SCHEME}query/{hashlib.sha256((self.text.strip() + days).encode()).hexdigest()[:16]}"


def check_query(text: str, settings: Settings) -> Query:
    """Look at a query, which costs nothing. Raises UsageError, also if it is not one SELECT."""
    parameters = settings.dates.parameters(text)
    known = dry_run(text, settings.project, parameters)
    with errors_of("--query"):
        tables = known.tables
        identity = None if tables is None else identity_of_query(text, tables, settings.project, parameters)
    return Query(text, known.processed_bytes, identity, parameters)


def open_query(
    query: Query, settings: Settings, declared: Mapping[str, Kind], waiting: Waiting | None = None
) -> BigQueryTable:
    """Run a query, which costs, and open the table with its rows; see `run_query`. Raises UsageError and DataError."""
    name = run_query(query.text, settings.project, waiting, query.parameters)
    return _open(query.uri, name, query.identity, settings, declared)


def _open(
    uri: str, name: TableName, identity: str | None, settings: Settings, declared: Mapping[str, Kind]
) -> BigQueryTable:
    with errors_of(uri), _hint(uri, name):
        sessions = Sessions(name, settings)
        session = sessions.open()
        found = columns_of(uri, schema_of(session), settings.flatten)
        _, chosen = found.chosen_by(uri, settings, declared)
        some = [".".join(column.path) for column in chosen.usable.values()]
        is_narrower = len(some) < len(found.names)
        wanted = sessions.wanted(session)
        if session.streams and (is_narrower or len(session.streams) < wanted):
            session = sessions.open(some if is_narrower else (), wanted)
        if not session.streams:
            raise DataError(f"{uri}: has no rows")
        streams = sessions.split(session)
    weighing = weighing_of(settings)
    if weighing is not None:
        _check_weight(uri, weighing, chosen.usable)
    info = SourceInfo(
        uri,
        FORMAT,
        # Estimates may be 0, and streams are cut at bytes.
        max(size_of(session), len(streams)),
        tuple(chosen.usable),
        with_lists=chosen.with_lists,
        left_out=chosen.unusable,
        most_units=len(streams),
        redacted=settings.columns.redacted,
    )
    kinds = _kinds(uri, chosen.usable, declared)
    content = identity or f"bigquery-session:{session.name}"
    return BigQueryTable(info, streams, kinds, content, chosen.usable, frozenset(declared), weighing)


def _kinds(uri: str, columns: Mapping[str, Column], declared: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return the kinds of columns, whose values are not known: STRING if they may be beyond int64. Raises DataError."""
    kinds = {}
    for name, column in columns.items():
        kinds[name] = declared.get(name) or (column.kind if column.is_bounded else Kind.STRING)
        if not column.can_be(kinds[name]):
            raise DataError(f"{uri}: column {name!r} is {column.kind.name}, not {declared[name].name} as declared")
    return kinds


def _check_weight(uri: str, weighing: Weighing, columns: Mapping[str, Column]) -> None:
    column = columns.get(weighing.weight)
    if column is not None and not column.is_number:
        told = f"the --weight_feature, is of type {column.type}, which is not a number"
        raise DataError(f"{uri}: column {weighing.weight!r}, {told}")


@contextmanager
def _hint(uri: str, name: TableName) -> Iterator[None]:
    """Say how to read what is not a stored table: a view, an external table, or several tables by a wildcard."""
    from google.api_core.exceptions import FailedPrecondition, InvalidArgument, MethodNotImplemented, NotFound

    try:
        yield
    except (InvalidArgument, FailedPrecondition, MethodNotImplemented, NotFound) as error:
        if isinstance(error, NotFound) and "*" not in name.table:
            raise
        way = f"use --query 'SELECT * FROM `{name}`'"
        raise UsageError(f"{uri}: BigQuery refused: {one_line(error)}; {way}") from error
