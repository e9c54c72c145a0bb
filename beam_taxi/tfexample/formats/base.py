"""What a format of the Examples must offer: a writer of shards, and readers of their rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Protocol

import pyarrow as pa

Decode = Callable[[Sequence[bytes]], pa.RecordBatch]
"""Turns serialized Examples into columns."""

_DECODED_ROWS = 512
"""Examples that are decoded at once: the decoder takes longer for each of many."""


class Hash(Protocol):
    """A hash of hashlib."""

    def hexdigest(self) -> str:
        """Return the hash in hexadecimal digits."""
        ...


class ShardWriter(Protocol):
    """Writes one shard to a binary file, which stays open. Equal rows give equal bytes, however they are divided.

    Attributes:
        records: Number of rows written so far.
        bytes_written: Size of the file; final after `close`.
        sha256: Hash of the file; final after `close`.
        content_sha256: Hash of the content if other bytes of the file can have the same, else None; after `close`.
    """

    @property
    def records(self) -> int:
        """The number of rows."""
        ...

    @property
    def bytes_written(self) -> int:
        """The size of the file."""
        ...

    @property
    def sha256(self) -> Hash:
        """The hash of the file."""
        ...

    @property
    def content_sha256(self) -> Hash | None:
        """The hash of the content."""
        ...

    def write(self, rows: pa.BinaryArray | pa.RecordBatch, /) -> None:
        """Append rows: TFRecord frames, or columns, as the format takes them."""
        ...

    def close(self) -> None:
        """Complete the shard. Call it once, after the last write."""
        ...

    def adopt(self, file: BinaryIO, /) -> bool:
        """Return whether a file that another process has written will do; then take over its size and hash."""
        ...


class ShardFormat(ABC):
    """A format. `takes_frames` says whether its writers take TFRecord frames; otherwise they take columns."""

    takes_frames = True

    @abstractmethod
    def open(self, file: BinaryIO, columns: pa.Schema, level: int) -> ShardWriter:
        """Return the writer of a shard.

        Args:
            file: Where the shard is written.
            columns: Names and types of the columns, for a shard without rows.
            level: Level of the compression with gzip.
        """

    @abstractmethod
    def records(self, file: BinaryIO, start: int, stop: int) -> Iterator[Sequence[bytes]]:
        """Yield the rows of a shard from number `start` up to `stop` as serialized Examples, some at a time.

        If the file is damaged or ends before row `stop`, an error of its library is raised, or EOFError.
        """

    def batches(self, file: BinaryIO, start: int, stop: int, decode: Decode) -> Iterator[pa.RecordBatch]:
        """Yield the same rows as columns of lists or of values, some at a time."""
        for records in self.records(file, start, stop):
            for first in range(0, len(records), _DECODED_ROWS):
                yield decode(records[first : first + _DECODED_ROWS])
