"""TFRecord files, compressed with gzip: the format of TFX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
from isal import igzip

from beam_taxi.tfexample.formats.base import ShardFormat, ShardWriter
from beam_taxi.tfexample.frames import Readable, read_frames
from beam_taxi.tfexample.tfrecord import TFRecordGzipWriter

_BATCH_BYTES = 4 << 20


class _TFRecordGzip(ShardFormat):
    def open(self, file: BinaryIO, columns: pa.Schema, level: int) -> ShardWriter:
        return TFRecordGzipWriter(file, level)

    def records(self, file: BinaryIO, start: int, stop: int) -> Iterator[Sequence[bytes]]:
        stream: Readable = igzip.open(file)  # type: ignore[no-untyped-call]
        return records_in(stream, start, stop)


def records_in(stream: Readable, start: int, stop: int) -> Iterator[Sequence[bytes]]:
    """Yield the records `start` up to `stop` of a stream of TFRecord frames. Raises EOFError if there are fewer."""
    number = 0
    for frames in read_frames(stream, None, _BATCH_BYTES, 0, 0):
        chosen = frames.records[max(0, start - number) : stop - number]
        number += len(frames.records)
        if chosen:
            yield chosen
        if number >= stop:
            return
    if number < stop:
        raise EOFError(f"has {number:,} records, not {stop:,}")


FORMAT = _TFRecordGzip()
