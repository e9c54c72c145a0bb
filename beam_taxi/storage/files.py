"""Operations on whole files, the same for every file system."""

from __future__ import annotations

import hashlib

from beam_taxi.errors import DataError, UsageError
from beam_taxi.storage.base import InputFile
from beam_taxi.storage.registry import file_system

_CHUNK_BYTES = 1 << 20


def read_bytes(uri: str) -> bytes:
    """Return the content of a small file."""
    with file_system(uri).open(uri) as file:
        return file.read()


def hash_file(uri: str) -> tuple[int, bytes]:
    """Return the size of a file in bytes, and the SHA-256 digest of its content."""
    size, sha256 = 0, hashlib.sha256()
    with file_system(uri).open(uri) as file:
        while chunk := file.read(_CHUNK_BYTES):
            size += len(chunk)
            sha256.update(chunk)
    return size, sha256.digest()


def check_unchanged(file: InputFile) -> None:
    """Raise DataError if a file is no longer the one that `match` or `stat` returned."""
    if file_system(file.uri).stat(file.uri) != file:
        raise DataError(f"{file.uri}: changed while it was being read")


def check_new(uri: str) -> None:
    """Raise UsageError if the file that `--out` names exists already."""
    if file_system(uri).exists(uri):
        raise UsageError(f"--out {uri}: exists already")


def write_new(uri: str, content: bytes) -> None:
    """Write the file that `--out` names, completely or not at all.

    Raises UsageError if it exists already or cannot be written.
    """
    try:
        with file_system(uri).create(uri) as file:
            file.write(content)
    except FileExistsError as error:
        raise UsageError(f"--out {uri}: exists already") from error
    except OSError as error:
        raise UsageError(f"--out {uri}: cannot be written: {error.strerror or error}") from error
