"""Files on the local disk."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePath
from typing import BinaryIO
from urllib.parse import unquote

from beam_taxi.errors import StorageError, UsageError
from beam_taxi.storage.base import CLAIM, STAGING, InputFile, IsSame, check_same

_SCHEME = "file://"
_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)


class LocalFileSystem:
    """The local disk. A file is published by a link within the folder of its run."""

    def check_uri(self, uri: str) -> None:
        """Raise UsageError if a path is empty, or has characters that neither JSON nor ML Metadata can hold."""
        if not uri:
            raise UsageError("the path is empty")
        try:
            uri.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(uri).decode("utf-8", "backslashreplace")
            raise UsageError(f"{shown}: the path is not valid UTF-8; rename it") from None
        if "\0" in uri:
            raise UsageError(f"{uri!r}: the path has a null character")

    def absolute(self, uri: str) -> str:
        """Return the absolute path. Raises UsageError if the working directory was deleted."""
        try:
            return os.path.abspath(_path(uri))
        except FileNotFoundError as error:
            raise UsageError(f"{uri}: the working directory no longer exists") from error

    def match(self, pattern: str) -> list[InputFile]:
        """Return the files that match `pattern`; an existing path matches itself, whatever characters it has."""
        return [_input_file(self.absolute(path)) for path in _matching(pattern)]

    def match_below(self, pattern: str) -> list[InputFile]:
        """Return the files that match `pattern`, and all files below folders that match it."""
        found = set()
        for path in map(self.absolute, _matching(pattern)):
            found |= set(_files_below(path)) if os.path.isdir(path) else {path}
        return [_input_file(path) for path in sorted(found)]

    def stat(self, uri: str) -> InputFile | None:
        """Return the file with this path."""
        return _input_file(self.absolute(uri)) if os.path.lexists(_path(uri)) else None

    def exists(self, uri: str) -> bool:
        """Return whether a file, a folder or a link exists."""
        return os.path.lexists(_path(uri))

    def open(self, uri: str) -> BinaryIO:
        """Open a file for reading."""
        return open(_path(uri), "rb")

    def open_head(self, file: InputFile) -> BinaryIO:
        """Open a file for reading."""
        return open(file.uri, "rb")

    def claim(self, run_uri: str, content: str) -> None:
        """Create the folder under another name, with the claim in it, and rename it: it is never without its claim."""
        taken = FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), run_uri)
        if self.exists(run_uri):
            raise taken
        parent, name = os.path.split(run_uri)
        made = os.path.join(parent, f".{name}.{uuid.uuid4().hex}")
        os.makedirs(os.path.join(made, STAGING))
        try:
            with open(os.path.join(made, CLAIM), "xb") as file:
                file.write(content.encode())
            # This fails if the folder exists and is not empty, so one of several processes succeeds.
            os.rename(made, run_uri)
        except OSError as error:
            shutil.rmtree(made)
            raise taken if error.errno in _NOT_EMPTY else error from error

    def remove_claimed(self, run_uri: str) -> None:
        """Remove the folder, under another name: a thread or a process that is still writing fails then."""
        removed = f"{run_uri}.removed-{uuid.uuid4().hex}"
        os.rename(run_uri, removed)
        shutil.rmtree(removed)

    def remove_files(self, run_uri: str, paths: Iterable[str]) -> None:
        """Remove files, then the folders from the innermost outwards; one that is not empty stays."""
        run, folders = PurePath(run_uri), set[PurePath]()
        for path in paths:
            with suppress(FileNotFoundError):
                os.unlink(run / path)
            folders.update(run / parent for parent in PurePath(path).parents)
        for folder in sorted(folders, key=lambda folder: -len(folder.parts)):
            try:
                os.rmdir(folder)
            except OSError as error:
                if error.errno not in (*_NOT_EMPTY, errno.ENOENT):
                    raise

    @contextmanager
    def create(self, uri: str) -> Iterator[BinaryIO]:
        """Yield a file beside the final one, whose name it gets when the block ends."""
        folder, name = os.path.split(uri)
        try:
            os.makedirs(folder or ".", exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder) from error
        if self.exists(uri):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), uri)
        with _written(os.path.join(folder, f".{name}.{uuid.uuid4().hex}")) as file:
            yield file
            _link(file, uri)

    @contextmanager
    def publish(self, run_uri: str, path: str, is_same: IsSame | None = None) -> Iterator[BinaryIO]:
        """Yield a file in the staging folder that gets its name `<run_uri>/path` when the block ends."""
        final = os.path.join(run_uri, path)
        _make_folders(run_uri, STAGING)
        with _written(os.path.join(run_uri, STAGING, uuid.uuid4().hex)) as file:
            yield file
            _make_folders(run_uri, os.path.dirname(path))
            try:
                _link(file, final)
            except FileExistsError as error:
                with open(file.name, "rb") as written:
                    check_same(final, lambda: self.open(final), written, is_same, error)

    def check_published(self, run_uri: str, paths: Iterable[str]) -> None:
        """Raise BeamTaxiError if a file is missing: the launcher removed the run while workers were still running."""
        for path in paths:
            if not os.path.isfile(os.path.join(run_uri, path)):
                raise _removed(os.path.join(run_uri, path))

    def remove_staging(self, run_uri: str) -> None:
        """Remove the staging folder of a run."""
        shutil.rmtree(os.path.join(run_uri, STAGING), ignore_errors=True)


@contextmanager
def _written(path: str) -> Iterator[BinaryIO]:
    """Yield a new file at a temporary path, which is removed in the end. An OSError names the disk."""
    try:
        with open(path, "xb") as file:
            yield file
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fault = f"{os.path.dirname(path)}: {error.strerror}; use a disk with more free space"
            raise StorageError(fault) from error
        raise
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _link(file: BinaryIO, final: str) -> None:
    """Give a written file its final name. Raises FileExistsError if there is a file of this name."""
    file.flush()
    os.fsync(file.fileno())
    try:
        os.link(file.name, final)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links, such as FAT: a rename replaces, so there is a gap after this check.
        if os.path.lexists(final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), final) from error
        os.rename(file.name, final)


def _make_folders(run_uri: str, path: str) -> None:
    """Create folders below that of a run, but not that itself: without it, the run was removed."""
    folder = run_uri
    for part in PurePath(path).parts:
        folder = os.path.join(folder, part)
        try:
            os.mkdir(folder)
        except FileExistsError:
            continue
        except FileNotFoundError as error:
            raise _removed(run_uri) from error


def _removed(path: str) -> StorageError:
    return StorageError(f"{path}: was removed during the run")


def _path(uri: str) -> str:
    """Return a path as it is, or that of a file:// URI."""
    return unquote(uri.removeprefix(_SCHEME)) if uri.startswith(_SCHEME) else uri


def _matching(pattern: str) -> list[str]:
    path = _path(pattern)
    return [path] if os.path.lexists(path) else sorted(glob.glob(path, recursive=True))


def _files_below(folder: str) -> Iterator[str]:
    for path, _, names in os.walk(folder, onerror=_refuse):
        yield from (os.path.join(path, name) for name in names)


def _refuse(error: OSError) -> None:
    raise UsageError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _input_file(path: str) -> InputFile:
    """Return size and version of a file. Raises UsageError if it cannot be an input."""
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
    return InputFile(path, status.st_size, str(status.st_mtime_ns))
