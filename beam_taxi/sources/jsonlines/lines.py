"""Whole lines of a text: blocks of them, and where they begin and end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from beam_taxi.sources.csv.parse import Readable as Readable
from beam_taxi.sources.cuts import Numbers

_LF, _CR = 10, 13
_SPACES = b" \t\r"
_TAIL_BYTES = 64 << 10


class TooLong(Exception):
    """The line after the last block exceeds the limit."""


def too_long(limit: int) -> str:
    """Return the end of a message about a line beyond the limit."""
    return f"exceeds the limit of {limit:,} bytes, 4 times --max_field_bytes"


def line_starts(block: bytes) -> Numbers:
    """Return where each line of a block of whole lines begins."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _LF) + 1
    starts: Numbers = np.concatenate([np.zeros(1, np.int64), ends])
    return starts[: -1 if block.endswith(b"\n") else None]


@dataclass(frozen=True)
class Lines:
    """The lines of a block that are not blank, without the white space around them.

    `starts` and `ends` are offsets in the block, `numbers` count all of its lines from 0.
    """

    starts: Numbers
    ends: Numbers
    numbers: Numbers
    blank: int = 0

    @staticmethod
    def of(block: bytes) -> Lines:
        """Return the lines of a block."""
        starts = line_starts(block)
        data = np.frombuffer(block, np.uint8)
        ends = np.append(starts[1:], len(block))
        ends -= data[ends - 1] == _LF
        ends -= (ends > starts) & (data[ends - 1] == _CR)
        spaces = np.frombuffer(_SPACES, np.uint8)
        first, last = data.take(starts, mode="clip"), data.take(ends - 1, mode="clip")
        for row in np.flatnonzero((starts < ends) & (np.isin(first, spaces) | np.isin(last, spaces))).tolist():
            line = block[starts[row] : ends[row]]
            ends[row] = starts[row] + len(line.rstrip(_SPACES))
            starts[row] = max(starts[row], ends[row] - len(line.strip(_SPACES)))
        kept = np.flatnonzero(starts < ends)
        return Lines(starts[kept], ends[kept], kept, len(starts) - len(kept))

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, rows: Numbers) -> Lines:
        """Return some of the lines."""
        return Lines(self.starts[rows], self.ends[rows], self.numbers[rows], self.blank)

    def are_objects(self, block: bytes) -> bool:
        """Return whether each line begins and ends with a brace."""
        data = np.frombuffer(block, np.uint8)
        return bool((data[self.starts] == ord("{")).all() and (data[self.ends - 1] == ord("}")).all())


def blocks_of(stream: Readable, size: int | None, batch_bytes: int, limit: int) -> Iterator[bytes]:
    """Yield the next `size` bytes, or all up to the end if None, in blocks of whole lines of about `batch_bytes`.

    Raises TooLong, and EOFError if there are fewer than `size` bytes.
    """
    rest, left = b"", size
    while left is None or left:
        read = stream.read(batch_bytes if left is None else min(batch_bytes, left))
        if not read:
            if left is None:
                break
            raise EOFError
        left = None if left is None else left - len(read)
        cut = read.rfind(b"\n") + 1
        if cut:
            yield rest + read[:cut]
            rest = read[cut:]
        else:
            rest += read
        if len(rest) > limit:
            raise TooLong
    if rest:
        yield rest


def first_line_from(stored: BinaryIO, offset: int) -> int:
    """Return where the first line begins at or after an offset, which is not 0; the end if there is none."""
    at = offset - 1
    stored.seek(at)
    while read := stored.read(_TAIL_BYTES):
        found = read.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(read)
    return at


class HashedRange:
    """A file from `start` on; `sha256` is of what was read of it before `end`."""

    def __init__(self, stored: BinaryIO, start: int, end: int) -> None:
        stored.seek(start)
        self._stored = stored
        self._left = end - start
        self.sha256 = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        read = self._stored.read(size)
        self.sha256.update(read[: self._left])
        self._left = max(0, self._left - len(read))
        return read

    def skip(self, size: int) -> None:
        """Read so many bytes."""
        while size and (read := self.read(min(size, 1 << 20))):
            size -= len(read)
