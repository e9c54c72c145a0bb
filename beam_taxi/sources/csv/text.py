"""What is known about an open CSV file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.positions import TextPosition
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import Joint, SourceInfo
from beam_taxi.sources.stored_file import StoredFile
from beam_taxi.sources.weights import Weighing


@dataclass(frozen=True)
class CsvText(StoredFile[TextPosition, Joint]):
    """A CSV file. Its records begin at `start`, a position in the text; `dialect` is that of the decoded text.

    `declared` has the types of columns that are given; `batch_bytes` is how much text is parsed at a time. Without
    weights, `weighing` is None. `fields` has the names of all fields of a record, see `fields_of`. `header` has the
    header as it is written, without its line end, or is empty.
    """

    info: SourceInfo
    version: str
    start: TextPosition
    dialect: Dialect
    declared: Mapping[str, Kind]
    batch_bytes: int
    weighing: Weighing | None
    fields: tuple[str, ...]
    header: bytes


_UNWANTED, _UNNAMED = "\0unwanted ", "\0unnamed "


def fields_of(columns: Sequence[str], wanted: Mapping[str, str], n_unnamed: int) -> tuple[str, ...]:
    """Return names for all fields of a record: those of the features, or ones of which `is_column` is False.

    Args:
        columns: The columns in the file.
        wanted: The names in the file of the wanted columns, by the names of their features.
        n_unnamed: The number of fields at the end of each record that have no name and must be empty.
    """
    features = {old: new for new, old in wanted.items()}
    named = (features.get(name, f"{_UNWANTED}{number}") for number, name in enumerate(columns))
    return (*named, *(f"{_UNNAMED}{number}" for number in range(n_unnamed)))


def is_column(field: str) -> bool:
    """Return whether a field is that of a feature."""
    return not field.startswith("\0")


def is_unnamed(field: str) -> bool:
    """Return whether a field is one at the end of a record that has no name in the header."""
    return field.startswith(_UNNAMED)
