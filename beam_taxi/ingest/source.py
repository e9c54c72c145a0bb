"""An input file as it is known before its data are read, and the parts in which they are."""

from __future__ import annotations

from dataclasses import dataclass

from beam_taxi.ingest.stream import Decoding
from beam_taxi.settings import Dialect


@dataclass(frozen=True)
class SourceFile:
    """An input file: where its records begin (bytes of text), on which line, and its columns in its own order.

    `size` is in bytes as they are stored. `dialect` is that of the text, after `decoding`. In a Parquet file records
    begin at row groups, and rows are counted for lines.
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

    @property
    def is_one_block(self) -> bool:
        """Tell whether one worker has to read the file in the first pass."""
        return self.is_parquet or self.decoding is not None

    def at(self, line: int) -> str:
        """Return the place of a line, to begin a message with."""
        return f"{self.uri}: {'row' if self.is_parquet else 'line'} {line}"


@dataclass(frozen=True)
class Block:
    """Stored bytes `start` to `end` of file number `file`; `cuts` are the offsets in it at which units shall begin."""

    file: int
    index: int
    start: int
    end: int
    cuts: tuple[int, ...]
