"""What a module must provide to read a file format."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from os import SEEK_END
from typing import BinaryIO, Protocol

from beam_taxi import storage
from beam_taxi.errors import DataError
from beam_taxi.settings import Settings
from beam_taxi.sources.csv.signature import compression_of
from beam_taxi.sources.csv.stream import Decoding, TextStream
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import AnySource

_HEAD_BYTES = 32 << 10


class EmptyFile(DataError):
    """A file has no rows, and nothing that tells its columns; it is skipped if there are others."""


class Sample:
    """The first bytes of an open file, and its last ones on request."""

    def __init__(self, file: storage.InputFile, stored: BinaryIO) -> None:
        self.file = file
        self.stored = stored

    @cached_property
    def head(self) -> bytes:
        """The first 32 KiB, which is less than is read ahead."""
        self.stored.seek(0)
        return self.stored.read(_HEAD_BYTES)

    @cached_property
    def decoding(self) -> Decoding | None:
        """How the file is compressed, if it is."""
        compression = compression_of(self.head)
        return None if compression is None else Decoding(compression, None)

    @cached_property
    def decoded_head(self) -> bytes:
        """The first 32 KiB of what is compressed, or of the file; none if the compression cannot be undone."""
        if self.decoding is None:
            return self.head
        self.stored.seek(0)
        try:
            return TextStream(self.file.uri, self.stored, self.decoding).read(_HEAD_BYTES)
        except DataError:
            return b""

    @property
    def has_more(self) -> bool:
        """Whether the file may go on after `decoded_head`."""
        return len(self.decoded_head) == _HEAD_BYTES

    def tail(self, size: int) -> bytes:
        """Return the last `size` bytes, or all of a smaller file."""
        self.stored.seek(-min(size, self.file.size), SEEK_END)
        return self.stored.read(size)


class FileFormat(Protocol):
    """A format of files."""

    def recognizes(self, sample: Sample) -> bool:
        """Return whether a file is of this format."""

    def open(self, sample: Sample, settings: Settings, declared: Mapping[str, Kind]) -> AnySource:
        """Open a file of this format; `declared` has the types of columns that are given. Raises DataError."""
