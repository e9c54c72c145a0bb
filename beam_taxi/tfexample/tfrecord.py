"""TFRecord files, compressed with gzip: checksums, frames and a writer whose output depends only on the content.

A TFRecord file is a sequence of frames (tensorflow/core/lib/io/record_writer.h), all numbers little-endian::

    uint64 length, uint32 masked crc32c of these 8 bytes, the record, uint32 masked crc32c of the record

where ``masked(crc) = rotate_right(crc, 15) + 0xa282ead8`` modulo 2**32. The gzip format is RFC 1952.
"""

from __future__ import annotations

import hashlib
from itertools import chain
from typing import BinaryIO

import google_crc32c
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from isal import isal_zlib

from beam_taxi.tfexample.binary import from_matrix, join

MASK_DELTA = np.uint32(0xA282EAD8)

GZIP_WINDOW_BITS = 16 + 15
"""A gzip header and trailer, and the largest window; ISA-L's header has neither timestamp nor file name."""

BLOCK_BYTES = 1 << 20
"""Uncompressed bytes passed to the compressor at a time; the compressed bytes depend on it."""

SLICE_ROWS = 1024
"""Records that are Python objects at the same time: few enough to stay in the CPU cache between copy and checksum."""


def record_checksums(records: pa.BinaryArray) -> npt.NDArray[np.uint32]:
    """Return the unmasked crc32c of each record.

    Args:
        records: Any binary values, none null.
    """
    slices = (records.slice(start, SLICE_ROWS) for start in range(0, len(records), SLICE_ROWS))
    values = chain.from_iterable(part.to_numpy(zero_copy_only=False) for part in slices)
    return np.fromiter(map(google_crc32c.value, values), np.uint32, count=len(records))


def frame_records(records: pa.BinaryArray, checksums: npt.NDArray[np.uint32]) -> pa.BinaryArray:
    """Return the TFRecord frame of each record.

    Args:
        records: Any binary values, none null.
        checksums: Unmasked crc32c of each record, as `record_checksums` returns them.

    Raises:
        ValueError: The numbers of records and checksums differ.
        OverflowError: The frames take more than 2**31 - 1 bytes.
    """
    if len(records) != len(checksums):
        raise ValueError(f"{len(records)} records have {len(checksums)} checksums")
    lengths = pc.binary_length(records).dictionary_encode()
    headers = _length_headers(lengths.dictionary.to_numpy())
    footers = from_matrix(_bytes(masked(checksums)))
    return join(headers.take(lengths.indices), records, footers)


def _length_headers(lengths: npt.NDArray[np.int32]) -> pa.BinaryArray:
    """Return what precedes a record of each length: the length and its masked crc32c."""
    encoded = _bytes(lengths.astype("<u8"))
    checksums = record_checksums(from_matrix(encoded))
    return from_matrix(np.hstack([encoded, _bytes(masked(checksums))]))


def masked(checksums: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return the checksums as TFRecord stores them: rotated right by 15 bits, plus a constant."""
    rotated = np.right_shift(checksums, np.uint32(15)) | np.left_shift(checksums, np.uint32(17))
    masked: npt.NDArray[np.uint32] = np.add(rotated, MASK_DELTA, dtype=np.uint32)
    return masked


def _bytes(numbers: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return the memory of each number as a row of a matrix."""
    return numbers.view(np.uint8).reshape(len(numbers), numbers.itemsize)


class TFRecordGzipWriter:
    """Writes frames to a binary file as one gzip stream.

    The compressor is fed blocks of a fixed size, so equal content gives equal bytes on processors with the same vector
    instructions, however it is divided among calls of `write`. A file without records is an empty gzip stream, which
    TFRecord readers accept.

    Attributes:
        records: Number of frames written so far.
        bytes_written: Number of compressed bytes given to the file so far; final after `close`.
        sha256: Running hash of these bytes.
        content_sha256: Running hash of the frames; final after `close`.
    """

    def __init__(self, file: BinaryIO, level: int = 1) -> None:
        """Start a stream in `file`, which stays open after `close`; `level` is ISA-L's, 0 (fast) to 3 (small)."""
        self.records = 0
        self.bytes_written = 0
        self.sha256 = hashlib.sha256()
        self.content_sha256 = hashlib.sha256()
        self._file = file
        self._compressor = isal_zlib.compressobj(level, wbits=GZIP_WINDOW_BITS)
        self._pending = bytearray()

    def write(self, frames: pa.BinaryArray) -> None:
        """Append frames, as `frame_records` returns them."""
        self.records += len(frames)
        content = content_of(frames)
        if self._pending:
            missing = BLOCK_BYTES - len(self._pending)
            self._pending += content[:missing]
            content = content[missing:]
            if len(self._pending) < BLOCK_BYTES:
                return
            self._compress(self._pending)
        whole = len(content) - len(content) % BLOCK_BYTES
        for start in range(0, whole, BLOCK_BYTES):
            self._compress(content[start : start + BLOCK_BYTES])
        self._pending = bytearray(content[whole:])

    def close(self) -> None:
        """Finish the gzip stream. Call it once, after the last write. The file is neither flushed nor closed."""
        self._compress(self._pending)
        self._emit(self._compressor.flush())

    def adopt(self, file: BinaryIO) -> bool:
        """Return whether a file that another process has written has the same frames; then take over its bytes.

        Call it after `close`.
        """
        size, sha256, content_sha256 = 0, hashlib.sha256(), hashlib.sha256()
        decompressor = isal_zlib.decompressobj(wbits=GZIP_WINDOW_BITS)
        try:
            while compressed := file.read(BLOCK_BYTES):
                size += len(compressed)
                sha256.update(compressed)
                content_sha256.update(decompressor.decompress(compressed))
        except isal_zlib.IsalError:  # type: ignore[misc]
            return False
        if not decompressor.eof or content_sha256.digest() != self.content_sha256.digest():
            return False
        self.bytes_written, self.sha256 = size, sha256
        return True

    def _compress(self, content: bytes | bytearray | memoryview) -> None:
        self.content_sha256.update(content)
        self._emit(self._compressor.compress(content))

    def _emit(self, compressed: bytes) -> None:
        self._file.write(compressed)
        self.sha256.update(compressed)
        self.bytes_written += len(compressed)


def content_of(values: pa.BinaryArray) -> memoryview:
    """Return the concatenated bytes of all values, without copying them."""
    _, offsets, data = values.buffers()
    if data is None:
        return memoryview(b"")
    bounds = np.frombuffer(offsets, np.int32)
    return memoryview(data)[bounds[values.offset] : bounds[values.offset + len(values)]]
