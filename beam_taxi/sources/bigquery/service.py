"""The clients of BigQuery's two services, their patience, and their errors as one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beam_taxi.errors import UsageError, one_line
from beam_taxi.storage import credentials

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.bigquery import Client
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient

CALL_SECONDS = 30.0
"""How long an answer is waited for."""

_STORAGE_EMULATOR = "BIGQUERY_STORAGE_EMULATOR_HOST"
_RETRY_SECONDS = 10.0
_TRANSIENT_REASONS = ("rateLimitExceeded", "backendError", "internalError", "badGateway")


def query_client(project: str | None) -> Client:
    """Return a client of the service that runs queries and describes tables. Raises UsageError without a project."""
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import bigquery

    is_emulated = bool(os.environ.get("BIGQUERY_EMULATOR_HOST")) and not credentials.is_impersonated()
    if not is_emulated:
        _require_credentials()
    chosen = AnonymousCredentials() if is_emulated else credentials.credentials()
    try:
        return bigquery.Client(project, chosen)
    except (OSError, DefaultCredentialsError) as error:
        # Without a project, the client looks for that of the environment.
        raise UsageError("--project PROJECT is required: the project that pays for the query") from error


def read_client() -> BigQueryReadClient:
    """Return a client of the service that reads tables."""
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

    emulator = os.environ.get(_STORAGE_EMULATOR)
    if emulator is None:
        return BigQueryReadClient(credentials=credentials.credentials())
    import grpc

    # As the transport of the service itself: pages may have many megabytes, gRPC allows 4.
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(emulator, options=unlimited)
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def require_credentials_to_read() -> None:
    """Raise DefaultCredentialsError, as Google's libraries do, if a launch has no credentials to read with."""
    if _STORAGE_EMULATOR not in os.environ:
        _require_credentials()


def _require_credentials() -> None:
    """Raise DefaultCredentialsError if there are none; the search of Google's libraries for them takes seconds."""
    from google.auth.exceptions import DefaultCredentialsError

    if not credentials.has_credentials():
        raise DefaultCredentialsError("none were found")


def patience(seconds: float = _RETRY_SECONDS) -> Retry:
    """Return a policy that gives up after some seconds: the clients' own try for ten minutes, without a word."""
    from google.api_core.retry import Retry

    return Retry(is_transient, initial=0.25, timeout=seconds)


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may succeed a moment later."""
    from google.api_core import exceptions
    from google.auth.exceptions import TransportError
    from requests import exceptions as http

    if isinstance(error, http.SSLError):
        return False
    if isinstance(error, exceptions.Forbidden):
        return any(isinstance(one, dict) and one.get("reason") in _TRANSIENT_REASONS for one in error.errors)
    known = (
        *(exceptions.ServiceUnavailable, exceptions.TooManyRequests, exceptions.InternalServerError),
        *(exceptions.BadGateway, exceptions.GatewayTimeout, exceptions.Aborted),
        *(http.ConnectionError, http.Timeout, http.ChunkedEncodingError, TransportError),
    )
    return isinstance(error, known)


@contextmanager
def errors_of(what: str) -> Iterator[None]:
    """Turn errors of Google's clients into a one-line UsageError."""
    from google.api_core.exceptions import GoogleAPIError, RetryError
    from google.auth.exceptions import GoogleAuthError, TransportError

    try:
        yield
    except (RetryError, TransportError, OSError) as error:
        cause = getattr(error, "cause", None) or error
        raise UsageError(f"{what}: BigQuery cannot be reached: {one_line(cause)}; try again later") from error
    except GoogleAuthError as error:
        raise UsageError(
            f"{what}: no credentials for BigQuery: {str(error).splitlines()[0]} "
            "(run `gcloud auth application-default login`)"
        ) from error
    except (GoogleAPIError, ValueError) as error:
        raise UsageError(f"{what}: BigQuery refused: {one_line(error)}") from error
