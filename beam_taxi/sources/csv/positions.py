"""Positions of records in a text, and what joins its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from beam_taxi.sources.source import Joined


class TextPosition(NamedTuple):
    """The start of a record: its offset in bytes of text, and its line."""

    offset: int
    line: int


class LocalPosition(NamedTuple):
    """The start of a record: its offset in the file, and the number of line ends before it in the part."""

    offset: int
    lines: int


@dataclass(frozen=True)
class Boundaries:
    """A part read from one start state: the state at its end, and record starts.

    `first` is the first record start, `starts` has the first one at or after each cut. `opening_lines` is the number of
    line ends before the last quote that opened a field.
    """

    state_after: int
    first: LocalPosition | None
    starts: tuple[LocalPosition | None, ...]
    opening_lines: int | None


@dataclass(frozen=True)
class TextJoint:
    """What joins a part to its neighbours: its boundaries for both start states, and the state that was assumed.

    `end` is the offset at which the text of the part ends, `lines` the number of its line ends.
    """

    assumed: int
    boundaries: tuple[Boundaries, Boundaries]
    lines: int
    end: int


@dataclass(frozen=True)
class JoinedText(Joined[TextPosition]):
    """A joined text; `open_quotes` has, for each part, the line of the last quote that opened before it."""

    open_quotes: tuple[int, ...] = ()

    def number_of(self, part: int, row: int) -> int:
        """Return the line in the file of a line of a part, or of the quote that opened before it (`BEFORE`)."""
        return self.open_quotes[part] if row == BEFORE else super().number_of(part, row)


BEFORE = -1
"""Stands for the line of a quote that opened in an earlier part."""
