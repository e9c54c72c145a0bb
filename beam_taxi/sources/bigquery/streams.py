"""Read sessions: which columns they ask for, and the streams that hold their rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa

from beam_taxi.settings import Settings
from beam_taxi.sources.bigquery.names import TableName
from beam_taxi.sources.bigquery.service import (
    CALL_SECONDS,
    is_transient,
    patience,
    read_client,
    require_credentials_to_read,
)
from beam_taxi.sources.unit_count import MOST_UNITS, units_for

if TYPE_CHECKING:
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.types import ReadSession

_MOST_STREAMS = 1000
"""A session begins with no more streams than these."""
_FIRST_PAUSE = 0.1


class Sessions:
    """Opens read sessions of a table; each has the rows of the moment at which the service opens it."""

    def __init__(self, name: TableName, settings: Settings) -> None:
        self._name = name
        self._settings = settings
        require_credentials_to_read()
        self._client = read_client()

    def open(self, columns: Sequence[str] = (), streams: int = 0) -> ReadSession:
        """Open a session of some columns, or all, that has at least so many streams if the service can."""
        from google.cloud.bigquery_storage_v1 import types

        shards = min(self._settings.num_shards or 0, _MOST_STREAMS)
        return self._client.create_read_session(
            types.CreateReadSessionRequest(
                parent=f"projects/{self._settings.project or self._name.project}",
                read_session=types.ReadSession(
                    table=self._name.resource,
                    data_format=types.DataFormat.ARROW,
                    read_options=types.ReadSession.TableReadOptions(selected_fields=columns),
                ),
                max_stream_count=shards,
                preferred_min_stream_count=min(streams or shards, _MOST_STREAMS),
            ),
            retry=patience(),
            timeout=CALL_SECONDS,
        )

    def wanted(self, session: ReadSession) -> int:
        """Return how many streams a session should have: one for each unit."""
        return min(units_for(size_of(session), self._settings), MOST_UNITS)

    def split(self, session: ReadSession) -> tuple[str, ...]:
        """Return the streams of a session, split until there is one for each unit, or the service splits no more."""
        names = [stream.name for stream in session.streams]
        wanted = self.wanted(session)
        shares = [wanted * (i + 1) // len(names) - wanted * i // len(names) for i in range(len(names))]
        pieces = list(zip(names, shares, strict=True))
        with ThreadPoolExecutor(16) as pool:
            while any(share > 1 for _, share in pieces):
                pieces = [piece for found in pool.map(self._halve, *zip(*pieces, strict=True)) for piece in found]
        return tuple(name for name, _ in pieces)

    def _halve(self, name: str, share: int) -> list[tuple[str, int]]:
        """Split a stream that should become several, whose numbers are the shares of the two parts."""
        from google.api_core.exceptions import GoogleAPIError

        if share < 2:
            return [(name, share)]
        first = share // 2
        request = {"name": name, "fraction": first / share}
        try:
            found = self._client.split_read_stream(request, retry=patience(), timeout=CALL_SECONDS)
        except GoogleAPIError:
            # The stream can be read as it is.
            return [(name, 1)]
        parts = (found.primary_stream.name, found.remainder_stream.name)
        return [(parts[0], first), (parts[1], share - first)] if all(parts) else [(name, 1)]


def size_of(session: ReadSession) -> int:
    """Return how many bytes the service expects to read."""
    return max(1, int(session.estimated_total_bytes_scanned))


def schema_of(session: ReadSession) -> pa.Schema:
    """Return the schema of the rows."""
    return pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))


def pages(client: BigQueryReadClient, stream: str, seconds: float) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a stream; go on after a transient error, unless no rows have come for some seconds.

    Raises GoogleAPIError.
    """
    from google.api_core.exceptions import GoogleAPICallError

    offset, since, pause = 0, time.monotonic(), _FIRST_PAUSE
    while True:
        try:
            # The client goes on by itself after some of these errors.
            for page in client.read_rows(stream, offset, retry=patience(seconds)).rows().pages:
                rows = page.to_arrow()
                yield rows
                offset, since, pause = offset + len(rows), time.monotonic(), _FIRST_PAUSE
            return
        except GoogleAPICallError as error:
            if not is_transient(error) or time.monotonic() - since + pause > seconds:
                raise
        time.sleep(pause)
        pause *= 2
