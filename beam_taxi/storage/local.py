"""Files on the local disk."""

from __future__ import annotations

import glob
import os
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.storage.base import STAGING, InputFile


class LocalFileSystem:
    """The local disk. A file is published by a rename within the folder of its run."""

    def absolute(self, uri: str) -> str:
        """Return the absolute path."""
        return os.path.abspath(uri)

    def match(self, pattern: str) -> list[InputFile]:
        """Return the files that match `pattern`; an existing path matches itself, whatever characters it has."""
        paths = [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern, recursive=True))
        return [_input_file(os.path.abspath(path)) for path in paths]

    def exists(self, uri: str) -> bool:
        """Return whether a file, a folder or a link exists."""
        return os.path.lexists(uri)

    def open(self, uri: str) -> BinaryIO:
        """Open a file for reading."""
        return open(uri, "rb")

    def claim(self, run_uri: str) -> None:
        """Create the folder; no other process can create it too."""
        os.makedirs(os.path.dirname(run_uri), exist_ok=True)
        os.mkdir(run_uri)

    def remove_claimed(self, run_uri: str) -> None:
        """Remove the folder."""
        shutil.rmtree(run_uri)

    @contextmanager
    def publish(self, run_uri: str, path: str) -> Iterator[BinaryIO]:
        """Yield a file in the staging folder that is renamed to `<run_uri>/path` when the block ends."""
        temporary = os.path.join(run_uri, STAGING, uuid.uuid4().hex)
        final = os.path.join(run_uri, path)
        os.makedirs(os.path.dirname(temporary), exist_ok=True)
        os.makedirs(os.path.dirname(final), exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, final)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def check_published(self, run_uri: str, paths: Iterable[str]) -> None:
        """Raise BeamTaxiError if a file is missing: the launcher removed the run while workers were still running."""
        for path in paths:
            if not os.path.isfile(os.path.join(run_uri, path)):
                raise BeamTaxiError(f"{os.path.join(run_uri, path)}: was removed during the run")

    def remove_staging(self, run_uri: str) -> None:
        """Remove the staging folder of a run."""
        shutil.rmtree(os.path.join(run_uri, STAGING), ignore_errors=True)


def _input_file(path: str) -> InputFile:
    """Return the size and the modification time of a file. Raises UsageError if it cannot be an input."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{path}: is a directory, not a file; use a pattern such as {os.path.join(path, '*.csv')}")
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path}: is not a regular file")
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    return InputFile(path, status.st_size, status.st_mtime)
