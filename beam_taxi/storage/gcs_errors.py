"""What Cloud Storage's client raises, as one line that says how to fix it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from beam_taxi.errors import StorageError, one_line
from beam_taxi.storage.credentials import LOG_IN, account, has_credentials
from beam_taxi.storage.gcs_client import SCHEME, is_away

_ROLES = {
    "storage.buckets.get": "roles/storage.legacyBucketReader",
    "storage.objects.get": "roles/storage.objectViewer",
    "storage.objects.list": "roles/storage.objectViewer",
    "storage.objects.create": "roles/storage.objectUser",
    "storage.objects.delete": "roles/storage.objectUser",
}
"""The least role that has a permission and is enough for a run. https://cloud.google.com/storage/docs/access-control/iam-roles"""

_REASONS = {
    r"requester pays|no user project": "the bucket bills its readers: pass --project PROJECT, the one to bill",
    r"prohibited by organization's policy|vpcServiceControls|VPC_SERVICE_CONTROLS": "a VPC Service Controls perimeter "
    "is in the way: launch from inside it, or have its administrator admit this account",
    r"cloud ?kms|cryptoKey": "the bucket's key cannot be used: grant roles/cloudkms.cryptoKeyEncrypterDecrypter on it "
    "to the Cloud Storage service agent, which `gcloud storage service-agent` prints",
    r"billing": "the project that owns the bucket has no active billing account: "
    "`gcloud billing projects link PROJECT --billing-account ACCOUNT`",
    r"retention policy|object hold|event-based hold": "the bucket keeps its objects for a time: use another --output",
    r"has not been used in project|SERVICE_DISABLED|is disabled": "`gcloud services enable storage.googleapis.com`",
    r"quota|rate ?limit": "try again later, or raise the quota",
}
"""What to do, by a part of the service's answer."""

_STATUSES = {
    401: f"log in with `{LOG_IN}`",
    404: "`gcloud storage ls gs://{bucket}` lists what exists",
    412: "another process has changed the object",
    429: "try again later",
}


@contextmanager
def translated_errors(uri: str, writes: bool = False) -> Iterator[None]:
    """Turn what Google's client raises into a StorageError with the HTTP status, if any, as its `code`.

    `writes` means that the block needs permission to write.
    """
    import requests
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, requests.RequestException, ValueError, re.error) as error:
        translated = StorageError(f"{uri}: {_reason(error, uri.removeprefix(SCHEME).partition('/')[0], writes)}")
        translated.code = _code(error)
        raise translated from error


def advice(code: int | None, message: str, bucket: str, writes: bool = False) -> str:
    """Return how to fix what the service reports, by its reason rather than by the status alone."""
    for pattern, fix in _REASONS.items():
        if re.search(pattern, message, re.IGNORECASE):
            return fix
    if code == 403:
        member, permission = _denied(message)
        role = _ROLES.get(permission, f"roles/storage.{'objectUser' if writes else 'objectViewer'}")
        command = f"gcloud storage buckets add-iam-policy-binding gs://{bucket} --member {member} --role {role}"
        return f"grant access with `{command}`"
    return _STATUSES.get(code or 0, "try again").format(bucket=bucket)


def _denied(message: str) -> tuple[str, str]:
    """Return who lacks which permission, as far as the message says: on a worker it is the worker's account."""
    found = re.search(r"([\w.+-]+@[\w.-]+) does not have ([\w.]+)", message)
    email = found[1] if found else account()
    kind = "serviceAccount" if email and email.endswith("gserviceaccount.com") else "user"
    permission = found[2] if found else next((name for name in _ROLES if name in message), "")
    return f"{kind}:{email or 'YOU'}", permission


def _code(error: BaseException) -> int | None:
    code = getattr(getattr(error, "cause", None) or error, "code", None)
    return int(code) if isinstance(code, int) else None


def _reason(error: BaseException, bucket: str, writes: bool) -> str:
    """Return in one line what the client reports, and how to fix it."""
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAuthError):
        no_credentials = "it is not public, and there are no Google Cloud credentials here"
        reported = one_line(error.args[0] if error.args else error) if has_credentials() else no_credentials
        return f"{reported}; log in with `{LOG_IN}`"
    cause = getattr(error, "cause", None) or error
    if is_away(cause):
        return f"Cloud Storage does not answer at {_host(cause)}; check the network"
    code = _code(error)
    details = getattr(cause, "errors", None)
    # The error of an upload contains the service's answer as text.
    answer = re.search(r'"message": ?"([^"]+)"', str(cause))
    message = details[0].get("message") if details else answer[1] if answer else getattr(cause, "message", None)
    text = f"{code or ''} {one_line(message or cause)}".strip()
    return f"{text}; {advice(code, f'{message} {cause} {details}', bucket, writes)}"


def _host(error: BaseException) -> str:
    """Return the host of the request that got no answer."""
    request = getattr(error, "request", None)
    return urlsplit(str(getattr(request, "url", ""))).netloc
