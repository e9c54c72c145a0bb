"""Objects in Google Cloud Storage, through Google's own client.

Every error of the client becomes a one-line StorageError. Without credentials, objects are read anonymously, which
works for public ones.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from beam_taxi.errors import StorageError, UsageError
from beam_taxi.storage.base import InputFile, RemoteFileSystem
from beam_taxi.storage.credentials import LOG_IN, has_credentials
from beam_taxi.storage.gcs_client import SCHEME, bucket_of, client, lookup_retry
from beam_taxi.storage.gcs_errors import translated_errors

if TYPE_CHECKING:
    from google.cloud.storage import Blob

__all__ = ["LOG_IN", "SCHEME", "CloudStorage", "client", "has_credentials", "split"]

_READ_AHEAD_BYTES = 4 << 20
_HEAD_BYTES = 64 << 10
_WILDCARD = re.compile(r"[*?\[]")
_BUCKET = re.compile(r"[a-z0-9]([a-z0-9._-]{0,220}[a-z0-9])?")


class CloudStorage(RemoteFileSystem):
    """Google Cloud Storage. A folder is a common prefix of objects."""

    def check_uri(self, uri: str) -> None:
        """Raise UsageError if a URI has no valid bucket, or its name is not valid UTF-8."""
        bucket, name = split(uri)
        if not bucket:
            raise UsageError(f"{uri}: has no bucket; is a variable unset?")
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(f"{uri}: {bucket!r} is not the name of a bucket")
        if name.startswith("/"):
            raise UsageError(f"{uri}: the name begins with a slash; is a variable unset?")
        if not name.isprintable():
            raise UsageError(f"{uri!r}: the name has characters that cannot be printed")

    def match(self, pattern: str) -> list[InputFile]:
        """Return the objects that match `pattern`. The placeholder of a folder, whose name ends in /, is none."""
        from google.api_core.exceptions import Forbidden

        bucket, name = split(pattern)
        with translated_errors(pattern):
            is_pattern = bool(_WILDCARD.search(name))
            exact = None
            if name and not name.endswith("/"):
                # Without permission to list, a missing object is forbidden, not missing.
                with suppress(Forbidden) if is_pattern else nullcontext():
                    exact = _get_blob(bucket, name)
            if exact is not None:
                return [_input_file(exact)]
            if not is_pattern:
                self._refuse_folder(pattern)
                return []
            is_match = re.compile(_regular_expression(name)).fullmatch
            prefix = _WILDCARD.split(name, maxsplit=1)[0]
            listed: Iterable[Blob] = client().list_blobs(
                bucket_of(bucket), prefix=prefix, match_glob=_service_glob(name), retry=lookup_retry()
            )
            found = [_input_file(blob) for blob in listed if is_match(blob.name) and not blob.name.endswith("/")]
        return sorted(found, key=lambda file: file.uri)

    def match_below(self, pattern: str) -> list[InputFile]:
        """Return the objects that match `pattern`, and all objects below folders that match it."""
        bucket, name = split(pattern)
        if not _WILDCARD.search(name):
            exact = self.stat(pattern) if name and not name.endswith("/") else None
            return [exact] if exact is not None else self._objects_below(bucket, name, pattern)
        found = {file.uri: file for file in self.match(pattern)}
        # A pattern with a suffix names files; a second list of objects would be slow and never find more.
        if "." not in name.rpartition("/")[2]:
            found.update((file.uri, file) for file in self.match(f"{pattern.rstrip('/')}/**"))
        return [found[uri] for uri in sorted(found)]

    def _objects_below(self, bucket: str, folder: str, uri: str) -> list[InputFile]:
        prefix = f"{folder.rstrip('/')}/" if folder.strip("/") else ""
        with translated_errors(uri):
            listed: Iterable[Blob] = client().list_blobs(bucket_of(bucket), prefix=prefix, retry=lookup_retry())
            return [_input_file(blob) for blob in listed if not blob.name.endswith("/")]

    def _refuse_folder(self, uri: str) -> None:
        """Raise UsageError if a name without wildcards is that of a bucket or a folder."""
        bucket, name = split(uri)
        folder = f"{name.rstrip('/')}/" if name.strip("/") else ""
        # The listing also shows whether the bucket exists.
        below = client().list_blobs(bucket_of(bucket), prefix=folder, max_results=1, retry=lookup_retry())
        if any(True for _ in below) or not folder:
            raise UsageError(f"{uri}: is a {'folder' if folder else 'bucket'}; use {SCHEME}{bucket}/{folder}*.csv")

    def stat(self, uri: str) -> InputFile | None:
        """Return the object with this name."""
        with translated_errors(uri):
            blob = _get_blob(*split(uri))
        return None if blob is None else _input_file(blob)

    def exists(self, uri: str) -> bool:
        """Return whether an object exists, or any object below it."""
        bucket, name = split(uri)
        with translated_errors(uri):
            below = client().list_blobs(bucket_of(bucket), prefix=f"{name}/", max_results=1, retry=lookup_retry())
            return any(True for _ in below) or _get_blob(bucket, name) is not None

    def open(self, uri: str) -> BinaryIO:
        """Open an object for reading as it is stored, whatever its Content-Encoding.

        It is the generation at the time of opening; reading fails once it is replaced or deleted.
        """
        file = self.stat(uri)
        if file is None:
            raise StorageError(f"{uri}: object not found")
        return _buffered(_ObjectReader(file, _READ_AHEAD_BYTES))

    def open_head(self, file: InputFile) -> BinaryIO:
        """Open the generation of an object that was matched; what is read ahead grows from 64 KiB to 4 MiB."""
        return _buffered(_ObjectReader(file, _HEAD_BYTES))

    def _names(self, run_uri: str) -> Iterator[str]:
        bucket, name = split(run_uri)
        with translated_errors(run_uri):
            for blob in client().list_blobs(bucket_of(bucket), prefix=f"{name}/", retry=lookup_retry()):
                yield blob.name.removeprefix(f"{name}/")

    def _upload(self, uri: str, file: BinaryIO) -> None:
        from google.api_core.exceptions import PreconditionFailed
        from google.cloud.storage.retry import DEFAULT_RETRY

        # A unit that runs again finds its shard, and need not send it.
        if self.stat(uri) is not None:
            raise FileExistsError(uri)
        bucket, name = split(uri)
        size = file.seek(0, os.SEEK_END)
        with translated_errors(uri, writes=True):
            try:
                bucket_of(bucket).blob(name).upload_from_file(
                    file, rewind=True, size=size, if_generation_match=0, retry=DEFAULT_RETRY
                )
            except PreconditionFailed as error:
                raise FileExistsError(uri) from error

    def _delete(self, uri: str) -> None:
        from google.api_core.exceptions import NotFound

        bucket, name = split(uri)
        with translated_errors(uri, writes=True):
            try:
                bucket_of(bucket).blob(name).delete(retry=lookup_retry())
            except NotFound:
                return


class _ObjectReader(io.RawIOBase):
    """One generation of an object, read by ranges. A BufferedReader around it reads ahead.

    `ahead` is how many bytes a small read fetches; it doubles with each, up to 4 MiB.

    The client's own reader, `Blob.open`, drops its buffer whenever a caller seeks backwards, so looking at a header
    three times would fetch it three times; and it finds the end of an object by requests that the service rejects.
    """

    def __init__(self, file: InputFile, ahead: int) -> None:
        self._file = file
        self._ahead = ahead
        bucket, name = split(file.uri)
        self._blob = bucket_of(bucket).blob(name, generation=int(file.version))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._file.size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        if size <= _READ_AHEAD_BYTES:
            size = min(size, self._ahead)
            self._ahead = min(2 * self._ahead, _READ_AHEAD_BYTES)
        data = self._download(size)
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._download(self._file.size)

    def _download(self, size: int) -> bytes:
        from google.cloud.storage.retry import DEFAULT_RETRY

        end = min(self._position + size, self._file.size)
        if self._position >= end:
            return b""
        with translated_errors(self._file.uri):
            # The request names the generation, so a newer one is never read. The service has no checksums of ranges.
            data: bytes = self._blob.download_as_bytes(
                start=self._position, end=end - 1, raw_download=True, retry=DEFAULT_RETRY, checksum=None
            )
        self._position += len(data)
        return data


def _buffered(reader: _ObjectReader) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(reader, _READ_AHEAD_BYTES))


def _input_file(blob: Blob) -> InputFile:
    return InputFile(f"{SCHEME}{blob.bucket.name}/{blob.name}", blob.size, str(blob.generation))


def split(uri: str) -> tuple[str, str]:
    """Return the bucket of a gs:// URI, and the name or the pattern of the object."""
    bucket, _, name = uri.removeprefix(SCHEME).partition("/")
    return bucket, name


def _get_blob(bucket: str, name: str) -> Blob | None:
    """Return the object with its properties, or None if it or its bucket does not exist."""
    return bucket_of(bucket).get_blob(name, retry=lookup_retry())


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
