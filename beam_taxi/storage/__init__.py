"""Files on the local disk and in object stores behind one set of functions.

The scheme of a path selects its file system (`storage/registry.py`). Nothing heavy is imported for local paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import BinaryIO

from beam_taxi.storage.base import STAGING, FileSystem, InputFile
from beam_taxi.storage.files import check_new, check_unchanged, hash_file, read_bytes, write_new
from beam_taxi.storage.registry import file_system, is_remote, join

__all__ = [
    "STAGING",
    "FileSystem",
    "InputFile",
    "absolute",
    "check_new",
    "check_published",
    "check_unchanged",
    "claim",
    "exists",
    "file_system",
    "hash_file",
    "is_remote",
    "join",
    "match",
    "open_input",
    "publish",
    "read_bytes",
    "remove_claimed",
    "remove_staging",
    "write_new",
]


def absolute(uri: str) -> str:
    """Return `uri` in a form that does not depend on the working directory."""
    return file_system(uri).absolute(uri)


def match(pattern: str) -> list[InputFile]:
    """Return the files that match `pattern`, sorted by name; see FileSystem.match."""
    return file_system(pattern).match(pattern)


def open_input(uri: str) -> BinaryIO:
    """Open a file for reading, seekable, without decompression; see FileSystem.open."""
    return file_system(uri).open(uri)


def exists(uri: str) -> bool:
    """Return whether a file or a folder exists; see FileSystem.exists."""
    return file_system(uri).exists(uri)


def claim(run_uri: str) -> None:
    """Create the folder of a run for this launch alone; see FileSystem.claim."""
    file_system(run_uri).claim(run_uri)


def remove_claimed(run_uri: str) -> None:
    """Remove the folder of a run that this launch has claimed; see FileSystem.remove_claimed."""
    file_system(run_uri).remove_claimed(run_uri)


def publish(run_uri: str, path: str) -> AbstractContextManager[BinaryIO]:
    """Yield a file that appears as `<run_uri>/path` when the block succeeds; see FileSystem.publish."""
    return file_system(run_uri).publish(run_uri, path)


def check_published(run_uri: str, paths: Iterable[str]) -> None:
    """Raise BeamTaxiError if a published file was removed during the run; see FileSystem.check_published."""
    file_system(run_uri).check_published(run_uri, paths)


def remove_staging(run_uri: str) -> None:
    """Remove what failed attempts left in the staging folder of a run; see FileSystem.remove_staging."""
    file_system(run_uri).remove_staging(run_uri)
