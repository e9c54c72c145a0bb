"""What is known about an open CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.positions import TextPosition
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import Joint, SourceInfo
from beam_taxi.sources.stored_file import StoredFile


@dataclass(frozen=True)
class CsvText(StoredFile[TextPosition, Joint]):
    """A CSV file. Its records begin at `start`, a position in the text; `dialect` is that of the decoded text.

    `declared` has the types of columns that are given; `batch_bytes` is how much text is parsed at a time.
    `n_unnamed` is the number of fields at the end of each record that have no name, and must be empty.
    `header` is the header as it is written, without its line end, or empty.
    """

    info: SourceInfo
    version: str
    start: TextPosition
    dialect: Dialect
    declared: Mapping[str, Kind]
    batch_bytes: int
    n_unnamed: int = 0
    header: bytes = b""

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of all fields of a record; see `is_unnamed`."""
        return (*self.info.columns, *(f"{_UNNAMED}{number}" for number in range(self.n_unnamed)))


_UNNAMED = "\0unnamed "


def is_unnamed(field: str) -> bool:
    """Return whether a field is one at the end of a record that has no name in the header."""
    return field.startswith(_UNNAMED)
