"""The protocol of sources: a table is opened, scanned in parts, and read again in units.

A new format is one module with a `Source` and one line in `registry.py`. The first pass calls `scan` for each part, in
parallel, and `join` for all parts of a source; the second calls `reader`. Every source has its own type of position
(an offset and a line of text, a row group, a stream), which nothing else looks into.
"""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

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
    """What is known of a source when it is open.

    `size` is in bytes as they are stored, or estimated by a service; `columns` are in the order of the source.
    `is_splittable` says that parts can be scanned apart, `is_sequential` that reading starts at the beginning, so that
    consecutive units belong to one worker. `row_word` is what rows are numbered by: `line` or `row`.
    """

    uri: str
    format: str
    size: int
    columns: tuple[str, ...]
    is_splittable: bool = False
    is_sequential: bool = False
    row_word: str = "row"

    def at(self, number: int) -> str:
        """Return the place of a row, to begin a message with."""
        return f"{self.uri}: {self.row_word} {number}"


@dataclass(frozen=True)
class Part:
    """Stored bytes `start` to `end` of source number `source`; at or behind each offset in `cuts` a unit begins."""

    source: int
    index: int
    start: int
    end: int
    cuts: tuple[int, ...]


@dataclass(frozen=True)
class Scan(Generic[Joint]):
    """What the first pass found in a part; `joint` is what joins it to its neighbours, of the source's own type."""

    part: Part
    content: Content
    joint: Joint


@dataclass(frozen=True)
class Joined(Generic[Position]):
    """A source whose parts were joined.

    `bounds` are where its units begin, between its start and its end: one more than there are cuts, and the end.
    `first_numbers` has the number of the first row, or line, of each part. `again` are the parts that were scanned
    under a wrong assumption, with the right one. `fault` is a row number and the reason to refuse the source.
    """

    bounds: tuple[Position, ...]
    first_numbers: tuple[int, ...] = (1,)
    again: tuple[tuple[int, int], ...] = ()
    fault: tuple[int, str] | None = None

    def number_of(self, part: int, row: int) -> int:
        """Return the number in the source of a row, or line, of a part, counted from 0 there."""
        return self.first_numbers[part] + row


@dataclass(frozen=True)
class Reject:
    """A record that was set aside: where it is (`offset` in bytes of text), why, and its bytes without the line end."""

    file: str
    line: int
    offset: int
    code: str
    reason: str
    raw: bytes

    def to_json_line(self) -> bytes:
        """Return one line of JSON; `text` is the record, or `base64` if it is not UTF-8."""
        values = {"file": self.file, "line": self.line, "offset": self.offset, "code": self.code, "reason": self.reason}
        try:
            content = {"text": self.raw.decode()}
        except UnicodeDecodeError:
            content = {"base64": base64.b64encode(self.raw).decode()}
        return json.dumps(values | content, ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True)
class Batch:
    """Rows as flat columns in the order of the features, the rejects among them, and the stored bytes they took."""

    rows: pa.RecordBatch
    rejects: Sequence[Reject] = ()
    stored_bytes: int = 0


class Reader(Protocol[_ReadPosition]):
    """Reads a source from position to position, in ascending order."""

    def read(self, start: _ReadPosition, end: _ReadPosition) -> Iterator[Batch]:
        """Yield the rows between two positions. Raises DataError if the source cannot be read, or has changed."""

    def close(self) -> None:
        """Close what is open."""


class Source(ABC, Generic[Position, Joint]):
    """An open table: a frozen dataclass with a field `info`, small, since it is pickled for the workers."""

    info: SourceInfo

    def edges(self, part_bytes: int) -> Sequence[int]:
        """Return the stored offsets between which parts lie: the first is 0 and the last the size."""
        return (0, self.info.size)

    @abstractmethod
    def scan(self, part: Part, assumption: int | None = None, progress: Progress = no_progress) -> Scan[Joint]:
        """Read a part for the first pass; `assumption` is what `join` said of one that is scanned again.

        Raises DataError if the source is damaged or was changed.
        """

    @abstractmethod
    def join(self, joints: Sequence[Joint]) -> Joined[Position]:
        """Join the parts of the source, given in their order."""

    @abstractmethod
    def reader(self, kinds: Mapping[str, Kind], has_rejects: bool) -> Reader[Position]:
        """Return a reader of the features in `kinds`, in this order, with these types."""

    @abstractmethod
    def content_hash(self, digests: Sequence[bytes]) -> str:
        """Return what identifies the content, from the digests of the parts; it names its own construction."""

    @abstractmethod
    def hash_content(self, part_bytes: int) -> str:
        """Return the content hash without a scan, the same that a scan of parts of this size gives."""


AnySource = Source[Any, Any]
