"""Files on the local disk and in object stores behind one set of functions.

The scheme of a path selects its file system (`storage/registry.py`). Nothing heavy is imported for local paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import BinaryIO

from beam_taxi.storage.base import CLAIM, STAGING, FileSystem, InputFile, IsSame
from beam_taxi.storage.files import check_new, check_unchanged, hash_file, read_bytes, write_new
from beam_taxi.storage.registry import check_scheme, file_system, is_remote, join

__all__ = [
    "CLAIM",
    "STAGING",
    "FileSystem",
    "InputFile",
    "IsSame",
    "absolute",
    "check_new",
    "check_published",
    "check_unchanged",
    "check_uri",
    "claim",
    "exists",
    "file_system",
    "hash_file",
    "is_remote",
    "join",
    "match",
    "match_below",
    "open_head",
    "open_input",
    "publish",
    "read_bytes",
    "remove_claimed",
    "remove_files",
    "remove_staging",
    "stat",
    "write_new",
]


def check_uri(uri: str) -> None:
    """Raise UsageError if a path, a URI or a pattern cannot name anything; nothing is looked up."""
    check_scheme(uri)
    file_system(uri).check_uri(uri)


def absolute(uri: str) -> str:
    """Return `uri` in a form that does not depend on the working directory."""
    return file_system(uri).absolute(uri)


def match(pattern: str) -> list[InputFile]:
    """Return the files that match `pattern`, sorted by name; see FileSystem.match."""
    return file_system(pattern).match(pattern)


def match_below(pattern: str) -> list[InputFile]:
    """Return the files that match `pattern`, and all files below folders that match it; see FileSystem.match_below."""
    return file_system(pattern).match_below(pattern)


def stat(uri: str) -> InputFile | None:
    """Return the file with exactly this name, None if it does not exist; see FileSystem.stat."""
    return file_system(uri).stat(uri)


def open_head(file: InputFile) -> BinaryIO:
    """Open a file to look at its beginning; see FileSystem.open_head."""
    return file_system(file.uri).open_head(file)


def open_input(uri: str) -> BinaryIO:
    """Open a file for reading, seekable, without decompression; see FileSystem.open."""
    return file_system(uri).open(uri)


def exists(uri: str) -> bool:
    """Return whether a file or a folder exists; see FileSystem.exists."""
    return file_system(uri).exists(uri)


def claim(run_uri: str, content: str) -> None:
    """Create the folder of a run for one launch alone; see FileSystem.claim."""
    file_system(run_uri).claim(run_uri, content)


def remove_claimed(run_uri: str) -> None:
    """Remove everything in the folder of a run; see FileSystem.remove_claimed."""
    file_system(run_uri).remove_claimed(run_uri)


def remove_files(run_uri: str, paths: Iterable[str]) -> None:
    """Remove files of a run, and the folders that are empty then; see FileSystem.remove_files."""
    file_system(run_uri).remove_files(run_uri, paths)


def publish(run_uri: str, path: str, is_same: IsSame | None = None) -> AbstractContextManager[BinaryIO]:
    """Yield a file that appears as `<run_uri>/path` when the block succeeds; see FileSystem.publish."""
    return file_system(run_uri).publish(run_uri, path, is_same)


def check_published(run_uri: str, paths: Iterable[str]) -> None:
    """Raise BeamTaxiError if a published file was removed during the run; see FileSystem.check_published."""
    file_system(run_uri).check_published(run_uri, paths)


def remove_staging(run_uri: str) -> None:
    """Remove what failed attempts left in the staging folder of a run; see FileSystem.remove_staging."""
    file_system(run_uri).remove_staging(run_uri)
