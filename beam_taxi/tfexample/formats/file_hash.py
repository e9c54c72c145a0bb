"""A binary file that counts and hashes what is written to it, and what writers have through it."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class HashedFile(io.RawIOBase):
    """Passes bytes on to a file, which stays open, in the order in which they are written.

    Attributes:
        size: Number of bytes so far.
        sha256: Running hash of these bytes.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        self._file = file

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Append bytes."""
        content = memoryview(data).cast("B")
        self._file.write(content)
        self.sha256.update(content)
        self.size += len(content)
        return len(content)

    def tell(self) -> int:
        """Return the number of bytes so far."""
        return self.size


class HashedFileWriter:
    """What a `ShardWriter` has if a library writes its file."""

    def __init__(self, file: BinaryIO) -> None:
        self.records = 0
        self._file = HashedFile(file)

    @property
    def bytes_written(self) -> int:
        """The size of the file."""
        return self._file.size

    @property
    def sha256(self) -> hashlib._Hash:
        """The hash of the file."""
        return self._file.sha256
