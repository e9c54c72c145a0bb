"""Files on disk and in object stores behind one set of functions.

Local paths use the standard library and gs:// Google's client, so that nothing heavy is imported for them; paths of
other schemes go through Beam's FileSystems.
"""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from beam_taxi.errors import BeamTaxiError, DataError, UsageError
from beam_taxi.storage import gcs

STAGING = "_staging"
"""Folder inside a run for files that are not complete yet; gone when the run is."""


@dataclass(frozen=True)
class InputFile:
    """A file that a pattern matched. `size` in bytes; `modified` tells another version of the file."""

    uri: str
    size: int
    modified: float


def is_remote(uri: str) -> bool:
    """Tell whether `uri` has a scheme (`gs://…`), and so is not a local path."""
    return "://" in uri


def absolute(uri: str) -> str:
    """Return `uri` in a form that does not depend on the working directory."""
    return uri.rstrip("/") if is_remote(uri) else os.path.abspath(uri)


def join(folder: str, *parts: str) -> str:
    """Join a folder, local or remote, and relative parts."""
    return "/".join([folder.rstrip("/"), *parts])


def _filesystems() -> Any:
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


def match(pattern: str) -> list[InputFile]:
    """Return the files that `pattern` matches, sorted by name; empty where there are none.

    Raises UsageError where a match is a folder, cannot be read or is no regular file.
    """
    if pattern.startswith(gcs.SCHEME):
        return sorted((InputFile(*found) for found in gcs.match(pattern)), key=lambda f: f.uri)
    if is_remote(pattern):
        found = _filesystems().match([pattern])[0].metadata_list
        return sorted(
            (InputFile(m.path, m.size_in_bytes, m.last_updated_in_seconds or 0.0) for m in found),
            key=lambda f: f.uri,
        )
    paths = [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern, recursive=True))
    return [_local_file(os.path.abspath(path)) for path in paths]


def _local_file(path: str) -> InputFile:
    try:
        status = os.stat(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{path}: is a directory, not a file; give a pattern such as {join(path, '*.csv')}")
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path}: is not a regular file")
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    return InputFile(path, status.st_size, status.st_mtime)


def check_unchanged(uri: str, size: int, modified: float) -> None:
    """Raise DataError where the file is no longer the one that `match` found."""
    found = match(uri)
    if [(file.size, file.modified) for file in found] != [(size, modified)]:
        raise DataError(f"{uri}: changed while it was read")


def open_input(uri: str) -> BinaryIO:
    """Open a file for reading as it lies there, without decompression; seekable."""
    if not is_remote(uri):
        return open(uri, "rb")
    if uri.startswith(gcs.SCHEME):
        return gcs.open_object(uri)
    return cast(BinaryIO, _filesystems().open(uri, compression_type="uncompressed"))


def exists(uri: str) -> bool:
    """Tell whether a file or a folder exists; in an object store a folder is any object below it."""
    if not is_remote(uri):
        return os.path.lexists(uri)
    if uri.startswith(gcs.SCHEME):
        return gcs.exists(uri)
    return any(result.metadata_list for result in _filesystems().match([uri, uri + "/**"], [1, 1]))


def read_bytes(uri: str) -> bytes:
    """Return the content of a small file."""
    with open_input(uri) as file:
        return file.read()


def hash_file(uri: str) -> tuple[int, bytes]:
    """Return the size of a file in bytes, and the SHA-256 digest of its content."""
    size, sha256 = 0, hashlib.sha256()
    with open_input(uri) as file:
        while chunk := file.read(1 << 20):
            size += len(chunk)
            sha256.update(chunk)
    return size, sha256.digest()


@contextmanager
def publish(run_uri: str, path: str) -> Iterator[BinaryIO]:
    """Yield a file that appears as `<run_uri>/path` when the block ends without an exception, whole or not at all.

    Locally it is a rename within the run's folder; elsewhere the object is sent when it is complete, since an
    object store shows an object only when its upload has ended.
    """
    final = join(run_uri, path)
    if is_remote(final):
        with tempfile.TemporaryFile() as file:
            yield cast(BinaryIO, file)
            if final.startswith(gcs.SCHEME):
                gcs.upload(final, cast(BinaryIO, file))
                return
            file.seek(0)
            with _filesystems().create(final, compression_type="uncompressed") as target:
                shutil.copyfileobj(file, target, 1 << 20)
        return
    temporary = join(run_uri, STAGING, uuid.uuid4().hex)
    os.makedirs(os.path.dirname(temporary), exist_ok=True)
    os.makedirs(os.path.dirname(final), exist_ok=True)
    try:
        with open(temporary, "wb") as local:
            yield local
            local.flush()
            os.fsync(local.fileno())
        os.replace(temporary, final)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def check_published(run_uri: str, paths: Iterable[str]) -> None:
    """Raise BeamTaxiError where a file of a local run has gone: its launcher gave the run up while workers went on."""
    gone = [path for path in paths if not is_remote(run_uri) and not os.path.isfile(join(run_uri, path))]
    if gone:
        raise BeamTaxiError(f"{join(run_uri, gone[0])}: was removed while the run went on")


def check_new(uri: str) -> None:
    """Raise UsageError where `--out` names something that exists."""
    if exists(uri):
        raise UsageError(f"--out {uri}: exists")


def write_new(uri: str, content: bytes) -> None:
    """Write the file that `--out` names, whole or not at all. Raises UsageError where it exists or cannot be."""
    check_new(uri)
    folder, name = os.path.split(absolute(uri))
    try:
        with publish(folder, name) as file:
            file.write(content)
    except OSError as error:
        raise UsageError(f"--out {uri}: cannot be written: {error.strerror or error}") from None
    finally:
        remove_staging(folder)


def remove_staging(run_uri: str) -> None:
    """Remove what attempts that died left in the staging folder of a local run."""
    if not is_remote(run_uri):
        shutil.rmtree(join(run_uri, STAGING), ignore_errors=True)
