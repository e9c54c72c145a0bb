"""The checks of the folders that a run writes to."""

from __future__ import annotations

import os
import tempfile

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.settings import Settings


def check_temporary_files() -> None:
    """Raises UsageError if there is no folder for temporary files: the libraries cannot even be imported without it."""
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise UsageError("no folder for temporary files: set TMPDIR to one with free space") from error


def check_output(settings: Settings) -> None:
    """Raises UsageError if the folder of the run cannot be created."""
    if storage.is_remote(settings.run_uri):
        return
    try:
        folder = nearest_folder(settings.run_uri)
    except OSError as error:
        raise UsageError(f"--output {settings.run_uri}: {error.strerror}") from error
    if not os.path.isdir(folder):
        raise UsageError(f"--output: {folder} is not a directory")
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise UsageError(f"--output: {folder} is on a read-only file system")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--output: permission denied: cannot write to {folder}")


def nearest_folder(path: str) -> str:
    """Return the nearest folder above an absolute path that exists. Raises OSError if the path cannot exist."""
    while True:
        folder = os.path.dirname(path)
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            path = folder
        else:
            return path
