"""The header of a file, its first record: how it is read and checked."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import BinaryIO

from beam_taxi.errors import DataError
from beam_taxi.settings import WHITESPACE, ColumnSettings, Dialect
from beam_taxi.sources.csv.records import RecordScan
from beam_taxi.sources.csv.signature import compression_of, refuse_other_than_text
from beam_taxi.sources.csv.states import OUTSIDE
from beam_taxi.sources.csv.stream import Decoding, TextStream
from beam_taxi.sources.names import check_names

MAX_HEADER_BYTES = 16 << 20
_FIRST_READ = 32 << 10
_BOM = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][+-]?\d+)?")
_OTHER_DELIMITERS = ";\t|,"
_OTHER_START = "--skip_lines and --comment skip what comes before a header"
_SIGNATURE_BYTES = 1 << 10


@dataclass(frozen=True)
class Header:
    """The column names of a file, the offset (in bytes of text) and line of what follows them, and the decoding.

    `decoding` is None if records can be found in the stored bytes. `line` is that of the header, `text` its bytes
    without the line end, or empty if there is none. `n_unnamed` counts the fields at its end that are to be dropped.
    `wanted` has the names of the wanted columns, by the names of their features.
    """

    columns: tuple[str, ...]
    end: int
    next_line: int
    decoding: Decoding | None
    line: int = 1
    text: bytes = b""
    n_unnamed: int = 0
    wanted: Mapping[str, str] = field(default_factory=dict)


def read_header(
    uri: str,
    stored: BinaryIO,
    dialect: Dialect,
    chosen: ColumnSettings,
    known_names: Collection[str] = (),
) -> Header:
    """Read and check the header of an open file; blank lines and comments before it are skipped.

    A column name that looks like a number means that the header is missing, unless it is one of `known_names`.
    Raises DataError.
    """
    stored.seek(0)
    decoding = _decoding(uri, stored.read(_FIRST_READ), dialect)
    if decoding is not None and decoding.compression is not None:
        stored.seek(0)
        content = TextStream(uri, stored, Decoding(decoding.compression, None))
        refuse_other_than_text(uri, content.read(_SIGNATURE_BYTES), dialect, decoding.compression)
    stored.seek(0)
    text = stored if decoding is None else TextStream(uri, stored, decoding)
    data, size = b"", _FIRST_READ
    while True:
        more = text.read(size - len(data))
        data += more
        header = _parse(uri, data, not more, dialect, decoding)
        if header is not None:
            wanted = chosen.select(uri, header.columns)
            chosen_names = set(wanted.values())
            used = tuple(name for name in header.columns if name in chosen_names)
            if header.text and not dialect.columns:
                known = {old for new, old in wanted.items() if new in known_names}
                _check(uri, replace(header, columns=used), dialect, known)
            check_names(uri, used)
            return replace(header, wanted=wanted)
        if size >= MAX_HEADER_BYTES:
            raise DataError(f"{uri}: line 1: the header exceeds the limit of {MAX_HEADER_BYTES} bytes")
        size *= 8


def _decoding(uri: str, start: bytes, dialect: Dialect) -> Decoding | None:
    refuse_other_than_text(uri, start, dialect)
    compression = compression_of(start)
    transcoded = not (dialect.is_utf8 or dialect.is_single_byte)
    if compression is None and not transcoded and not dialect.skip_footer:
        return None
    return Decoding(compression, dialect.encoding if transcoded else None)


def _parse(uri: str, data: bytes, whole: bool, dialect: Dialect, decoding: Decoding | None) -> Header | None:
    """Return the header, or None if more bytes are needed."""
    start = _start(uri, data, whole, dialect)
    if start is None:
        return None
    line = 1 + len(RecordScan(data, dialect, 0, start).line_ends)
    after = skippable(dialect).match(data, start)
    assert after is not None
    if after.end() == len(data):
        if not whole:
            return None
        raise DataError(f"{uri}: is empty: it has no header")
    if dialect.columns and not dialect.replaces_header:
        return Header(dialect.columns, start, line, decoding)
    line += len(RecordScan(data, dialect, start, after.end()).line_ends)
    # A quote right at the start of the scan begins a field, BOM or not.
    text = data[after.end() :]
    scan = RecordScan(text, dialect, 0, len(text))
    ends = scan.record_ends(OUTSIDE)
    if not whole and not (len(ends) and ends[0] < len(text)):
        return None
    if not len(ends) and scan.state_after(OUTSIDE):
        raise DataError(f"{uri}: line {line}: a quote opens in the header and is never closed")
    end = int(ends[0]) if len(ends) else len(text)
    encoding = "utf-8" if decoding and decoding.encoding else dialect.encoding
    try:
        names = cells_of(text[:end].decode(encoding), dialect)
    except UnicodeDecodeError as error:
        told = f"byte 0x{text[error.start]:02x} in the header is not {encoding.upper()}; see --encoding"
        raise DataError(f"{uri}: line {line}: {told}") from None
    except csv.Error as error:
        raise DataError(f"{uri}: line {line}: the header cannot be read: {error}") from None
    lines = int((scan.line_ends <= end).sum()) if len(ends) else 1
    columns, n_unnamed = _named(names, dialect)
    if dialect.trailing_delimiter and not n_unnamed and len(ends):
        n_unnamed = _trailing_fields(text[end:], len(names), encoding, dialect)
    written = text[:end].rstrip(b"\r\n")
    return Header(columns, after.end() + end, line + lines, decoding, line, written, n_unnamed)


def _start(uri: str, data: bytes, whole: bool, dialect: Dialect) -> int | None:
    """Return where the lines to be skipped end, or None if more bytes are needed."""
    start = len(_BOM) if data.startswith(_BOM) else 0
    if not dialect.skip_lines:
        return start
    ends = RecordScan(data, dialect, start, len(data)).line_ends
    if not whole:
        # A line feed may follow.
        ends = ends[ends < len(data)]
    if len(ends) >= dialect.skip_lines:
        return int(ends[dialect.skip_lines - 1])
    if whole:
        raise DataError(f"{uri}: is empty: it has {len(ends)} lines, and --skip_lines {dialect.skip_lines} skips them")
    return None


@lru_cache
def skippable(dialect: Dialect) -> re.Pattern[bytes]:
    """Return the pattern of blank lines and comments."""
    blank = rb"[ \t]*[\r\n]" if dialect.trim or dialect.is_whitespace else rb"[\r\n]"
    comment = rb"|" + re.escape(dialect.comment.encode()) + rb"[^\r\n]*(?:[\r\n]|\Z)" if dialect.comment else b""
    return re.compile(rb"(?:" + blank + comment + rb")*")


def cells_of(record: str, dialect: Dialect) -> list[str]:
    """Return the cells of a record in words. Raises csv.Error."""
    if dialect.is_whitespace:
        record = record.strip().replace("\t", " ")
    cells = next(csv.reader(io.StringIO(record, newline=""), **dialect.csv_format), [])
    return [cell.strip() for cell in cells] if dialect.trim else cells


def _trailing_fields(text: bytes, n_names: int, encoding: str, dialect: Dialect) -> int:
    """Return 1 if the first record ends with a delimiter, unlike the header, else 0."""
    skipped = skippable(dialect).match(text)
    assert skipped is not None
    text = text[skipped.end() :]
    ends = RecordScan(text, dialect, 0, len(text)).record_ends(OUTSIDE)
    try:
        cells = cells_of(text[: int(ends[0]) if len(ends) else len(text)].decode(encoding, "replace"), dialect)
    except csv.Error:
        return 0
    return int(len(cells) == n_names + 1 and not cells[-1])


def _named(names: list[str], dialect: Dialect) -> tuple[tuple[str, ...], int]:
    """Return the names of the columns, and how many fields at the end have none and are to be dropped."""
    n_unnamed = 0
    while dialect.trailing_delimiter and n_unnamed < len(names) - 1 and not names[-1 - n_unnamed]:
        n_unnamed += 1
    names = names[: len(names) - n_unnamed]
    if dialect.columns:
        return dialect.columns, n_unnamed
    if dialect.index_name is not None and names and not names[0]:
        names[0] = dialect.index_name
    return tuple(names), n_unnamed


def _check(uri: str, header: Header, dialect: Dialect, known_names: Collection[str]) -> None:
    """Raise DataError if the header is probably none, with the options that may help."""
    names, at = header.columns, f"{uri}: line {header.line}"
    empty = [number for number, name in enumerate(names, 1) if not name]
    if empty and len(names) > 1:
        if empty == [1]:
            told = "--index_name NAME gives it a name, as for a pandas index"
        elif empty == list(range(empty[0], len(names) + 1)):
            told = "does every line end with a delimiter? --trailing_delimiter drops empty columns at the end"
        else:
            told = "--column_names a,b,… with --replace_header gives all columns names"
        raise DataError(f"{at}: the header has no name for column {empty[0]}: {told}; {_OTHER_START}")
    if len(names) == 1:
        _check_delimiter(uri, header, dialect)
    numbers = [name for name in names if _NUMBER.fullmatch(name) and name not in known_names]
    if numbers:
        raise DataError(
            f"{at}: the column name {numbers[0]!r} is a number: is the header missing? "
            f"(give --column_names, or a --schema that has a feature of this name); {_OTHER_START}"
        )


def _check_delimiter(uri: str, header: Header, dialect: Dialect) -> None:
    """Raise DataError if another delimiter would split a header that is one column. A quoted name is not split."""
    text = header.text.decode("utf-8", "replace")
    for other in (*_OTHER_DELIMITERS, WHITESPACE):
        given = replace(dialect, delimiter=other)
        if other in (dialect.delimiter, dialect.quote, dialect.escape):
            continue
        if other == WHITESPACE and not re.search(r"\S {2,}\S.* {2,}\S", text):
            continue
        try:
            found = len(cells_of(text, given))
        except csv.Error:
            continue
        if found > 1:
            what = "runs of spaces" if other == WHITESPACE else repr(other)
            shown = other if other == WHITESPACE else repr(other)
            raise DataError(
                f"{uri}: line {header.line}: the header has one column and contains {what}. Try --delimiter {shown}; "
                f"{_OTHER_START}"
            )
