"""The format of CSV files."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from beam_taxi.flags import INTEGER, NAMES, Group, Value, flag

WHITESPACE = "whitespace"
"""The delimiter of files whose columns are separated by any number of spaces and tabs."""

DELIMITER_NAMES = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|", "space": " ", "\\t": "\t"}
"""Words for delimiters that are hard to type."""

DECIMALS = (".", ",")


def _parse_delimiter(text: str) -> str:
    return DELIMITER_NAMES.get(text, text)


def _format_delimiter(delimiter: str) -> str:
    return "tab" if delimiter == "\t" else delimiter


_DELIMITER = Value(_parse_delimiter, _format_delimiter)


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    `quote` is empty if no field is quoted, `escape` if no character is escaped, `comment` if no line is a comment.
    `null_values` are spellings of a missing value besides the empty cell. `columns` are the names of the columns if the
    file has no header, or another one with `replaces_header`. A record may have 4 times `max_field_bytes`.
    """

    delimiter: str = field(
        default=",",
        metadata=flag(
            "one ASCII character, or comma, tab, semicolon, pipe, space, or "
            f"{WHITESPACE}: any number of spaces and tabs",
            Group.CSV,
            _DELIMITER,
        ),
    )
    quote: str = field(default='"', metadata=flag("one ASCII character, or empty if no field is quoted", Group.CSV))
    escape: str = field(
        default="", metadata=flag("one ASCII character that makes the next one literal, such as \\", Group.CSV)
    )
    comment: str = field(
        default="", metadata=flag("one ASCII character; lines that begin with it are skipped", Group.CSV)
    )
    skip_lines: int = field(default=0, metadata=flag("skip N lines before the header", Group.CSV, INTEGER))
    skip_footer: int = field(default=0, metadata=flag("skip the last N records", Group.CSV, INTEGER))
    trim: bool = field(default=False, metadata=flag("remove white space around cells and names", Group.CSV, sets=True))
    decimal: str = field(
        default=DECIMALS[0], metadata=flag("decimal mark of numbers", Group.CSV, choices=DECIMALS, metavar="MARK")
    )
    thousands: str = field(default="", metadata=flag("thousands separator of numbers", Group.CSV, metavar="MARK"))
    number_marks: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "currencies, percent signs and units to remove from numbers: $,%,USD,…", Group.CSV, NAMES, metavar="MARKS"
        ),
    )
    encoding: str = field(default="utf-8", metadata=flag("text encoding, as Python names it", Group.CSV))
    null_values: tuple[str, ...] = field(
        default=(),
        metadata=flag("values that mean missing, besides the empty cell: a,b,…", Group.CSV, NAMES, metavar="VALUES"),
    )
    columns: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "column names of files without a header: a,b,…", Group.CSV, NAMES, name="column_names", metavar="NAMES"
        ),
    )
    replaces_header: bool = field(
        default=False,
        metadata=flag(
            "the files have a header, which --column_names replaces", Group.CSV, name="replace_header", sets=True
        ),
    )
    index_name: str | None = field(
        default=None, metadata=flag("name for a first column that has none, such as a pandas index", Group.CSV)
    )
    trailing_delimiter: bool = field(
        default=False,
        metadata=flag("drop empty, unnamed columns at the end, as left by a trailing delimiter", Group.CSV, sets=True),
    )
    max_field_bytes: int = field(
        default=16 << 20,
        metadata=flag("maximum field size in bytes; a record may be 4 times as long", Group.CSV, INTEGER),
    )

    @property
    def delimiter_character(self) -> str:
        """The delimiter; of `WHITESPACE` what it is reduced to."""
        return " " if self.delimiter == WHITESPACE else self.delimiter

    @property
    def delimiter_byte(self) -> int:
        """The delimiter as a byte."""
        return ord(self.delimiter_character)

    @property
    def is_whitespace(self) -> bool:
        """Whether any number of spaces and tabs is one delimiter."""
        return self.delimiter == WHITESPACE

    @property
    def quote_byte(self) -> int | None:
        """The quote as a byte, or None if no field is quoted."""
        return ord(self.quote) if self.quote else None

    @property
    def escape_byte(self) -> int | None:
        """The escape character as a byte, or None."""
        return ord(self.escape) if self.escape else None

    @property
    def comment_byte(self) -> int | None:
        """The first byte of a comment, or None."""
        return ord(self.comment) if self.comment else None

    @property
    def padding(self) -> bytes:
        """The characters that may surround a cell and are not part of it."""
        if not self.trim or self.is_whitespace:
            return b""
        return b" \t".replace(self.delimiter.encode(), b"")

    @property
    def has_notation(self) -> bool:
        """Whether numbers are written otherwise than in the plain grammar of cells."""
        return self.decimal != DECIMALS[0] or bool(self.thousands or self.number_marks)

    @property
    def csv_format(self) -> dict[str, Any]:
        """The arguments for Python's csv module."""
        quoting = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE}
        escaping = {"escapechar": self.escape} if self.escape else {}
        padding = {"skipinitialspace": True} if self.trim or self.is_whitespace else {}
        return {"delimiter": self.delimiter_character, **quoting, **escaping, **padding}

    @property
    def max_record_bytes(self) -> int:
        """The maximum size of a record in bytes."""
        return 4 * self.max_field_bytes

    @property
    def is_utf8(self) -> bool:
        """Whether the text is UTF-8, of which ASCII is a part."""
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig", "ascii")

    @property
    def is_single_byte(self) -> bool:
        """Whether a byte is a character, with ASCII unchanged: records can be found in the stored bytes."""
        every_byte = bytes(range(256)).decode(self.encoding, "replace")
        return len(every_byte) == 256 and every_byte[:128] == bytes(range(128)).decode("ascii")

    def faults(self) -> Iterator[str]:
        """Yield what is wrong, by option."""
        special = {"--quote": self.quote, "--escape": self.escape, "--comment": self.comment}
        if not self.is_whitespace and not _is_character(self.delimiter):
            yield (
                f"--delimiter {self.delimiter!r}: must be one ASCII character other than a line break, or one of "
                f"{', '.join([*DELIMITER_NAMES, WHITESPACE])}"
            )
        for option, character in special.items():
            others = [self.delimiter_character, *(one for name, one in special.items() if name != option)]
            if character and (not _is_character(character) or character in others):
                yield (
                    f"{option} {character!r}: must be empty or one ASCII character other than delimiter and line "
                    "break, and none of --quote, --escape and --comment may be another"
                )
        limited = {"--skip_lines": (self.skip_lines, 1_000_000), "--skip_footer": (self.skip_footer, 1000)}
        for option, (number, most) in limited.items():
            if not 0 <= number <= most:
                yield f"{option} {number}: must be between 0 and {most}"
        yield from self._faults_of_numbers()
        yield from self._faults_of_names()
        try:
            "".encode(codecs.lookup(self.encoding).name)
        except LookupError:
            yield f"--encoding {self.encoding!r}: not a text encoding that Python knows"

    def _faults_of_numbers(self) -> Iterator[str]:
        if len(self.thousands) > 1 or self.thousands in ("-", "+") or self.thousands.isalnum():
            yield f"--thousands {self.thousands!r}: must be one character other than a letter, a digit and a sign"
        if self.thousands == self.decimal:
            yield f"--thousands {self.thousands!r}: must not be the decimal mark, --decimal {self.decimal!r}"
        for mark in self.number_marks:
            # A bracket may mean a negative number.
            if set(mark) & set("0123456789-()") or not set(mark) - set(".,eE \t" + self.thousands):
                yield (
                    f"--number_marks {mark!r}: must have a character that is not part of a number, and no digit, '-' "
                    "or bracket"
                )

    def _faults_of_names(self) -> Iterator[str]:
        if len(set(self.columns)) < len(self.columns) or not all(self.columns):
            yield f"--column_names {','.join(self.columns)}: names must be unique and not empty"
        if self.replaces_header and not self.columns:
            yield "--replace_header requires --column_names"
        if self.index_name == "" or (self.index_name is not None and self.columns):
            yield f"--index_name {self.index_name!r}: must not be empty, and excludes --column_names"


def _is_character(text: str) -> bool:
    return len(text) == 1 and text not in "\r\n" and text.isascii()
