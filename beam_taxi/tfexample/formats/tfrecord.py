"""TFRecord files without compression: what TensorFlow Datasets reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa

from beam_taxi.tfexample.formats.base import ShardFormat, ShardWriter
from beam_taxi.tfexample.formats.tfrecord_gzip import records_in
from beam_taxi.tfexample.tfrecord import content_of


class _Writer:
    """Writes frames as they are, so the hash of the file is that of its content."""

    content_sha256 = None

    def __init__(self, file: BinaryIO) -> None:
        self.records = 0
        self.bytes_written = 0
        self.sha256 = hashlib.sha256()
        self._file = file

    def write(self, frames: pa.BinaryArray) -> None:
        content = content_of(frames)
        self.records += len(frames)
        self.bytes_written += len(content)
        self.sha256.update(content)
        self._file.write(content)

    def close(self) -> None:
        """Do nothing: the file has no trailer."""

    def adopt(self, file: BinaryIO) -> bool:
        """Return False: the same records are the same bytes."""
        return False


class _TFRecord(ShardFormat):
    def open(self, file: BinaryIO, columns: pa.Schema, level: int) -> ShardWriter:
        return _Writer(file)

    def records(self, file: BinaryIO, start: int, stop: int) -> Iterator[Sequence[bytes]]:
        return records_in(file, start, stop)


FORMAT = _TFRecord()
