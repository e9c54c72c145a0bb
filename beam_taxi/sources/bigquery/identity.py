"""What identifies the content of a table or of the rows of a query, without reading it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from beam_taxi.sources.bigquery.names import TableName
from beam_taxi.sources.bigquery.service import CALL_SECONDS, patience, query_client

_STORED = ("TABLE", "SNAPSHOT")
"""The types of tables that say themselves when their rows changed."""

# https://cloud.google.com/bigquery/docs/cached-results#cache-exceptions
_CHANGING = re.compile(
    r"\b(CURRENT_(DATE|DATETIME|TIME|TIMESTAMP)\b|(RAND|NOW|GENERATE_UUID|SESSION_USER|CURRENT_USER)\s*\(|TABLESAMPLE\b"
    r"|EXTERNAL_QUERY\s*\(|INFORMATION_SCHEMA\b)",
    re.IGNORECASE,
)


def identity_of_table(name: TableName, project: str | None) -> str | None:
    """Return a text that changes with the rows of a table, or None if the service does not tell.

    Call it before a read session is opened: then no later table has the identity of other rows.
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.bigquery import DatasetReference

    reference = DatasetReference(name.project, name.dataset).table(name.table)
    try:
        client = query_client(project or name.project)
        found = client.get_table(reference, retry=patience(), timeout=CALL_SECONDS)
    except (GoogleAPIError, GoogleAuthError, OSError, KeyError):
        # Whoever may read the rows need not be allowed to see this. Any other fault is reported when rows are read.
        return None
    # Rows that were just streamed in are not counted yet.
    if found.table_type not in _STORED or found.streaming_buffer is not None or found.modified is None:
        return None
    modified = found.modified.isoformat(timespec="milliseconds")
    return f"bigquery-table:{modified},{found.num_rows} rows,{found.num_bytes} bytes"


def identity_of_query(
    query: str, tables: Iterable[TableName], project: str | None, parameters: Mapping[str, date] | None = None
) -> str | None:
    """Return a text that changes with a query, its parameters and the rows of its tables.

    It is None if that cannot be known.
    """
    if _CHANGING.search(query):
        return None
    ordered = sorted(tables, key=str)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda table: identity_of_table(table, project), ordered)
        identities = dict(zip(map(str, ordered), found, strict=True))
    if None in identities.values():
        return None
    days = {name: day.isoformat() for name, day in (parameters or {}).items()}
    content = json.dumps([query.strip(), identities, *([days] if days else [])])
    return f"bigquery-query:{hashlib.sha256(content.encode()).hexdigest()}"
