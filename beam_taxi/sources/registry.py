"""The registry of sources: files by their content, other tables by the scheme of their URI."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from beam_taxi import storage
from beam_taxi.settings import Settings
from beam_taxi.sources.bigquery.names import SCHEME as BIGQUERY
from beam_taxi.sources.bigquery.opening import has_bigquery, open_bigquery
from beam_taxi.sources.csv.file import CsvFormat
from beam_taxi.sources.foreign import ForeignFormat
from beam_taxi.sources.formats import FileFormat, Sample
from beam_taxi.sources.jsonlines.format import JsonLinesFormat
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.parquet import ParquetFormat
from beam_taxi.sources.source import AnySource
from beam_taxi.sources.tfrecord.format import TFRecordFormat

FILE_FORMATS: list[FileFormat] = [ParquetFormat(), TFRecordFormat(), JsonLinesFormat(), ForeignFormat(), CsvFormat()]
"""The first format that recognizes a file opens it; the last one recognizes every file."""

TABLES: dict[str, Callable[[str, Settings, Mapping[str, Kind]], AnySource]] = {BIGQUERY: open_bigquery}
"""Openers of tables that are not files, by the scheme of their URIs."""

_LOOKS: dict[str, Callable[[str, Settings], bool]] = {BIGQUERY: has_bigquery}
"""What says whether a table exists, by the scheme of its URI."""


def is_table(uri: str) -> bool:
    """Return whether a URI names a table that is not a file."""
    return uri.startswith(tuple(TABLES))


def open_table(uri: str, settings: Settings, declared: Mapping[str, Kind]) -> AnySource:
    """Open a table by the scheme of its URI. Raises UsageError and DataError."""
    return next(opener for scheme, opener in TABLES.items() if uri.startswith(scheme))(uri, settings, declared)


def has_table(uri: str, settings: Settings) -> bool:
    """Return whether a table exists, as far as can be seen. Raises UsageError."""
    return next(look for scheme, look in _LOOKS.items() if uri.startswith(scheme))(uri, settings)


def is_csv(sample: Sample) -> bool:
    """Return whether a file is read as CSV."""
    return isinstance(_format_of(sample), CsvFormat)


def open_file(file: storage.InputFile, settings: Settings, declared: Mapping[str, Kind]) -> AnySource:
    """Open a file by its content. Raises DataError."""
    with storage.open_head(file) as stored:
        sample = Sample(file, stored)
        return _format_of(sample).open(sample, settings, declared)


def _format_of(sample: Sample) -> FileFormat:
    return next(one for one in FILE_FORMATS if one.recognizes(sample))
