"""Where records end: the CSV automaton in bulk operations over bytes.

The language is that of Python's `csv` module: a quote opens a quoted field only as its first character and is
text elsewhere in an unquoted one; inside quotes a doubled quote is text; LF, CRLF and CR end a record outside
quotes. Two states matter between bytes, outside and inside a quoted field, and only runs of quotes of odd length
change them: one that begins a field toggles the state, any other leaves it outside whatever it was. So the state
anywhere is the start state plus the toggles since the last such reset, which is a cumulative sum. That makes a
range of a file readable without what stands before it: scan it once, then ask for either start state
(cf. Ge et al., "Speculative Distributed CSV Data Parsing for Big Data Analytics", SIGMOD 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from beam_taxi.settings import Dialect

LF, CR = 10, 13
OUTSIDE, INSIDE = 0, 1

Positions = npt.NDArray[np.int64]


def first_safe_cut(data: bytes, position: int, dialect: Dialect) -> int:
    """Return the first cut at or after `position` that splits neither a run of quotes nor a CRLF."""
    while 0 < position < len(data) and data[position - 1] in (dialect.quote_byte, CR):
        position += 1
    return position


def last_safe_cut(data: bytes, dialect: Dialect) -> int:
    """Return the last such cut before more bytes are known."""
    position = len(data)
    while position and data[position - 1] in (dialect.quote_byte, CR):
        position -= 1
    return position


@dataclass(frozen=True)
class RecordScan:
    """The quotes and line breaks of `data[start:end]`; positions are offsets into `data`.

    `start` must be a safe cut (`first_safe_cut`). Bytes outside of the range are looked at only as neighbours.
    A record begins at `origin`, whatever stands before it.
    """

    data: bytes
    dialect: Dialect
    start: int
    end: int
    origin: int = 0

    @cached_property
    def _bytes(self) -> npt.NDArray[np.uint8]:
        return np.frombuffer(self.data, np.uint8)

    @cached_property
    def line_ends(self) -> Positions:
        """Positions just after each LF, CRLF or CR, quoted or not, in ascending order."""
        window = self._bytes[self.start : self.end]
        breaks = np.flatnonzero(window == LF)
        if self.data.find(b"\r", self.start, self.end) >= 0:
            returns = np.flatnonzero(window == CR)
            after = returns + self.start + 1
            alone = np.ones(len(returns), bool)
            known = after < len(self.data)
            alone[known] = self._bytes[after[known]] != LF
            breaks = np.sort(np.concatenate([breaks, returns[alone]]))
        return breaks + (self.start + 1)

    @cached_property
    def _runs(self) -> tuple[Positions, Positions, npt.NDArray[np.bool_]]:
        """Start and length of each run of quotes, and whether it begins a field."""
        quote = self.dialect.quote_byte
        if quote is None or self.data.find(quote, self.start, self.end) < 0:
            none = np.zeros(0, np.int64)
            return none, none, np.zeros(0, bool)
        quotes = np.flatnonzero(self._bytes[self.start : self.end] == quote) + self.start
        heads = np.flatnonzero(np.diff(quotes, prepend=-2) != 1)
        starts = quotes[heads]
        before = self._bytes[starts - 1]
        begins = (before == self.dialect.delimiter_byte) | (before == LF) | (before == CR) | (starts == self.origin)
        return starts, np.diff(np.append(heads, len(quotes))), begins

    def _inside_after_runs(self, state: int) -> npt.NDArray[np.bool_]:
        """Tell for each run of quotes whether the byte after it is inside quotes."""
        starts, lengths, begins = self._runs
        odd = (lengths & 1).astype(bool)
        toggles = np.cumsum(odd & begins)
        resets = np.maximum.accumulate(np.where(odd & ~begins, np.arange(len(starts)), -1))
        since = np.where(resets >= 0, toggles - toggles[resets], toggles + state)
        return (since & 1).astype(bool)

    def state_after(self, state: int) -> int:
        """Return the state at `end` when that at `start` is `state`."""
        after = self._inside_after_runs(state)
        return int(after[-1]) if len(after) else state

    def record_ends(self, state: int) -> Positions:
        """Return the line ends that end a record when the state at `start` is `state`."""
        after = self._inside_after_runs(state)
        if not len(after):
            return self.line_ends if state == OUTSIDE else self.line_ends[:0]
        runs_before = np.searchsorted(self._runs[0], self.line_ends)
        inside = np.concatenate([[bool(state)], after])[runs_before]
        return self.line_ends[~inside]

    def last_opening(self, state: int) -> int | None:
        """Return the position of the last quote that opened a field, or None where none did."""
        openings = self._runs[0][self._openings(state)]
        return int(openings[-1]) if len(openings) else None

    def _openings(self, state: int) -> npt.NDArray[np.bool_]:
        after = self._inside_after_runs(state)
        before = np.concatenate([[bool(state)], after[:-1]]) if len(after) else after
        return ~before & self._runs[2]

    def text_after_quote(self, state: int) -> int | None:
        """Return where the first quoted field opens that has text behind its closing quote, or None.

        A field that was open at `start` counts as opened there.
        """
        starts, lengths, begins = self._runs
        after = self._inside_after_runs(state)
        if not len(after):
            return None
        before = np.concatenate([[bool(state)], after[:-1]])
        closes = ~after & (before | begins)
        following = starts + lengths
        closes &= following < len(self.data)
        next_byte = self._bytes[np.minimum(following, len(self.data) - 1)]
        closes &= (next_byte != self.dialect.delimiter_byte) & (next_byte != LF) & (next_byte != CR)
        bad = np.flatnonzero(closes)
        if not len(bad):
            return None
        openings = starts[: bad[0] + 1][self._openings(state)[: bad[0] + 1]]
        return int(openings[-1]) if len(openings) else self.start
