"""The protocol of sources: a table is opened, scanned in parts, and read again in units.

A new format is one module with a `Source` and one line in `registry.py`. The first pass calls `scan` for each part, in
parallel, and then `join` for all parts of a source; the second pass calls `reader`. Every source has its own type of
position (an offset and a line of text, a row group, a stream), which the rest of the package treats as opaque.
"""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.sources.content import Content
from beam_taxi.sources.kinds import Kind

Position = TypeVar("Position")
Joint = TypeVar("Joint")
_ReadPosition = TypeVar("_ReadPosition", contravariant=True)

Progress = Callable[[int, int], None]
"""Called with the stored bytes and the rows that were read since the last call."""


def no_progress(stored_bytes: int, rows: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class SourceInfo:
    """What is known about a source once it is open.

    `size` is the number of stored bytes, or a service's estimate; `columns` are in the order of the source.
    `is_splittable` means that its parts can be scanned independently, `is_sequential` that it can only be read from the
    beginning, so that consecutive units belong on one worker. `row_word` is the word for a row number: `line`, `row`
    or `record`. `fields` has all columns of a text by the names in it, if they are not those of the features.
    `with_lists` has the columns with several values; `left_out` those that cannot be used and are not wanted, with the
    reason. `most_units` is the number of units that it can be cut into, None if that is not limited.
    Values of the columns in `redacted` are not shown in messages.
    """

    uri: str
    format: str
    size: int
    columns: tuple[str, ...]
    is_splittable: bool = False
    is_sequential: bool = False
    row_word: str = "row"
    fields: tuple[str, ...] = ()
    with_lists: frozenset[str] = frozenset()
    left_out: Mapping[str, str] = field(default_factory=dict)
    most_units: int | None = None
    redacted: tuple[str, ...] = ()

    def shown(self, column: str, value: str) -> str:
        """Return a value for a message, unless values of the column must not be shown."""
        return "a value" if column in self.redacted else value

    def at(self, number: int) -> str:
        """Return the location of a row, as the start of a message."""
        return f"{self.uri}: {self.row_word} {number}"


@dataclass(frozen=True)
class Part:
    """Stored bytes `start` to `end` of source number `source`; a unit begins at or after each offset in `cuts`."""

    source: int
    index: int
    start: int
    end: int
    cuts: tuple[int, ...]


@dataclass(frozen=True)
class Scan(Generic[Joint]):
    """What the first pass found in a part; `joint`, of the source's own type, is what connects it to its neighbours."""

    part: Part
    content: Content
    joint: Joint


@dataclass(frozen=True)
class Joined(Generic[Position]):
    """A source whose parts have been joined.

    `bounds` are the start of the source, the position of each cut, and the end of the source: units lie between them.
    `first_numbers` has the number of the first row, or line, of each part. `again` lists the parts that were scanned
    under a wrong assumption, with the right one. `fault` is the number of a row and the reason to reject the source.
    """

    bounds: tuple[Position, ...]
    first_numbers: tuple[int, ...] = (1,)
    again: Mapping[int, int] = field(default_factory=dict)
    fault: tuple[int, str] | None = None

    def number_of(self, part: int, row: int) -> int:
        """Return the number in the source of a row, or line, which is counted from 0 in its part."""
        return self.first_numbers[part] + row


@dataclass(frozen=True)
class Reject:
    """A rejected record: where it is (`offset` in bytes of text), why, and its bytes without the line end.

    `raw` is None if the record must not be shown. `line` is the number of the row in its group if the source has groups
    of rows; see `Place`.
    """

    file: str
    line: int
    offset: int
    code: str
    reason: str
    raw: bytes | None
    row_group: int | None = None

    def to_json_line(self) -> bytes:
        """Return one line of JSON; `text` is the record, or `base64` if it is not UTF-8."""
        values: dict[str, str | int] = {"file": self.file, "line": self.line}
        values |= {"offset": self.offset} if self.row_group is None else {"row_group": self.row_group}
        values |= {"code": self.code, "reason": self.reason}
        if self.raw is None:
            return json.dumps(values, ensure_ascii=False).encode() + b"\n"
        try:
            content = {"text": self.raw.decode()}
        except UnicodeDecodeError:
            content = {"base64": base64.b64encode(self.raw).decode()}
        return json.dumps(values | content, ensure_ascii=False).encode() + b"\n"


class Place(NamedTuple):
    """Where a row is in its source; places are in the order of the source.

    `number` is its line or row, from 1: in its group if the source has groups of rows, which are counted from 0 (the
    row groups of Parquet, the streams of BigQuery). `raw` has the bytes of its record in a text, without the line end,
    and `offset` says where they begin in bytes of text.
    """

    group: int | None
    number: int
    offset: int = 0
    raw: bytes | None = None


RowNumbers = npt.NDArray[np.int64]
NO_GROUP = -1
"""The number of the group of rows of a source without groups."""


class Places(Protocol):
    """Where the rows of a batch are, by their numbers in it."""

    def places_of(self, rows: RowNumbers) -> Sequence[Place]:
        """Return the places of some rows."""

    def numbers_of(self, rows: RowNumbers) -> tuple[RowNumbers, RowNumbers]:
        """Return the groups of rows, or NO_GROUP, and their numbers in them, without Python code for each row."""


@dataclass(frozen=True)
class Batch:
    """Rows in feature order, the rejects among them, and the number of stored bytes that were read.

    The columns have values or lists of them, without nulls. `places` is None if the places of the rows are not wanted.
    """

    rows: pa.RecordBatch
    rejects: Sequence[Reject] = ()
    stored_bytes: int = 0
    places: Places | None = None


class Reader(Protocol[_ReadPosition]):
    """Reads a source from position to position, in ascending order."""

    def read(self, start: _ReadPosition, end: _ReadPosition) -> Iterator[Batch]:
        """Yield the rows between two positions. Raises DataError if the source cannot be read or has changed."""

    def close(self) -> None:
        """Close what is open."""


class Source(ABC, Generic[Position, Joint]):
    """An open table: a frozen dataclass with a field `info`. It must be small, since it is pickled for the workers."""

    info: SourceInfo

    @property
    def times_read(self) -> int:
        """How many times each stored byte is read, in both passes together."""
        return 2

    def edges(self, part_bytes: int) -> Sequence[int]:
        """Return the stored offsets that separate the parts; the first is 0 and the last is the size."""
        return (0, self.info.size)

    def column_kinds(self) -> Mapping[str, Kind]:
        """Return the kinds of the columns, as far as the table says so before its data is read."""
        return {}

    @abstractmethod
    def scan(self, part: Part, assumption: int | None = None, progress: Progress = no_progress) -> Scan[Joint]:
        """Read a part for the first pass; `assumption` is given by `join` if the part is scanned again.

        Raises DataError if the source is damaged or has changed.
        """

    @abstractmethod
    def join(self, joints: Sequence[Joint]) -> Joined[Position]:
        """Join the parts of the source, whose joints are given in order."""

    @abstractmethod
    def reader(self, kinds: Mapping[str, Kind], has_rejects: bool, with_places: bool = False) -> Reader[Position]:
        """Return a reader that yields the features in `kinds`, in that order and with those types.

        `with_places` says whether the places of rows are wanted.
        """

    @abstractmethod
    def content_hash(self, digests: Sequence[bytes]) -> str:
        """Return what identifies the content, from the digests of the parts; its prefix names how it was built."""

    @abstractmethod
    def hash_content(self, part_bytes: int) -> str:
        """Return the content hash without a scan, equal to that of a scan with parts of this size."""


AnySource = Source[Any, Any]
