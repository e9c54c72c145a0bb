"""Google's client of Cloud Storage, and its time limits."""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from beam_taxi.storage import credentials

if TYPE_CHECKING:
    from google.cloud.storage import Bucket, Client

SCHEME = "gs://"
_LOOKUP_SECONDS = 30.0


@cache
def client() -> Client:
    """Return Google's client, one per process."""
    # The client warns of Python versions that it will stop supporting one day.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from google.cloud import storage

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        chosen = credentials.credentials() if credentials.is_impersonated() else None
        return storage.Client(project="emulated", credentials=chosen)
    if not credentials.has_credentials():
        return storage.Client.create_anonymous_client()
    # A project is needed only to list or create buckets.
    return storage.Client(project=credentials.project() or "none", credentials=credentials.credentials())


# Two processes cannot share a connection.
os.register_at_fork(after_in_child=client.cache_clear)


def bucket_of(name: str) -> Bucket:
    """Return a bucket by name. If it bills its readers, the project of the launch pays."""
    return client().bucket(name, user_project=_payer(name, credentials.project()))


@cache
def _payer(bucket: str, project: str | None) -> str | None:
    """Return the project if a bucket bills its readers. To name one always would need a permission on the project."""
    from google.api_core.exceptions import BadRequest, GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    if project is None:
        return None
    try:
        next(iter(client().list_blobs(bucket, max_results=1, retry=lookup_retry())), None)
    except BadRequest as error:
        return project if "requester pays" in str(error) else None
    except (GoogleAPIError, GoogleAuthError, OSError, ValueError):
        # The call that is made next reports it.
        return None
    return None


def lookup_retry() -> Any:
    """Return the retry policy of lookups, which give up after 30 s, and at once if nothing answers at the address."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    def is_transient(error: Exception) -> bool:
        return not is_away(error) and bool(DEFAULT_RETRY._predicate(error))

    return DEFAULT_RETRY.with_predicate(is_transient).with_timeout(_LOOKUP_SECONDS)


def is_away(error: BaseException) -> bool:
    """Return whether nothing answers at the address, or its name has none."""
    from requests import ConnectionError
    from urllib3.exceptions import ConnectTimeoutError

    # NewConnectionError and NameResolutionError are ConnectTimeoutErrors.
    reason = getattr(error.args[0], "reason", None) if isinstance(error, ConnectionError) and error.args else None
    return isinstance(getattr(reason, "original_error", reason), ConnectTimeoutError)
