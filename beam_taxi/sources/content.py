"""What the first pass learns from the rows: their number, the kinds of the columns, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from beam_taxi.sources.kinds import Evidence, Kind

BEYOND_INT64, NULLS_IN_LISTS = "beyond int64", "nulls in lists"
"""What is noted about values of a column."""


@dataclass
class Content:
    """The rows that start in a part. Row numbers, or lines, count from 0 at the start of the part.

    `sha256` is the digest of the part's stored bytes; `rows` is None if the number is known only after reading.
    `rejects` counts bad rows by reason code, `first_reject` has row and reason of the first. A `fault` ends the run.
    `overflows` has the first row that overflows float32 by column, `inexact` the columns that lose digits as float32.
    `notes` has by column, and what is noted, how many values it is true of and the row of the first.
    """

    sha256: bytes = b""
    rows: int | None = 0
    blank_lines: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)
    overflows: dict[str, int] = field(default_factory=dict)
    inexact: set[str] = field(default_factory=set)
    rejects: Counter[str] = field(default_factory=Counter)
    first_reject: tuple[int, str] | None = None
    fault: tuple[int, str] | None = None
    notes: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def add_evidence(self, name: str, evidence: Evidence) -> None:
        """Add evidence about a column; the caller records where an overflow is."""
        self.kinds[name] = max(self.kinds.get(name, Kind.MISSING), evidence.kind)
        if evidence.inexact:
            self.inexact.add(name)

    def note(self, name: str, what: str, count: int, row: int) -> None:
        """Note something about more values of a column, the first of which is in a row after those noted before."""
        known, first = self.notes.get((name, what), (0, row))
        self.notes[name, what] = known + count, first


class RowPlace(NamedTuple):
    """The place of a row: source and part by number, and row number, or line, in the part. Places are ordered."""

    source: int
    part: int
    row: int


@dataclass
class SourceTotals:
    """Totals of one source; `digests` are those of its parts, by index."""

    rows: int | None = 0
    blank_lines: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    digests: dict[int, bytes] = field(default_factory=dict)

    def merge(self, other: SourceTotals) -> None:
        """Add the totals of other parts."""
        self.rows = None if self.rows is None or other.rows is None else self.rows + other.rows
        self.blank_lines += other.blank_lines
        self.rejects += other.rejects
        self.digests |= other.digests


@dataclass
class TableContent:
    """The merged content of parts of any sources. Merging is commutative and associative."""

    totals: dict[int, SourceTotals] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    overflows: dict[str, RowPlace] = field(default_factory=dict)
    inexact: set[str] = field(default_factory=set)
    first_reject: tuple[RowPlace, str] | None = None
    fault: tuple[RowPlace, str] | None = None
    notes: dict[tuple[str, str], tuple[int, RowPlace]] = field(default_factory=dict)

    @staticmethod
    def of_part(source: int, part: int, content: Content) -> TableContent:
        """Return the content of one part as a TableContent."""

        def place(found: tuple[int, str] | None) -> tuple[RowPlace, str] | None:
            return None if found is None else (RowPlace(source, part, found[0]), found[1])

        totals = SourceTotals(content.rows, content.blank_lines, content.rejects, {part: content.sha256})
        return TableContent(
            {source: totals},
            content.kinds,
            {name: RowPlace(source, part, row) for name, row in content.overflows.items()},
            content.inexact,
            place(content.first_reject),
            place(content.fault),
            {key: (count, RowPlace(source, part, row)) for key, (count, row) in content.notes.items()},
        )

    def merge(self, other: TableContent) -> None:
        """Add the content of other parts."""
        for source, totals in other.totals.items():
            if source in self.totals:
                self.totals[source].merge(totals)
            else:
                self.totals[source] = SourceTotals()
                self.totals[source].merge(totals)
        for name, kind in other.kinds.items():
            self.kinds[name] = max(self.kinds.get(name, kind), kind)
        for name, place in other.overflows.items():
            self.overflows[name] = min(self.overflows.get(name, place), place)
        self.inexact |= other.inexact
        for key, (count, place) in other.notes.items():
            known, first = self.notes.get(key, (0, place))
            self.notes[key] = known + count, min(first, place)
        self.first_reject = min(filter(None, (self.first_reject, other.first_reject)), default=None)
        self.fault = min(filter(None, (self.fault, other.fault)), default=None)
