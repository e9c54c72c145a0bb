"""Queries: what they would process, and the temporary tables of their rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from beam_taxi.errors import UsageError, one_line
from beam_taxi.sources.bigquery.names import TableName
from beam_taxi.sources.bigquery.service import CALL_SECONDS, errors_of, patience, query_client

if TYPE_CHECKING:
    from google.cloud.bigquery import QueryJob, QueryJobConfig

_POLL_SECONDS = 1.0
_ONE_SELECT = "must be one SELECT statement"
_MOST_TABLES = 50
"""A dry run lists no more tables than these."""

Waiting = Callable[[float], None]


@dataclass(frozen=True)
class DryRun:
    """What is known about a query before it costs anything: the bytes that it would process, and its tables.

    `tables` is None if they are not all known.
    """

    processed_bytes: int
    tables: tuple[TableName, ...] | None


def dry_run(query: str, project: str | None, parameters: Mapping[str, date] | None = None) -> DryRun:
    """Ask what a query would do, which costs nothing. Raises UsageError, also if the query is not one SELECT.

    `parameters` are the days that the query names.
    """
    with errors_of("--query"):
        config = _config(parameters)
        config.dry_run, config.use_query_cache = True, False
        job = query_client(project).query(query, config, retry=patience(), job_retry=None, timeout=CALL_SECONDS)
        _check_statement(job)
        tables = tuple(TableName(one.project, one.dataset_id, one.table_id) for one in job.referenced_tables)
        # Functions may read more, from anywhere.
        are_known = len(tables) < _MOST_TABLES and not _functions(job)
        return DryRun(int(job.total_bytes_processed or 0), tables if are_known else None)


def run_query(
    query: str,
    project: str | None,
    waiting: Waiting | None = None,
    parameters: Mapping[str, date] | None = None,
) -> TableName:
    """Run a query, which costs, and return the temporary table with its rows. Raises UsageError.

    `waiting` is called again and again with the seconds that the query has been running. Ask `dry_run` first.
    """
    with errors_of("--query"):
        client, config = query_client(project), _config(parameters)
        job = client.query(query, config, retry=patience(), job_retry=None, timeout=CALL_SECONDS)
        started = time.monotonic()
        while not job.done(retry=patience(), timeout=CALL_SECONDS):
            if waiting is not None:
                waiting(time.monotonic() - started)
            time.sleep(_POLL_SECONDS)
        if job.error_result is not None:
            raise UsageError(f"--query: BigQuery refused: {one_line(job.error_result.get('message', 'it failed'))}")
        _check_statement(job)
        table = job.destination
    if table is None:
        raise UsageError(f"--query: {_ONE_SELECT}")
    return TableName(table.project, table.dataset_id, table.table_id)


def _config(parameters: Mapping[str, date] | None) -> QueryJobConfig:
    from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

    days = (parameters or {}).items()
    return QueryJobConfig(query_parameters=[ScalarQueryParameter(name, "DATE", day) for name, day in days])


def _check_statement(job: QueryJob) -> None:
    # Stand-ins of the service may not tell the type.
    if job.statement_type not in (None, "SELECT"):
        raise UsageError(f"--query: {_ONE_SELECT}, not {job.statement_type}")


def _functions(job: QueryJob) -> object:
    """Return the functions that a query calls; the client has no property for them."""
    return job._properties.get("statistics", {}).get("query", {}).get("referencedRoutines")
