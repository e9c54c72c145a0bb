"""The shards of a split, their order, and the rows that each of several workers reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
from isal import isal_zlib

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, DataError, UsageError, one_line
from beam_taxi.tfexample.formats import Decode, format_of
from beam_taxi.tfexample.frames import DamagedFrame

_FAULTS = (OSError, EOFError, RuntimeError, pa.ArrowException, DamagedFrame, cast(type[Exception], isal_zlib.IsalError))
"""What the libraries of the formats raise for a file that is damaged."""

_LOOKUPS = 16
"""Shards that are looked up at the same time."""


@dataclass(frozen=True)
class Shard:
    """A file, its number of rows and its size in bytes."""

    uri: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class Part:
    """The rows of a shard from number `start` up to `stop`."""

    uri: str
    start: int
    stop: int
    is_whole: bool

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.stop - self.start


@dataclass(frozen=True)
class Share:
    """The share of a worker: it is number `index` of `count`."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise UsageError(f"shard {self.index, self.count}: must be (index, count), and 0 <= index < count")

    def within(self, index: int, count: int) -> Share:
        """Return the share of worker `index` of `count` that divide this share."""
        return Share(self.index * count + index, self.count * count)


def check_shards(shards: Sequence[Shard]) -> None:
    """Raise DataError if a shard does not exist, or has another size than the manifest says."""
    with ThreadPoolExecutor(_LOOKUPS) as pool:
        for shard, found in zip(shards, pool.map(lambda one: storage.stat(one.uri), shards), strict=True):
            if found is None:
                raise DataError(f"{shard.uri}: is missing, though the manifest names it")
            if found.size != shard.bytes:
                raise DataError(f"{shard.uri}: has {found.size:,} bytes, not {shard.bytes:,} as the manifest says")


def shuffled(shards: Sequence[Shard], *seeds: int) -> list[Shard]:
    """Return the shards in an order that depends on the seeds and on their number alone."""
    places = (hashlib.sha256(f"{seeds} {number}".encode()).digest() for number in range(len(shards)))
    return [shard for _, shard in sorted(zip(places, shards, strict=True), key=lambda placed: placed[0])]


def parts_of(shards: Sequence[Shard], share: Share) -> list[Part]:
    """Return what one worker reads: the rows are cut evenly, so the shares differ by one row at most.

    Together the workers read every row once, provided that they see the same order of the shards.
    """
    total = sum(shard.rows for shard in shards)
    first, last = (total * index // share.count for index in (share.index, share.index + 1))
    parts, number = [], 0
    for shard in shards:
        start, stop = max(first - number, 0), min(last - number, shard.rows)
        if start < stop:
            parts.append(Part(shard.uri, start, stop, (start, stop) == (0, shard.rows)))
        number += shard.rows
    return parts


@dataclass(frozen=True)
class PartReader:
    """Reads parts of shards in a format."""

    example_format: str

    def records(self, part: Part) -> Iterator[Sequence[bytes]]:
        """Yield the rows as serialized Examples, some at a time. Raises DataError if the shard is damaged."""
        with _named(part.uri), storage.open_input(part.uri) as file:
            yield from format_of(self.example_format).records(file, part.start, part.stop)

    def batches(self, part: Part, decode: Decode) -> Iterator[pa.RecordBatch]:
        """Yield the rows as columns, some at a time. Raises DataError if the shard is damaged."""
        with _named(part.uri), storage.open_input(part.uri) as file:
            yield from format_of(self.example_format).batches(file, part.start, part.stop, decode)


@contextmanager
def _named(uri: str) -> Iterator[None]:
    """Raise DataError with the name of a shard that is damaged."""
    try:
        yield
    except BeamTaxiError:
        raise
    except _FAULTS as error:
        raise DataError(f"{uri}: is damaged or cannot be read: {one_line(error)}") from error
