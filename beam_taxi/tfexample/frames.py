"""The records of a TFRecord file, cut out of its bytes; see `tfrecord` for the format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import google_crc32c
import numpy as np
import numpy.typing as npt

from beam_taxi.tfexample.tfrecord import masked

_HEADER = 12
_FOOTER = 4


class DamagedFrame(Exception):
    """A frame is not whole: its offset in the file, its number from 0, and the reason."""

    def __init__(self, offset: int, number: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset
        self.number = number


class Readable(Protocol):
    """A stream that returns fewer bytes than requested only at the end."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


@dataclass(frozen=True)
class Frames:
    """Consecutive records, and the offset of the frame of each in the file; the next frame begins at `end`."""

    records: list[bytes]
    starts: npt.NDArray[np.int64]
    end: int

    @property
    def size(self) -> int:
        """The number of bytes of the frames."""
        return self.end - int(self.starts[0]) if self.records else 0


def is_frame(head: bytes) -> bool:
    """Return whether bytes begin with the length of a record and its checksum."""
    return len(head) >= _HEADER and _is_length(head, 0)


def read_frames(stream: Readable, size: int | None, batch_bytes: int, offset: int, number: int) -> Iterator[Frames]:
    """Yield the records in the next `size` bytes, or all up to the end if None, about `batch_bytes` at a time.

    The stream is at the frame of record `number`, at `offset`. Raises DamagedFrame, and EOFError if there are fewer
    than `size` bytes.
    """
    rest, left = b"", size
    while left is None or left:
        wanted = max(batch_bytes, _missing(rest))
        read = stream.read(wanted if left is None else min(wanted, left))
        if not read:
            if left is not None:
                raise EOFError
            break
        left = None if left is None else left - len(read)
        rest += read
        frames = _cut(rest, offset, number)
        if frames.records:
            yield frames
            rest, offset, number = rest[frames.end - offset :], frames.end, number + len(frames.records)
    if rest:
        raise DamagedFrame(offset, number, "the file ends within it")


def _missing(rest: bytes) -> int:
    """Return how many bytes the first frame lacks, if its length is known."""
    return _frame_bytes(rest, 0) - len(rest) if len(rest) >= _HEADER else 0


def _frame_bytes(data: bytes, start: int) -> int:
    return _HEADER + int.from_bytes(data[start : start + 8], "little") + _FOOTER


def _is_length(data: bytes, start: int) -> bool:
    stored = np.frombuffer(data, "<u4", 1, start + 8)
    return bool(masked(np.array([google_crc32c.value(data[start : start + 8])], np.uint32)) == stored)


def _cut(data: bytes, offset: int, number: int) -> Frames:
    """Return the whole frames at the start of `data`. Raises DamagedFrame."""
    starts, at = list[int](), 0
    while at + _HEADER <= len(data):
        end = at + _frame_bytes(data, at)
        if end > len(data):
            # A length is not believed before it has been checked.
            if not _is_length(data, at):
                raise DamagedFrame(offset + at, number + len(starts), "the checksum of its length is wrong")
            break
        starts.append(at)
        at = end
    bounds = np.array([*starts, at], np.int64)
    records = [data[start + _HEADER : end - _FOOTER] for start, end in zip(starts, bounds[1:].tolist(), strict=True)]
    lengths = [data[start : start + 8] for start in starts]
    for values, places, what in (
        (lengths, bounds[:-1] + 8, "its length"),
        (records, bounds[1:] - _FOOTER, "its content"),
    ):
        wrong = np.flatnonzero(masked(_checksums(values)) != _numbers_at(data, places))
        if len(wrong):
            first = int(wrong[0])
            raise DamagedFrame(offset + starts[first], number + first, f"the checksum of {what} is wrong")
    return Frames(records, offset + bounds[:-1], offset + at)


def _checksums(values: list[bytes]) -> npt.NDArray[np.uint32]:
    return np.fromiter(map(google_crc32c.value, values), np.uint32, count=len(values))


def _numbers_at(data: bytes, places: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """Return the little-endian numbers of four bytes at places."""
    memory = np.frombuffer(data, np.uint8)
    found: npt.NDArray[np.uint32] = memory[places[:, np.newaxis] + np.arange(4)].view("<u4")[:, 0]
    return found
