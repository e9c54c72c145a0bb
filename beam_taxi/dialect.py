"""The format of CSV files."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from beam_taxi.flags import INTEGER, NAMES, Group, flag


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    `quote` is empty if no field is quoted. `null_values` are spellings of a missing value besides the empty cell.
    `columns` are the names of the columns if the file has no header. A record may have 4 times `max_field_bytes`.
    """

    delimiter: str = field(default=",", metadata=flag("one ASCII character", Group.CSV))
    quote: str = field(default='"', metadata=flag("one ASCII character, or empty if no field is quoted", Group.CSV))
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
    max_field_bytes: int = field(
        default=16 << 20,
        metadata=flag("maximum field size in bytes; a record may be 4 times as long", Group.CSV, INTEGER),
    )

    @property
    def delimiter_byte(self) -> int:
        """The delimiter as a byte."""
        return ord(self.delimiter)

    @property
    def quote_byte(self) -> int | None:
        """The quote as a byte, or None if no field is quoted."""
        return ord(self.quote) if self.quote else None

    @property
    def csv_format(self) -> dict[str, Any]:
        """The arguments for Python's csv module."""
        quoting = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE}
        return {"delimiter": self.delimiter, **quoting}

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
        if len(self.delimiter) != 1 or self.delimiter in "\r\n" or not self.delimiter.isascii():
            yield f"--delimiter {self.delimiter!r}: must be one ASCII character other than a line break"
        if len(self.quote) > 1 or self.quote in ("\r", "\n", self.delimiter) or not self.quote.isascii():
            yield f"--quote {self.quote!r}: must be empty or one ASCII character other than delimiter and line break"
        try:
            "".encode(codecs.lookup(self.encoding).name)
        except LookupError:
            yield f"--encoding {self.encoding!r}: not a text encoding that Python knows"
        if len(set(self.columns)) < len(self.columns) or not all(self.columns):
            yield f"--column_names {','.join(self.columns)}: names must be unique and not empty"
