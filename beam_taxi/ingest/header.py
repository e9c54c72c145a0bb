"""The first record of a file, and what it must look like."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass

from beam_taxi import storage
from beam_taxi.errors import DataError
from beam_taxi.ingest.records import OUTSIDE, RecordScan

MAX_HEADER_BYTES = 16 << 20
_FIRST_READ = 64 << 10
_BOM = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][+-]?\d+)?")
_OTHER_DELIMITERS = ";\t|,"
_NOT_TEXT = {
    b"\x1f\x8b": "gzip-compressed",
    b"BZh": "bzip2-compressed",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
    b"PK\x03\x04": "a zip archive",
    b"\xff\xfe": "UTF-16 encoded",
    b"\xfe\xff": "UTF-16 encoded",
}


@dataclass(frozen=True)
class Header:
    """The column names of a file, and the offset (bytes) and line of what follows them."""

    columns: tuple[str, ...]
    end: int
    next_line: int


def read_header(file: storage.InputFile, delimiter: str, known_names: Collection[str] = ()) -> Header:
    """Read and check the header; blank lines before it are skipped.

    `known_names` may look like numbers, which otherwise means that the file has no header. Raises DataError.
    """
    with storage.open_input(file.uri) as stream:
        size = _FIRST_READ
        while True:
            stream.seek(0)
            data = stream.read(size)
            header = _parse(file.uri, data, len(data) >= file.size or len(data) < size, delimiter)
            if header is not None:
                break
            if size >= MAX_HEADER_BYTES:
                raise DataError(f"{file.uri}: line 1: the header exceeds the limit of {MAX_HEADER_BYTES} bytes")
            size *= 8
    _check(file.uri, header.columns, delimiter, known_names)
    return header


def _parse(uri: str, data: bytes, whole: bool, delimiter: str) -> Header | None:
    """Return the header, or None where more bytes are needed."""
    for magic, what in _NOT_TEXT.items():
        if data.startswith(magic):
            raise DataError(f"{uri}: is {what}, not plain UTF-8 text; decompress or convert it first")
    start = len(_BOM) if data.startswith(_BOM) else 0
    while start < len(data) and data[start] in b"\r\n":
        start += 1
    if start == len(data) and whole:
        raise DataError(f"{uri}: is empty: it has no header")
    # A quote right at the start of the scan begins a field, BOM or not.
    text = data[start:]
    scan = RecordScan(text, ord(delimiter), 0, len(text))
    ends = scan.record_ends(OUTSIDE)
    line = 1 + len(RecordScan(data, ord(delimiter), 0, start).line_ends)
    if not len(ends):
        if not whole:
            return None
        if scan.state_after(OUTSIDE):
            raise DataError(f"{uri}: line {line}: a quote opens in the header and is never closed")
    end = int(ends[0]) if len(ends) else len(text)
    try:
        names = next(csv.reader(io.StringIO(text[:end].decode("utf-8"), newline=""), delimiter=delimiter))
    except UnicodeDecodeError as error:
        raise DataError(f"{uri}: line {line}: byte 0x{text[error.start]:02x} in the header is not UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{uri}: line {line}: the header cannot be read: {error}") from None
    lines = int((scan.line_ends <= end).sum()) if len(ends) else 1
    return Header(tuple(names), start + end, line + lines)


def _check(uri: str, names: tuple[str, ...], delimiter: str, known_names: Collection[str]) -> None:
    other = [d for d in _OTHER_DELIMITERS if d != delimiter and d in names[0]]
    if len(names) == 1 and other:
        raise DataError(f"{uri}: line 1: the header is one column that contains {other[0]!r}: set --delimiter")
    empty = [i + 1 for i, name in enumerate(names) if not name]
    if empty:
        raise DataError(f"{uri}: line 1: the header has no name for column {empty[0]}")
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise DataError(f"{uri}: line 1: the header has the duplicate column name {repeated[0]!r}")
    numbers = [name for name in names if _NUMBER.fullmatch(name) and name not in known_names]
    if numbers:
        raise DataError(
            f"{uri}: line 1: the column name {numbers[0]!r} is a number: is the header missing? "
            "(a --schema that names it allows it)"
        )
