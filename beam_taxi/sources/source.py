"""An input file as it is known before its data are read, and the parts in which they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.grammar import Kind
from beam_taxi.sources.csv.stream import Decoding


@dataclass(frozen=True)
class Table:
    """A BigQuery table at one time: the streams that hold its rows, the kinds of its columns, the time in ISO 8601."""

    streams: tuple[str, ...]
    kinds: Mapping[str, Kind]
    snapshot: str

    @property
    def content_hash(self) -> str:
        """What stands for a hash of the content: the time, since the rows are read only once."""
        return f"bigquery-snapshot:{self.snapshot}"


@dataclass(frozen=True)
class SourceFile:
    """An input file: where its records begin (bytes of text), on which line, and its columns in its own order.

    `size` is in bytes as they are stored. `dialect` is that of the text, after `decoding`. In a Parquet file records
    begin at row groups, and rows are counted for lines; in a `table` they begin at streams.
    """

    uri: str
    size: int
    modified: float
    columns: tuple[str, ...]
    data_start: int
    first_line: int
    dialect: Dialect
    decoding: Decoding | None = None
    is_parquet: bool = False
    table: Table | None = None

    @property
    def format(self) -> str:
        """Return `csv`, `parquet` or `bigquery`."""
        return "bigquery" if self.table is not None else "parquet" if self.is_parquet else "csv"

    @property
    def is_one_block(self) -> bool:
        """Tell whether one worker has to read the file in the first pass."""
        return self.format != "csv" or self.decoding is not None

    def at(self, line: int) -> str:
        """Return the place of a line, to begin a message with."""
        return f"{self.uri}: {'line' if self.format == 'csv' else 'row'} {line}"


@dataclass(frozen=True)
class Block:
    """Stored bytes `start` to `end` of file number `file`; `cuts` are the offsets in it at which units shall begin."""

    file: int
    index: int
    start: int
    end: int
    cuts: tuple[int, ...]
