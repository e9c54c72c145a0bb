"""What all sources that are files have in common: they can be hashed, and they may change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import BinaryIO

from beam_taxi import storage
from beam_taxi.errors import DataError, StorageError
from beam_taxi.sources.source import Joint, Position, Source

PART_BYTES = 32 << 20
_CHUNK = 1 << 20


class StoredFile(Source[Position, Joint]):
    """A file on a disk or in an object store; `version` differs between two versions of it."""

    version: str

    def content_hash(self, digests: Sequence[bytes]) -> str:
        """Return `sha256:…` of a file of one part, else `sha256-32MiB:…`, the SHA-256 of its parts' SHA-256 digests."""
        if len(digests) == 1:
            return f"sha256:{digests[0].hex()}"
        return f"sha256-{PART_BYTES >> 20}MiB:{hashlib.sha256(b''.join(digests)).hexdigest()}"

    def hash_content(self, part_bytes: int) -> str:
        """Return the content hash. Raises DataError if the file changes while being read, and OSError."""
        digests = []
        with storage.open_input(self.info.uri) as stored:
            for start, end in pairwise(self.edges(part_bytes)):
                sha256, missing = hashlib.sha256(), end - start
                while chunk := stored.read(min(missing, _CHUNK)):
                    sha256.update(chunk)
                    missing -= len(chunk)
                digests.append(sha256.digest())
        self.check_unchanged()
        return self.content_hash(digests)

    def check_unchanged(self) -> None:
        """Raise DataError if the file is no longer the one that was opened."""
        storage.check_unchanged(storage.InputFile(self.info.uri, self.info.size, self.version))

    @contextmanager
    def open_part(self) -> Iterator[BinaryIO]:
        """Open the file to read a part of it, and little more.

        An object in Cloud Storage is read as it was when it was first opened. Raises DataError if it has changed since.
        """
        try:
            with storage.open_head(storage.InputFile(self.info.uri, self.info.size, self.version)) as stored:
                yield stored
        except StorageError:
            self.check_unchanged()
            raise

    @contextmanager
    def read_again(self, *unexpected: type[Exception]) -> Iterator[None]:
        """Check that the file has not changed by the end of the block. Raises DataError if it has.

        An `unexpected` error, one that the first pass did not raise, becomes a DataError too.
        """
        try:
            yield
        except DataError:
            self.check_unchanged()
            raise
        except unexpected as error:
            self.check_unchanged()
            raise DataError(f"{self.info.uri}: cannot be read again as in the first pass: {error}") from error
        self.check_unchanged()
