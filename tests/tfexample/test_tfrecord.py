"""TFRecord files read back by TensorFlow and gzip; bytes that do not depend on how they were written."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import zlib
from pathlib import Path

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from beam_taxi.tfexample.tfrecord import BLOCK_BYTES, TFRecordGzipWriter, frame_records, record_checksums


def frames_of(records: pa.BinaryArray) -> pa.BinaryArray:
    return frame_records(records, record_checksums(records))


def written(pieces: list[pa.BinaryArray], level: int = 1) -> tuple[bytes, TFRecordGzipWriter]:
    """Return the file of these pieces of frames, and its writer."""
    file = io.BytesIO()
    writer = TFRecordGzipWriter(file, level)
    for piece in pieces:
        writer.write(piece)
    writer.close()
    assert not file.closed
    return file.getvalue(), writer


def random_records(count: int, size: int) -> pa.BinaryArray:
    generator = random.Random(7)
    return pa.array([generator.randbytes(generator.randrange(size)) for _ in range(count)], pa.binary())


def read_by_tensorflow(content: bytes, path: Path) -> list[bytes]:
    path.write_bytes(content)
    return list(tf.data.TFRecordDataset(str(path), compression_type="GZIP").as_numpy_iterator())


@given(st.lists(st.binary(max_size=100)), st.integers(0, 5))
def test_checksums_are_crc32c(values: list[bytes], start: int) -> None:
    records = pa.array(values, pa.binary()).slice(min(start, len(values)))
    checksums = record_checksums(records)
    assert checksums.dtype == np.uint32
    assert checksums.tolist() == [google_crc32c.value(value) for value in records.to_pylist()]


def test_checksums_of_more_records_than_a_slice() -> None:
    records = random_records(5000, 30)
    assert record_checksums(records).tolist() == [google_crc32c.value(value) for value in records.to_pylist()]


def test_checksum_of_the_standard() -> None:
    assert record_checksums(pa.array([b"123456789", b""])).tolist() == [0xE3069283, 0]


@given(st.lists(st.binary(max_size=300)), st.integers(0, 5))
def test_frames_are_those_of_tensorflow(values: list[bytes], start: int) -> None:
    records = pa.array(values, pa.binary()).slice(min(start, len(values)))

    def masked(data: bytes) -> bytes:
        crc = google_crc32c.value(data)
        return (((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32).to_bytes(4, "little")

    expected = []
    for value in records.to_pylist():
        length = len(value).to_bytes(8, "little")
        expected.append(length + masked(length) + value + masked(value))
    assert frames_of(records).to_pylist() == expected


def test_frames_equal_the_file_of_tensorflow(tmp_path: Path) -> None:
    records = random_records(50, 3000)
    with tf.io.TFRecordWriter(str(tmp_path / "plain")) as writer:
        for record in records.to_pylist():
            writer.write(record)
    assert b"".join(frames_of(records).to_pylist()) == (tmp_path / "plain").read_bytes()


def test_wrong_number_of_checksums_is_refused() -> None:
    with pytest.raises(ValueError, match="2 records have 1 checksums"):
        frame_records(pa.array([b"a", b"b"]), np.zeros(1, np.uint32))


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_files_are_read_back(tmp_path: Path, level: int) -> None:
    records = random_records(800, 9000)
    frames = frames_of(records)
    content, writer = written([frames], level)
    assert read_by_tensorflow(content, tmp_path / "shard") == records.to_pylist()
    assert gzip.decompress(content) == b"".join(frames.to_pylist())
    assert writer.records == len(records)
    assert writer.bytes_written == len(content)
    assert writer.sha256.hexdigest() == hashlib.sha256(content).hexdigest()


def test_an_empty_file_is_valid(tmp_path: Path) -> None:
    for pieces in ([], [pa.array([], pa.binary())], [frames_of(pa.array([], pa.binary()))]):
        content, writer = written(pieces)
        assert gzip.decompress(content) == b""
        assert read_by_tensorflow(content, tmp_path / "shard") == []
        assert (writer.records, writer.bytes_written) == (0, len(content))


def test_the_header_has_no_time_and_no_name() -> None:
    content, _ = written([frames_of(random_records(3, 30))])
    assert content[:8] == b"\x1f\x8b\x08" + bytes(5)
    assert zlib.decompressobj(31).decompress(content)


@pytest.mark.parametrize("rows", [1, 7, 100, 399, 1000])
def test_bytes_do_not_depend_on_the_sizes_of_writes(rows: int) -> None:
    frames = frames_of(random_records(400, 2 * BLOCK_BYTES // 50))
    assert sum(map(len, frames.to_pylist())) > 5 * BLOCK_BYTES
    pieces = [frames.slice(start, rows) for start in range(0, len(frames), rows)]
    assert written(pieces)[0] == written([frames])[0]


@pytest.mark.parametrize("size", [BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES])
@pytest.mark.parametrize("first", [1, BLOCK_BYTES - 1, BLOCK_BYTES])
def test_writes_that_end_at_a_block(size: int, first: int) -> None:
    data = random.Random(3).randbytes(size)
    first = min(first, size)
    whole = written([pa.array([data], pa.binary())])[0]
    assert gzip.decompress(whole) == data
    assert written([pa.array([data[:first]], pa.binary()), pa.array([data[first:]], pa.binary())])[0] == whole


def test_slices_write_only_their_frames(tmp_path: Path) -> None:
    records = random_records(30, 50)
    content, writer = written([frames_of(records).slice(10, 5)])
    assert read_by_tensorflow(content, tmp_path / "shard") == records.slice(10, 5).to_pylist()
    assert writer.records == 5
