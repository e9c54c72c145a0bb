"""The protocol of a file system, and what the remote ones share."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

STAGING = "_staging"
"""Folder inside a run for files that are not complete yet; it is removed at the end of the run."""


@dataclass(frozen=True)
class InputFile:
    """A file that matched a pattern.

    `size` is in bytes. `modified` is in seconds since the epoch; it differs between two versions of a file.
    """

    uri: str
    size: int
    modified: float


class FileSystem(Protocol):
    """Where files are read and published. An implementation serves every URI of its schemes.

    Errors are BeamTaxiErrors with a one-line message, or OSErrors that name the file.
    """

    def absolute(self, uri: str) -> str:
        """Return `uri` in a form that does not depend on the working directory."""
        ...

    def match(self, pattern: str) -> list[InputFile]:
        """Return the files that match `pattern`, sorted by name; an empty list if there are none.

        `*` and `?` match within a folder, `**` across folders, `[…]` one character.
        Raises UsageError if a match is a folder, a special file or unreadable.
        """
        ...

    def exists(self, uri: str) -> bool:
        """Return whether a file or a folder exists; in an object store a folder is any object below it."""
        ...

    def open(self, uri: str) -> BinaryIO:
        """Open a file for reading, seekable, without decompression. Raises OSError if it cannot be read."""
        ...

    def claim(self, run_uri: str) -> None:
        """Create the folder of a run for this launch alone. Raises FileExistsError if it exists already."""
        ...

    def remove_claimed(self, run_uri: str) -> None:
        """Remove everything in the folder of a run that this launch has claimed, and whose job has ended.

        Raises OSError if something remains.
        """
        ...

    def publish(self, run_uri: str, path: str) -> AbstractContextManager[BinaryIO]:
        """Yield a file that appears as `<run_uri>/path`, complete, when the block ends without an exception.

        If the block raises, nothing appears. An existing file is replaced: a repeated attempt writes the same bytes.
        """
        ...

    def check_published(self, run_uri: str, paths: Iterable[str]) -> None:
        """Raise BeamTaxiError if one of the published files `paths` was removed during the run."""
        ...

    def remove_staging(self, run_uri: str) -> None:
        """Remove what failed attempts left in the staging folder of a run."""
        ...


class RemoteFileSystem(ABC):
    """Base of the remote file systems: a file is written locally, then uploaded when it is complete.

    An object becomes visible only when its upload has ended, so a run has no staging folder there.
    """

    def absolute(self, uri: str) -> str:
        """Return `uri` without a trailing slash."""
        return uri.rstrip("/")

    def claim(self, run_uri: str) -> None:  # noqa: B027
        """Do nothing."""

    def remove_claimed(self, run_uri: str) -> None:  # noqa: B027
        """Do nothing."""

    @contextmanager
    def publish(self, run_uri: str, path: str) -> Iterator[BinaryIO]:
        """Yield a local temporary file, and upload it to `<run_uri>/path` when the block ends without an exception."""
        with tempfile.TemporaryFile() as temporary:
            file = cast(BinaryIO, temporary)
            yield file
            self._upload(f"{run_uri.rstrip('/')}/{path}", file)

    def check_published(self, run_uri: str, paths: Iterable[str]) -> None:  # noqa: B027 - most stores need nothing here
        """Do nothing: a launcher removes the files of local runs only."""

    def remove_staging(self, run_uri: str) -> None:  # noqa: B027
        """Do nothing: there is no staging folder."""

    @abstractmethod
    def _upload(self, uri: str, file: BinaryIO) -> None:
        """Write the whole content of `file`, whatever its position, to `uri`."""
