"""What is known of a CSV file when it is open."""

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
    """A CSV file: its records begin at `start`, a position in its text; `dialect` is that of the text once decoded.

    `declared` are types that are given, `batch_bytes` the bytes of text that are parsed at once.
    """

    info: SourceInfo
    modified: float
    start: TextPosition
    dialect: Dialect
    declared: Mapping[str, Kind]
    batch_bytes: int
