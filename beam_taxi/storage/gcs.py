"""Objects in Google Cloud Storage, through Google's own client.

Every error of the client becomes a one-line StorageError. Without credentials, objects are read anonymously, which
works for public ones.
"""

from __future__ import annotations

import http.client
import io
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from beam_taxi.errors import StorageError
from beam_taxi.storage.base import InputFile, RemoteFileSystem

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client

SCHEME = "gs://"
LOG_IN = "gcloud auth application-default login"
_READ_AHEAD_BYTES = 4 << 20
_LOOKUP_SECONDS = 30.0
_WILDCARD = re.compile(r"[*?\[]")
_ADVICE = {
    401: f"log in with `{LOG_IN}`",
    403: "grant access with `gcloud storage buckets add-iam-policy-binding gs://{bucket} "
    "--role roles/storage.objectAdmin --member user:YOU`",
    404: "`gcloud storage ls gs://{bucket}` lists what exists",
}


class CloudStorage(RemoteFileSystem):
    """Google Cloud Storage. A folder is a common prefix of objects."""

    def match(self, pattern: str) -> list[InputFile]:
        """Return the objects that match `pattern`."""
        bucket, name = split(pattern)
        with translated_errors(pattern):
            is_match = re.compile(_regular_expression(name)).fullmatch
            found = [
                InputFile(f"{SCHEME}{bucket}/{blob.name}", blob.size, blob.updated.timestamp())
                for blob in _candidates(bucket, name)
                if is_match(blob.name)
            ]
        return sorted(found, key=lambda file: file.uri)

    def exists(self, uri: str) -> bool:
        """Return whether an object exists, or any object below it."""
        bucket, name = split(uri)
        with translated_errors(uri):
            below = client().list_blobs(bucket, prefix=f"{name}/", max_results=1, retry=lookup_retry())
            return any(True for _ in below) or _get_blob(bucket, name) is not None

    def open(self, uri: str) -> BinaryIO:
        """Open an object for reading as it is stored, whatever its Content-Encoding.

        It is the generation at the time of opening; reading fails once it is replaced or deleted.
        """
        with translated_errors(uri):
            blob = _get_blob(*split(uri))
        if blob is None:
            raise StorageError(f"{uri}: object not found")
        return cast(BinaryIO, io.BufferedReader(_ObjectReader(uri, blob), _READ_AHEAD_BYTES))

    def _upload(self, uri: str, file: BinaryIO) -> None:
        from google.cloud.storage.retry import DEFAULT_RETRY

        bucket, name = split(uri)
        size = file.seek(0, os.SEEK_END)
        with translated_errors(uri):
            # A repeated upload writes the same object, so a retry is safe without a precondition.
            client().bucket(bucket).blob(name).upload_from_file(file, rewind=True, size=size, retry=DEFAULT_RETRY)


class _ObjectReader(io.RawIOBase):
    """One generation of an object, read by ranges. A BufferedReader around it reads ahead.

    The client's own reader, `Blob.open`, drops its buffer whenever a caller seeks backwards, so looking at a header
    three times would fetch it three times; and it finds the end of an object by requests that the service rejects.
    """

    def __init__(self, uri: str, blob: Blob) -> None:
        self._uri = uri
        self._blob = blob
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._blob.size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._download(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._download(self._blob.size)

    def _download(self, size: int) -> bytes:
        from google.cloud.storage.retry import DEFAULT_RETRY

        end = min(self._position + size, self._blob.size)
        if self._position >= end:
            return b""
        with translated_errors(self._uri):
            # The request names the generation, so a newer one is never read. The service has no checksums of ranges.
            data: bytes = self._blob.download_as_bytes(
                start=self._position, end=end - 1, raw_download=True, retry=DEFAULT_RETRY, checksum=None
            )
        self._position += len(data)
        return data


def split(uri: str) -> tuple[str, str]:
    """Return the bucket of a gs:// URI, and the name or the pattern of the object."""
    bucket, _, name = uri.removeprefix(SCHEME).partition("/")
    return bucket, name


def _get_blob(bucket: str, name: str) -> Blob | None:
    """Return the object with its properties, or None if it or its bucket does not exist."""
    return client().bucket(bucket).get_blob(name, retry=lookup_retry())


def _candidates(bucket: str, pattern: str) -> Iterable[Blob]:
    """Return the objects that may match a pattern."""
    prefix = _WILDCARD.split(pattern, maxsplit=1)[0]
    is_name = prefix == pattern
    if is_name and (blob := _get_blob(bucket, pattern)):
        return [blob]
    # If an object is not found, listing shows whether its bucket exists.
    restricted = {"max_results": 1} if is_name else {"match_glob": _service_glob(pattern)}
    listed: Iterable[Blob] = client().list_blobs(bucket, prefix=prefix, retry=lookup_retry(), **restricted)
    return listed


def _service_glob(pattern: str) -> str:
    """Return a glob for the service that matches at least what `pattern` matches.

    The service narrows the list, and _regular_expression decides: to the service, braces and backslashes are special,
    `**/` also matches no folder at all, and an unclosed bracket is an error.
    https://cloud.google.com/storage/docs/json_api/v1/objects/list#list-object-glob
    """
    return re.sub(r"(\[[^\]{}\\]+\])|\[[^\]]+\]|[\[\]{}\\]", lambda part: part[1] or "?", pattern)


def _regular_expression(pattern: str) -> str:
    """Return the regular expression of a pattern, by the rules of Beam's FileSystems."""
    wildcards = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?|\[[^\]]+\])", pattern)
    sets = [part.replace("[!", "[^") if len(part) > 2 and part[0] == "[" else re.escape(part) for part in parts]
    return "".join(wildcards.get(part, chosen) for part, chosen in zip(parts, sets, strict=True))


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


@contextmanager
def translated_errors(uri: str) -> Iterator[None]:
    """Turn what Google's client raises into a StorageError with the HTTP status, if any, as its `code`."""
    import requests
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, requests.RequestException, ValueError, re.error) as error:
        translated = StorageError(f"{uri}: {_reason(error, split(uri)[0])}")
        translated.code = _code(error)
        raise translated from error


def _code(error: BaseException) -> int | None:
    code = getattr(getattr(error, "cause", None) or error, "code", None)
    return int(code) if code else None


def _reason(error: BaseException, bucket: str) -> str:
    """Return in one line what the client reports, and how to fix it."""
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAuthError):
        no_credentials = "it is not public, and there are no Google Cloud credentials here"
        reported = _one_line(error) if has_credentials() else no_credentials
        return f"{reported}; log in with `{LOG_IN}`"
    cause = getattr(error, "cause", None) or error
    code = _code(error)
    details = getattr(cause, "errors", None)
    # The error of an upload contains the service's answer as text.
    answer = re.search(r'"message": ?"([^"]+)"', str(cause))
    message = details[0].get("message") if details else answer[1] if answer else getattr(cause, "message", None)
    text = f"{code or ''} {_one_line(message or cause)}".strip()
    return f"{text}; {_ADVICE.get(code or 0, 'try again').format(bucket=bucket)}"


def _one_line(message: object) -> str:
    return " ".join(str(message).split())[:300]
