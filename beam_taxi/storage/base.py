"""The protocol of a file system, and what the remote ones share."""

from __future__ import annotations

import errno
import tempfile
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

from beam_taxi.errors import StorageError

STAGING = "_staging"
"""Folder inside a run for files that are not complete yet; it is removed at the end of the run."""

CLAIM = f"{STAGING}/claim"
"""The file that says which launch the folder of a run belongs to."""

IsSame = Callable[[BinaryIO], bool]
"""Returns whether an existing file will do in place of the one that is being published."""

_CHUNK_BYTES = 1 << 20
_DELETIONS = 16
"""Objects that are deleted at the same time."""


@dataclass(frozen=True)
class InputFile:
    """A file at a URI, which is its name and not a pattern.

    `size` is in bytes. `version` differs between two versions of a file; it has no other meaning.
    """

    uri: str
    size: int
    version: str


class FileSystem(Protocol):
    """Where files are read and published. An implementation serves every URI of its schemes.

    Errors are BeamTaxiErrors with a one-line message, or OSErrors that name the file.
    """

    def check_uri(self, uri: str) -> None:
        """Raise UsageError if a URI, or a pattern, cannot name anything here."""
        ...

    def absolute(self, uri: str) -> str:
        """Return `uri` in a form that does not depend on the working directory."""
        ...

    def match(self, pattern: str) -> list[InputFile]:
        """Return the files that match `pattern`, sorted by name; an empty list if there are none.

        `*` and `?` match within a folder, `**` across folders, `[…]` one character. The exact name of a file matches
        that file alone, whatever characters it has.
        Raises UsageError if a match is a folder, a special file or unreadable.
        """
        ...

    def match_below(self, pattern: str) -> list[InputFile]:
        """Return the files that match `pattern`, and all files below folders that match it, sorted by name.

        Raises UsageError if a match is a special file or unreadable.
        """
        ...

    def stat(self, uri: str) -> InputFile | None:
        """Return the file with exactly this name, None if it does not exist."""
        ...

    def exists(self, uri: str) -> bool:
        """Return whether a file or a folder exists; in an object store a folder is any object below it."""
        ...

    def open(self, uri: str) -> BinaryIO:
        """Open a file for reading, seekable, without decompression. Raises OSError if it cannot be read."""
        ...

    def open_head(self, file: InputFile) -> BinaryIO:
        """Open a file as `open` does, to look at its beginning: from afar, only 64 KiB are read ahead at first."""
        ...

    def claim(self, run_uri: str, content: str) -> None:
        """Create the folder of a run for one launch alone, which is the only one with this `content` of the claim.

        Raises FileExistsError if the folder exists. Whoever sees a claim sees all of its content.
        """
        ...

    def remove_claimed(self, run_uri: str) -> None:
        """Remove everything in the folder of a run, whose job must have ended. Raises OSError if something remains."""
        ...

    def remove_files(self, run_uri: str, paths: Iterable[str]) -> None:
        """Remove files by their paths in the folder of a run, and the folders that are empty then.

        Files that do not exist are skipped. Raises OSError if one cannot be removed.
        """
        ...

    def create(self, uri: str) -> AbstractContextManager[BinaryIO]:
        """Yield a file that appears at `uri`, complete, when the block ends without an exception.

        Raises FileExistsError if it exists already; nothing is overwritten.
        """
        ...

    def publish(self, run_uri: str, path: str, is_same: IsSame | None = None) -> AbstractContextManager[BinaryIO]:
        """Yield a file that appears as `<run_uri>/path`, complete, when the block ends without an exception.

        If the block raises, nothing appears. An existing file is kept: a repeated attempt writes the same content, or
        what `is_same` accepts. Raises StorageError if it is another one, or if the folder of the run does not exist.
        """
        ...

    def check_published(self, run_uri: str, paths: Iterable[str]) -> None:
        """Raise BeamTaxiError if one of the published files `paths` was removed during the run."""
        ...

    def remove_staging(self, run_uri: str) -> None:
        """Remove the claim of a run, and what failed attempts left in its staging folder."""
        ...


class RemoteFileSystem(ABC):
    """Base of the remote file systems: a file is written locally, then uploaded when it is complete.

    An object becomes visible only when its upload has ended, so nothing but the claim is in the staging folder.
    """

    def absolute(self, uri: str) -> str:
        """Return `uri` without a trailing slash."""
        return uri.rstrip("/")

    @abstractmethod
    def stat(self, uri: str) -> InputFile | None:
        """Return the object with exactly this name, None if it does not exist."""

    @abstractmethod
    def open(self, uri: str) -> BinaryIO:
        """Open an object for reading, without decompression."""

    def open_head(self, file: InputFile) -> BinaryIO:
        """Open an object."""
        return self.open(file.uri)

    def claim(self, run_uri: str, content: str) -> None:
        """Create the claim of a run, then check that nothing else is in the folder."""
        uri = f"{run_uri}/{CLAIM}"
        with suppress(FileExistsError), self.create(uri) as file:
            file.write(content.encode())
        # If the answer to an upload is lost, the object is found to exist, and is ours all the same.
        if self.open(uri).read() != content.encode():
            raise FileExistsError(run_uri)
        if any(name != CLAIM for name in self._names(run_uri)):
            self._delete(uri)
            raise FileExistsError(run_uri)

    def remove_claimed(self, run_uri: str) -> None:
        """Delete every object in the folder, the claim last."""
        self.remove_files(run_uri, [name for name in self._names(run_uri) if name != CLAIM])
        self._delete(f"{run_uri}/{CLAIM}")

    def remove_files(self, run_uri: str, paths: Iterable[str]) -> None:
        """Delete objects, several at the same time; folders are only names here."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_DELETIONS) as pool:
            deque(pool.map(lambda path: self._delete(f"{run_uri}/{path}"), paths), 0)

    @contextmanager
    def create(self, uri: str) -> Iterator[BinaryIO]:
        """Yield a local temporary file, and upload it to `uri` when the block ends without an exception."""
        with _temporary_file() as file:
            yield file
            self._upload(uri, file)

    @contextmanager
    def publish(self, run_uri: str, path: str, is_same: IsSame | None = None) -> Iterator[BinaryIO]:
        """Yield a local temporary file, and upload it to `<run_uri>/path` when the block ends without an exception."""
        uri = f"{run_uri.rstrip('/')}/{path}"
        with _temporary_file() as file:
            yield file
            try:
                self._upload(uri, file)
            except FileExistsError as error:
                file.seek(0)
                check_same(uri, lambda: self.open(uri), file, is_same, error)

    def check_published(self, run_uri: str, paths: Iterable[str]) -> None:
        """Raise BeamTaxiError if an object is missing: the launcher removed the run while workers were running."""
        missing = set(paths).difference(self._names(run_uri))
        if missing:
            raise StorageError(f"{run_uri}/{min(missing)}: was removed during the run")

    def remove_staging(self, run_uri: str) -> None:
        """Delete the claim. A worker that may not delete objects leaves it, which does no harm."""
        with suppress(StorageError):
            self._delete(f"{run_uri}/{CLAIM}")

    @abstractmethod
    def _names(self, run_uri: str) -> Iterator[str]:
        """Yield the names of all objects in a folder, relative to it."""

    @abstractmethod
    def _upload(self, uri: str, file: BinaryIO) -> None:
        """Write the whole content of `file`, whatever its position. Raises FileExistsError if there is an object."""

    @abstractmethod
    def _delete(self, uri: str) -> None:
        """Delete an object, if it exists."""


@contextmanager
def _temporary_file() -> Iterator[BinaryIO]:
    """Yield a local temporary file. Raises StorageError if there is no place for it."""
    try:
        with tempfile.TemporaryFile() as file:
            yield cast(BinaryIO, file)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOENT) and not isinstance(error, StorageError):
            folder = tempfile.tempdir or "no folder for temporary files"
            raise StorageError(f"{folder}: {error.strerror}; set TMPDIR to a folder with more free space") from error
        raise


def check_same(
    uri: str, reopen: Callable[[], BinaryIO], file: BinaryIO, is_same: IsSame | None, error: FileExistsError
) -> None:
    """Raise StorageError unless the existing file has the content of `file`, or is accepted by `is_same`."""
    with reopen() as existing:
        while (chunk := file.read(_CHUNK_BYTES)) == existing.read(_CHUNK_BYTES):
            if not chunk:
                return
    if is_same is not None:
        with reopen() as existing:
            if is_same(existing):
                return
    raise StorageError(f"{uri}: exists already with other content; nothing was overwritten") from error
