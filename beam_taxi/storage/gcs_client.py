"""Google's client of Cloud Storage, its credentials and its time limits."""

from __future__ import annotations

import http.client
import os
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.cloud.storage import Client

SCHEME = "gs://"
LOG_IN = "gcloud auth application-default login"
_LOOKUP_SECONDS = 30.0
_CONNECTIONS = 32


def has_credentials() -> bool:
    """Return within a second whether Google's libraries find credentials; without any, their search takes 20 s."""
    from google.auth import environment_vars
    from google.auth._cloud_sdk import get_application_default_credentials_path

    if os.environ.get(environment_vars.CREDENTIALS) or Path(get_application_default_credentials_path()).is_file():
        return True
    # Machines of other clouds have a server at this address too.
    server = http.client.HTTPConnection(
        os.environ.get(environment_vars.GCE_METADATA_HOST, "169.254.169.254"), timeout=1
    )
    try:
        server.request("GET", "/", headers={"Metadata-Flavor": "Google"})
        return server.getresponse().getheader("Metadata-Flavor") == "Google"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        server.close()


def account() -> str:
    """Return the e-mail address of the service account whose credentials are used here, empty if it is not known."""
    from google.auth import default
    from google.auth.exceptions import GoogleAuthError

    try:
        email = getattr(default()[0], "service_account_email", None)
    except GoogleAuthError:
        return ""
    return str(email) if email and email != "default" else ""


@cache
def client() -> Client:
    """Return Google's client, one per process."""
    # The client warns of Python versions that it will stop supporting one day.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from google.cloud import storage

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return storage.Client(project="emulated")
    if not has_credentials():
        return storage.Client.create_anonymous_client()
    # A project is needed only to list or create buckets.
    return storage.Client(project=os.environ.get("GOOGLE_CLOUD_PROJECT", "none"))


def lookup_retry() -> Any:
    """Return the retry policy of lookups, which give up after 30 s."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(_LOOKUP_SECONDS)
