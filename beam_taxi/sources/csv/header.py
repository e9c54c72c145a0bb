"""The header of a file, its first record: how it is read and checked."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO

from beam_taxi.errors import DataError
from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.records import OUTSIDE, RecordScan
from beam_taxi.sources.csv.stream import Decoding, TextStream
from beam_taxi.sources.names import check_names

MAX_HEADER_BYTES = 16 << 20
_FIRST_READ = 32 << 10
_BOM = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][+-]?\d+)?")
_OTHER_DELIMITERS = ";\t|,"
_COMPRESSED = {"gzip": re.compile(rb"\x1f\x8b"), "zstd": re.compile(rb"\x28\xb5\x2f\xfd")}
# The level, then the magic number of a block or, in an empty file, of the end. Text may also begin with `BZh`.
_COMPRESSED["bz2"] = re.compile(rb"BZh[1-9](\x31\x41\x59\x26\x53\x59|\x17\x72\x45\x38\x50\x90)")
_NOT_TEXT = {
    b"PK\x03\x04": "a zip archive; unzip it first",
    b"\xfd7zXZ\x00": "xz-compressed; decompress it first, or use gzip, bzip2 or zstd",
    b"\x04\x22\x4d\x18": "lz4-compressed; decompress it first, or use gzip, bzip2 or zstd",
    b"\xff\xfe": "UTF-16 encoded; set --encoding utf-16",
    b"\xfe\xff": "UTF-16 encoded; set --encoding utf-16",
}


@dataclass(frozen=True)
class Header:
    """The column names of a file, the offset (in bytes of text) and line of what follows them, and the decoding.

    `decoding` is None if records can be found in the stored bytes.
    """

    columns: tuple[str, ...]
    end: int
    next_line: int
    decoding: Decoding | None


def read_header(uri: str, stored: BinaryIO, dialect: Dialect, known_names: Collection[str] = ()) -> Header:
    """Read and check the header of an open file; blank lines before it are skipped.

    A column name that looks like a number means that the header is missing, unless it is one of `known_names`.
    Raises DataError.
    """
    stored.seek(0)
    decoding = _decoding(uri, stored.read(_FIRST_READ), dialect)
    stored.seek(0)
    text = stored if decoding is None else TextStream(uri, stored, decoding)
    data, size = b"", _FIRST_READ
    while True:
        more = text.read(size - len(data))
        data += more
        header = _parse(uri, data, not more, dialect, decoding)
        if header is not None:
            _check(uri, header.columns, dialect, known_names)
            return header
        if size >= MAX_HEADER_BYTES:
            raise DataError(f"{uri}: line 1: the header exceeds the limit of {MAX_HEADER_BYTES} bytes")
        size *= 8


def _decoding(uri: str, start: bytes, dialect: Dialect) -> Decoding | None:
    for magic, what in _NOT_TEXT.items():
        if start.startswith(magic) and (dialect.is_utf8 or b"\0" in magic or magic[:1].isalpha()):
            raise DataError(f"{uri}: is {what}")
    compression = next((name for name, magic in _COMPRESSED.items() if magic.match(start)), None)
    transcoded = not (dialect.is_utf8 or dialect.is_single_byte)
    if compression is None and not transcoded:
        return None
    return Decoding(compression, dialect.encoding if transcoded else None)


def _parse(uri: str, data: bytes, whole: bool, dialect: Dialect, decoding: Decoding | None) -> Header | None:
    """Return the header, or None if more bytes are needed."""
    start = len(_BOM) if data.startswith(_BOM) else 0
    while start < len(data) and data[start] in b"\r\n":
        start += 1
    if start == len(data) and whole:
        raise DataError(f"{uri}: is empty: it has no header")
    if dialect.columns:
        return Header(dialect.columns, len(_BOM) if data.startswith(_BOM) else 0, 1, decoding)
    # A quote right at the start of the scan begins a field, BOM or not.
    text = data[start:]
    scan = RecordScan(text, dialect, 0, len(text))
    ends = scan.record_ends(OUTSIDE)
    line = 1 + len(RecordScan(data, dialect, 0, start).line_ends)
    if not whole and not (len(ends) and ends[0] < len(text)):
        return None
    if not len(ends) and scan.state_after(OUTSIDE):
        raise DataError(f"{uri}: line {line}: a quote opens in the header and is never closed")
    end = int(ends[0]) if len(ends) else len(text)
    encoding = "utf-8" if decoding and decoding.encoding else dialect.encoding
    try:
        header = text[:end].decode(encoding)
        names = next(csv.reader(io.StringIO(header, newline=""), **dialect.csv_format))
    except UnicodeDecodeError as error:
        told = f"byte 0x{text[error.start]:02x} in the header is not {encoding.upper()}; see --encoding"
        raise DataError(f"{uri}: line {line}: {told}") from None
    except csv.Error as error:
        raise DataError(f"{uri}: line {line}: the header cannot be read: {error}") from None
    if len(names) == 1:
        _check_delimiter(uri, header, dialect)
    lines = int((scan.line_ends <= end).sum()) if len(ends) else 1
    return Header(tuple(names), start + end, line + lines, decoding)


def _check_delimiter(uri: str, header: str, dialect: Dialect) -> None:
    """Raise DataError if another delimiter would split a header that is one column. A quoted name is not split."""
    for other in _OTHER_DELIMITERS:
        if other in header and other not in (dialect.delimiter, dialect.quote):
            split = csv.reader(io.StringIO(header, newline=""), **{**dialect.csv_format, "delimiter": other})
            if len(next(split)) > 1:
                raise DataError(
                    f"{uri}: line 1: the header has one column and contains {other!r}. Try --delimiter {other!r}"
                )


def _check(uri: str, names: tuple[str, ...], dialect: Dialect, known_names: Collection[str]) -> None:
    check_names(uri, names)
    numbers = [name for name in names if _NUMBER.fullmatch(name) and name not in known_names]
    if numbers and not dialect.columns:
        raise DataError(
            f"{uri}: line 1: the column name {numbers[0]!r} is a number: is the header missing? "
            "(give --column_names, or a --schema that has a feature of this name)"
        )
