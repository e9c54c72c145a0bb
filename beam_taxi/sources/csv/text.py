"""What is known about an open CSV file."""

from __future__ import annotations

from collections.abc import Mapping
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
    weights, `weighing` is None.
    """

    info: SourceInfo
    version: str
    start: TextPosition
    dialect: Dialect
    declared: Mapping[str, Kind]
    batch_bytes: int
    weighing: Weighing | None
