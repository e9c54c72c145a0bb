"""Objects in Google Cloud Storage by Google's own client, which is imported in a fifth of the time that Beam takes.

What goes wrong is a StorageError of one line. Without credentials objects are read anonymously, as public ones can be.
"""

from __future__ import annotations

import http.client
import io
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from beam_taxi.errors import StorageError

SCHEME = "gs://"
LOG_IN = "gcloud auth application-default login"
_BUFFER_BYTES = 4 << 20
_LOOK_SECONDS = 30.0
_WILD = re.compile(r"[*?\[]")
_PAIRS = {
    "NAM4": ("US-CENTRAL1", "US-EAST1"),
    "EUR4": ("EUROPE-NORTH1", "EUROPE-WEST4"),
    "ASIA1": ("ASIA-NORTHEAST1", "ASIA-NORTHEAST2"),
}
_TODO = {
    401: f"log in with `{LOG_IN}`",
    403: "who runs this needs it: `gcloud storage buckets add-iam-policy-binding gs://{bucket} "
    "--role roles/storage.objectAdmin --member user:YOU`",
    404: "`gcloud storage ls gs://{bucket}` shows what is there",
}


def split(uri: str) -> tuple[str, str]:
    """Return the bucket of a gs:// URI, and the name of the object or the pattern."""
    bucket, _, name = uri.removeprefix(SCHEME).partition("/")
    return bucket, name


def match(pattern: str) -> list[tuple[str, int, float]]:
    """Return URI, size in bytes and time of change of the objects; `*` stays within a folder, `**` does not."""
    bucket, name = split(pattern)
    fixed = _WILD.split(name, maxsplit=1)[0]
    with _told(pattern):
        one = _bucket(bucket).get_blob(name, retry=_looking()) if fixed == name else None
        # Where there is no such object a list also tells whether there is the bucket.
        most = 1 if fixed == name else None
        blobs = [one] if one else _client().list_blobs(bucket, prefix=fixed, max_results=most, retry=_looking())
        chosen = re.compile(_translate(name))
        return [
            (f"{SCHEME}{bucket}/{blob.name}", blob.size, blob.updated.timestamp())
            for blob in blobs
            if chosen.fullmatch(blob.name)
        ]


def exists(uri: str) -> bool:
    """Tell whether there is an object, or any below it."""
    bucket, name = split(uri)
    with _told(uri):
        below = _client().list_blobs(bucket, prefix=f"{name}/", max_results=1, retry=_looking())
        return any(True for _ in below) or _bucket(bucket).get_blob(name, retry=_looking()) is not None


def open_object(uri: str) -> BinaryIO:
    """Open an object for reading as it is stored; seekable."""
    return cast(BinaryIO, io.BufferedReader(_Object(uri), _BUFFER_BYTES))


def upload(uri: str, file: BinaryIO) -> None:
    """Make an object of a whole local file; it is seen when all of it has arrived."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    bucket, name = split(uri)
    size = file.seek(0, os.SEEK_END)
    with _told(uri):
        # Sent again it is the same object, so that a retry does no harm.
        _bucket(bucket).blob(name).upload_from_file(file, rewind=True, size=size, retry=DEFAULT_RETRY)


class _Object(io.RawIOBase):
    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._position = 0
        bucket, name = split(uri)
        with _told(uri):
            self._blob = _bucket(bucket).get_blob(name, retry=_looking())
        if self._blob is None:
            raise StorageError(f"{uri}: there is no such object")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._blob.size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        from google.cloud.storage.retry import DEFAULT_RETRY

        end = min(self._position + len(buffer), self._blob.size)
        if self._position >= end:
            return 0
        with _told(self._uri):
            data = self._blob.download_as_bytes(
                start=self._position, end=end - 1, raw_download=True, retry=DEFAULT_RETRY, checksum=None
            )
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _translate(pattern: str) -> str:
    """Return the regular expression of a pattern."""
    kinds = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?|\[[^\]]+\])", pattern)
    sets = [part.replace("[!", "[^") if len(part) > 2 and part[0] == "[" else re.escape(part) for part in parts]
    return "".join(kinds.get(part, chosen) for part, chosen in zip(parts, sets, strict=True))


def location(bucket: str) -> tuple[str, tuple[str, ...]]:
    """Return a bucket's location, and the regions that are known to hold it. Raises StorageError with its `code`."""
    with _told(SCHEME + bucket):
        found = _client().get_bucket(bucket, retry=_looking())
    place = str(found.location or "").upper()
    return place, _PAIRS.get(place, tuple(str(one).upper() for one in found.data_locations or [place]))


def granted(bucket: str, permissions: tuple[str, ...]) -> set[str]:
    """Return which of some permissions on a bucket the caller has. Raises StorageError with its `code`."""
    with _told(SCHEME + bucket):
        return set(_bucket(bucket).test_iam_permissions(list(permissions)))


def member() -> str:
    """Return the caller as IAM names it, as far as the credentials tell."""
    from google.auth import default
    from google.auth.exceptions import GoogleAuthError

    try:
        email = getattr(default()[0], "service_account_email", None)
    except GoogleAuthError:
        email = None
    return f"serviceAccount:{email}" if email and email != "default" else "user:YOU"


def has_credentials() -> bool:
    """Tell whether Google's libraries will find credentials, in a second; they look for 20 s for ones not there."""
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


@cache
def _client() -> Any:
    # Python versions that Google's clients will not support one day.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from google.cloud import storage

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return storage.Client(project="emulated")
    if not has_credentials():
        return storage.Client.create_anonymous_client()
    # A project is needed only to list or make buckets.
    return storage.Client(project=os.environ.get("GOOGLE_CLOUD_PROJECT", "none"))


def _bucket(name: str) -> Any:
    return _client().bucket(name)


def _looking() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(_LOOK_SECONDS)


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """Turn what Google's client raises into a StorageError."""
    import requests
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, requests.RequestException, ValueError, re.error) as error:
        fault = StorageError(f"{uri}: {_reason(error, split(uri)[0])}")
        fault.code = _code(error)
        raise fault from None


def _code(error: BaseException) -> int | None:
    code = getattr(getattr(error, "cause", None) or error, "code", None)
    return int(code) if code else None


def _reason(error: BaseException, bucket: str) -> str:
    """Return in one line what Google's client says, and what to do."""
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAuthError):
        absent = "it is not public, and there are no Google Cloud credentials here"
        said = " ".join(str(error).split())[:300] if has_credentials() else absent
        return f"{said}; log in with `{LOG_IN}`"
    cause = getattr(error, "cause", None) or error
    code = _code(error)
    details = getattr(cause, "errors", None)
    # An upload's failure holds the service's answer as text.
    answered = re.search(r'"message": ?"([^"]+)"', str(cause))
    told = details[0].get("message") if details else answered[1] if answered else getattr(cause, "message", None)
    text = f"{code or ''} {' '.join(str(told or cause).split())[:300]}".strip()
    return f"{text}; {_TODO.get(code or 0, 'try again').format(bucket=bucket)}"
