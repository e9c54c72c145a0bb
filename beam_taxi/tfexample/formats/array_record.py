"""ArrayRecord files, whose records can be read in any order: what Grain reads."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from shutil import copyfileobj
from typing import BinaryIO

import pyarrow as pa
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

from beam_taxi.tfexample.formats.base import ShardFormat, ShardWriter
from beam_taxi.tfexample.formats.file_hash import HashedFileWriter
from beam_taxi.tfexample.tfrecord import content_of

_OPTIONS = "group_size:1"
"""A record can be read alone; Grain asks for this."""

_FRAME_HEADER, _FRAME_FOOTER = 12, 4
_BATCH_ROWS, _BATCH_BYTES = 4096, 4 << 20
"""Records that are read at once, and about how many bytes of the file."""

_COPY_BYTES = 1 << 20


class _Writer(HashedFileWriter):
    """Writes the records of frames. The library writes to a path alone, so the file is copied from a temporary one."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.content_sha256 = hashlib.sha256()
        self._temporary = tempfile.NamedTemporaryFile(suffix=".array_record")  # noqa: SIM115 - closed by `close`
        self._writer = ArrayRecordWriter(self._temporary.name, _OPTIONS)

    def write(self, frames: pa.BinaryArray) -> None:
        self.records += len(frames)
        self.content_sha256.update(content_of(frames))
        for frame in frames.to_pylist():
            self._writer.write(frame[_FRAME_HEADER:-_FRAME_FOOTER])

    def close(self) -> None:
        self._writer.close()
        with self._temporary, open(self._temporary.name, "rb") as written:
            copyfileobj(written, self._file, _COPY_BYTES)

    def adopt(self, file: BinaryIO) -> bool:
        """Return False: the same records are the same bytes."""
        return False


class _ArrayRecord(ShardFormat):
    def open(self, file: BinaryIO, columns: pa.Schema, level: int) -> ShardWriter:
        return _Writer(file)

    def records(self, file: BinaryIO, start: int, stop: int) -> Iterator[Sequence[bytes]]:
        with _local(file) as path:
            reader = ArrayRecordReader(path)
            try:
                if reader.num_records() < stop:
                    raise EOFError(f"has {reader.num_records():,} records, not {stop:,}")
                size = max(1, min(_BATCH_ROWS, _BATCH_BYTES * reader.num_records() // os.path.getsize(path)))
                for first in range(start, stop, size):
                    yield reader.read(first, min(first + size, stop))
            finally:
                reader.close()


@contextmanager
def _local(file: BinaryIO) -> Iterator[str]:
    """Yield the path of a file on this machine, or of a copy there: the library reads from a path alone."""
    name = getattr(file, "name", None)
    if isinstance(name, str) and os.path.isfile(name):
        yield name
        return
    with tempfile.NamedTemporaryFile(suffix=".array_record") as copy:
        copyfileobj(file, copy, _COPY_BYTES)
        copy.flush()
        yield copy.name


FORMAT = _ArrayRecord()
