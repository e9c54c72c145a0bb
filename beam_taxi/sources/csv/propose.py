"""Propose the options of the dialect that a CSV file seems to be written in, with reasons, from its first records.

Nothing is applied: a proposal may be wrong until a person has confirmed it.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import BinaryIO

from beam_taxi.errors import DataError
from beam_taxi.settings import WHITESPACE, Dialect
from beam_taxi.sources.csv.header import cells_of
from beam_taxi.sources.csv.propose_cells import cell_proposals
from beam_taxi.sources.csv.signature import compression_of, refuse_other_than_text
from beam_taxi.sources.csv.stream import Decoding, TextStream

SAMPLE_BYTES = 256 << 10
_MAX_LINES = 1000
_MAX_LINES_OF_RECORD = 100
_DELIMITERS = (",", "\t", ";", "|", WHITESPACE)
_QUOTES = ('"', "'")
_COMMENTS = "#%"
_FALLBACK_ENCODING = "cp1252"
_MOST_FOOTERS = 10
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Proposal:
    """A dialect, and why each of its options is proposed, by the name of its field."""

    dialect: Dialect
    reasons: dict[str, str]
    records: int


@dataclass(frozen=True)
class _Record:
    line: int
    text: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class _Reading:
    """The records of a sample in some dialect; `fields` is the most frequent number of fields, `share` how frequent."""

    dialect: Dialect
    records: Sequence[_Record]
    fields: int
    share: float

    @property
    def rank(self) -> tuple[bool, float, bool, bool, int]:
        """The better reading has the greater rank."""
        plain = (self.dialect.quote == '"', not self.dialect.escape)
        return (self.fields > 1, round(self.share, 2), *plain, self.fields)


def propose(uri: str, stored: BinaryIO) -> Proposal:
    """Return a proposal for an open file. Raises DataError if it is empty or not text."""
    reasons: dict[str, str] = {}
    text, encoding, whole = _sample(uri, stored)
    if encoding != Dialect().encoding:
        reasons["encoding"] = f"the text is not {Dialect().encoding.upper()}"
    if not text.strip():
        raise DataError(f"{uri}: is empty")
    comment = _comment(text)
    given = Dialect(comment=comment, encoding=encoding)
    readings = [_read(text, whole, dialect) for dialect in _candidates(text, given)]
    best = max(readings, key=lambda reading: reading.rank)
    if not best.records:
        raise DataError(f"{uri}: has no records")
    if comment and _is_row(best.records[0], best.records[1:]):
        # The header may begin with the mark of comments.
        other = _read(text, whole, replace(best.dialect, comment=""))
        best = other if other.share >= best.share else best
    found = _Finder(best, reasons, whole).find()
    return Proposal(found, reasons, len(best.records))


def _sample(uri: str, stored: BinaryIO) -> tuple[str, str, bool]:
    """Return the first text of a file, its encoding, and whether it is all."""
    start = stored.read(1024)
    encoding = "utf-16" if start.startswith(_UTF16) else Dialect().encoding
    refuse_other_than_text(uri, start, Dialect(encoding=encoding))
    compression = compression_of(start)
    stored.seek(0)
    stream = TextStream(uri, stored, Decoding(compression, None)) if compression else stored
    data = stream.read(SAMPLE_BYTES)
    whole = len(data) < SAMPLE_BYTES
    if compression:
        refuse_other_than_text(uri, data, Dialect(encoding=encoding), compression)
    if not whole:
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        data = data[: cut or len(data)] if encoding != "utf-16" else data[: len(data) // 2 * 2]
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding), encoding, whole
    except UnicodeDecodeError:
        return data.decode(_FALLBACK_ENCODING, "replace"), _FALLBACK_ENCODING, whole


def _candidates(text: str, given: Dialect) -> Iterator[Dialect]:
    """Yield the ways in which records may be split into cells."""
    quotes = [quote for quote in _QUOTES if quote == given.quote or quote in text]
    escapes = ["", "\\"] if "\\" in text else [""]
    # White space before quotes, in most lines.
    trim = 2 * len(re.findall(r"""[,;|\t] +["']""", text)) > len(text.splitlines())
    for delimiter, quote, escape in product(_DELIMITERS, quotes, escapes):
        yield replace(given, delimiter=delimiter, quote=quote, escape=escape, trim=trim)


def _comment(text: str) -> str:
    """Return the character with which comments begin, or empty: lines that begin with it, but not all."""
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line]
    for mark in _COMMENTS:
        marked = sum(line.startswith(mark) for line in lines)
        if marked > 0 and 2 * marked <= len(lines) + 2:
            return mark
    return ""


def _read(text: str, whole: bool, dialect: Dialect) -> _Reading:
    lines = list(islice(io.StringIO(text, newline=""), _MAX_LINES))
    records = list(_records(lines, dialect))
    if not (whole and len(lines) < _MAX_LINES) and len(records) > 1:
        del records[-1]
    counts = Counter(len(record.cells) for record in records)
    fields, count = max(counts.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    return _Reading(dialect, records, fields, count / max(len(records), 1))


def _records(lines: Sequence[str], dialect: Dialect) -> Iterator[_Record]:
    """Yield the records; comments and blank lines are left out."""
    number = 0
    while number < len(lines):
        line = lines[number]
        if not line.strip() or (dialect.comment and line.startswith(dialect.comment)):
            number += 1
            continue
        count = _lines_of_record(lines[number : number + _MAX_LINES_OF_RECORD], dialect)
        record = "".join(lines[number : number + count])
        try:
            cells = cells_of(record.rstrip("\r\n"), dialect)
        except csv.Error:
            cells = []
        yield _Record(number + 1, record, tuple(cells))
        number += count


def _lines_of_record(lines: Sequence[str], dialect: Dialect) -> int:
    """Return how many lines the first record has; one if a quote in it is not closed."""
    quotes = 0
    for count, line in enumerate(lines, 1):
        text = (
            line.replace(dialect.escape * 2, "").replace(dialect.escape + dialect.quote, "") if dialect.escape else line
        )
        quotes += text.count(dialect.quote)
        if quotes % 2 == 0:
            return count
    return 1


class _Finder:
    """Finds what else differs from the plain dialect, once it is known how records are split into cells."""

    def __init__(self, reading: _Reading, reasons: dict[str, str], whole: bool) -> None:
        self._dialect = reading.dialect
        self._records = list(reading.records)
        self._fields = reading.fields
        self._share = reading.share
        self._reasons = reasons
        self._whole = whole and (not reading.records or reading.records[-1].line < _MAX_LINES - 1)

    def find(self) -> Dialect:
        """Return the dialect, and add the reasons."""
        self._splitting()
        if self._whole:
            self._footer()
        header = self._skip_to_header()
        rows = self._full()
        if header is not None:
            rows = [record for record in rows if record.line > header.line]
        self._names(header, rows)
        names = () if header is None else header.cells
        for name, value, reason in cell_proposals([(row.line, row.cells) for row in rows], names):
            self._set(name, value, reason)
        return self._dialect

    def _set(self, name: str, value: object, reason: str) -> None:
        self._dialect = replace(self._dialect, **{name: value})  # type: ignore[arg-type]
        self._reasons[name] = reason

    def _splitting(self) -> None:
        told = f"{self._share:.0%} of the records have {self._fields} fields"
        if self._dialect.delimiter != Dialect().delimiter:
            self._reasons["delimiter"] = told
        if self._dialect.quote != Dialect().quote:
            self._reasons["quote"] = told + " so"
        if self._dialect.escape:
            self._reasons["escape"] = told + " so"
        if self._dialect.trim:
            self._reasons["trim"] = "there is white space before quotes"
        if self._dialect.comment:
            self._reasons["comment"] = f"lines begin with {self._dialect.comment!r}"

    def _footer(self) -> None:
        count = 0
        for record in reversed(self._records[1:]):
            is_total = bool(record.cells) and record.cells[0].strip().lower() in ("total", "totals", "sum", "gesamt")
            if count == _MOST_FOOTERS or (len(record.cells) == self._fields and not is_total):
                break
            count += 1
        if 0 < count < len(self._records) - 1:
            record = self._records[-count]
            self._set("skip_footer", count, f"line {record.line} is not a record of the table: {_shown(record.text)}")
            del self._records[-count:]

    def _skip_to_header(self) -> _Record | None:
        """Return the header, after lines to be skipped; None if there is none."""
        is_name = re.compile(r"\s*\S.*", re.DOTALL)

        def is_header(record: _Record) -> bool:
            names = [cell for cell in record.cells[1:-1] if not is_name.fullmatch(cell)]
            return len(record.cells) == self._fields and not names and len({*record.cells}) == self._fields

        complete = next((r for r in self._records if is_header(r) and all(map(is_name.fullmatch, r.cells))), None)
        header = next(filter(is_header, self._records), None)
        first = self._records[0]
        if len(first.cells) == self._fields - 1 and all(first.cells) and not any(r.cells[-1] for r in self._full()):
            return first
        follows = [r for r in self._records if header and r.line > header.line and len(r.cells) == self._fields]
        if header and complete and not header.cells[-1].strip() and any(r.cells[-1].strip() for r in follows):
            # The last column has cells, so this is not a header with a delimiter at its end.
            header = complete
        if header is None:
            return None
        before = [record for record in self._records if record.line < header.line]
        if before:
            self._set("skip_lines", header.line - 1, f"line {before[0].line} is not a header: {_shown(before[0].text)}")
        return header

    def _full(self) -> list[_Record]:
        return [record for record in self._records if len(record.cells) == self._fields]

    def _names(self, header: _Record | None, rows: Sequence[_Record]) -> None:
        if header is None:
            return
        names = [cell.strip() for cell in header.cells]
        if _is_row(header, rows):
            made = tuple(f"column_{number}" for number in range(1, self._fields + 1))
            self._set("columns", made, f"line {header.line} looks like a row: {_shown(header.text)}")
            return
        numbers = [name for name in names if re.fullmatch(r"-?\d+(\.\d*)?", name)]
        if self._fields > 1 and not any(row.cells[-1].strip() for row in rows):
            if not names[-1] or len(names) < self._fields:
                self._set("trailing_delimiter", True, f"all records after line {header.line} end with a delimiter")
            if not names[-1]:
                names.pop()
        if numbers:
            given = tuple(name or f"column_{number}" for number, name in enumerate(names, 1))
            self._set("columns", given, f"line {header.line} has the number {numbers[0]!r} as a name")
            self._set("replaces_header", True, f"line {header.line} is a header")
        elif names and not names[0] and all(names[1:]):
            self._set("index_name", "index", f"the first name in line {header.line} is empty")


def _is_row(header: _Record, rows: Sequence[_Record]) -> bool:
    """Return whether the first record has numbers where the others have them, and they are not years."""

    def numeric(cell: str) -> bool:
        return bool(re.fullmatch(r"\s*-?[\d.,]*\d\s*", cell))

    rows = [row for row in rows if len(row.cells) == len(header.cells)]
    columns = [
        number
        for number in range(len(header.cells))
        if rows and all(numeric(row.cells[number]) for row in rows if row.cells[number].strip())
    ]
    cells = [header.cells[number].strip() for number in columns]
    year = re.compile(r"(1[89]|20)\d\d")
    below = (row.cells[number].strip() for number in columns for row in rows)
    are_years = all(map(year.fullmatch, cells)) and not all(map(year.fullmatch, filter(None, below)))
    return bool(cells) and all(map(numeric, cells)) and not are_years


def _shown(text: str) -> str:
    line = text.strip()
    return repr(line if len(line) <= 40 else line[:39] + "…")
