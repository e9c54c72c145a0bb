"""Find where records end: the CSV automaton as bulk operations over bytes.

The language is that of Python's `csv` module: a quote opens a quoted field only if it is the first character of the
field, and is text elsewhere in an unquoted field; inside quotes, a doubled quote is text; LF, CRLF and CR end a record
outside quotes. Only two states matter between bytes, outside and inside a quoted field, and only runs of quotes of odd
length change them: a run that begins a field toggles the state, and any other run resets it to outside. So the state at
any byte is the start state plus the toggles since the last reset, which is a cumulative sum. A range of a file can
therefore be scanned without the bytes before it: scan it once, then query the scan for either start state
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
Flags = npt.NDArray[np.bool_]


def first_safe_cut(data: bytes, position: int, dialect: Dialect) -> int:
    """Return the first cut at or after `position` that splits neither a run of quotes nor a CRLF."""
    while 0 < position < len(data) and data[position - 1] in (dialect.quote_byte, CR):
        position += 1
    return position


def last_safe_cut(data: bytes, dialect: Dialect) -> int:
    """Return the last cut that is safe whatever bytes follow `data`; see `first_safe_cut`."""
    position = len(data)
    while position and data[position - 1] in (dialect.quote_byte, CR):
        position -= 1
    return position


@dataclass(frozen=True)
class _Runs:
    """Where each run of quotes starts and ends, and whether it begins a field."""

    starts: Positions
    ends: Positions
    begins: Flags


@dataclass(frozen=True)
class RecordScan:
    """The quotes and line breaks of `data[start:end]`; positions are offsets into `data`.

    `start` must be a safe cut (`first_safe_cut`). Bytes outside the range serve only as context.
    A record begins at `origin`, whatever precedes it.
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
    def _runs(self) -> _Runs:
        quote = self.dialect.quote_byte
        if quote is None or self.data.find(quote, self.start, self.end) < 0:
            none = np.zeros(0, np.int64)
            return _Runs(none, none, np.zeros(0, bool))
        is_quote = self._bytes[self.start : self.end] == quote
        edges = is_quote[1:] != is_quote[:-1]
        # A run may also begin at the first byte of the range, or end with its last one.
        changes = np.flatnonzero(np.concatenate([is_quote[:1], edges, is_quote[-1:]])) + self.start
        starts, ends = changes[::2], changes[1::2]
        before = self._bytes[starts - 1]
        begins = (before == self.dialect.delimiter_byte) | (before == LF) | (before == CR)
        begins[:1] |= starts[:1] == self.origin
        return _Runs(starts, ends, begins)

    @cached_property
    def _inside(self) -> tuple[Flags, Flags]:
        """For each start state: whether the byte before the first run, and after each run, is inside quotes."""
        runs = self._runs
        odd = ((runs.ends - runs.starts) & 1).astype(bool)
        toggled = np.bitwise_xor.accumulate(odd & runs.begins)
        resets = np.flatnonzero(odd & ~runs.begins)
        # Toggles up to the last reset do not count: subtract them between that reset and the next.
        outside = np.zeros(len(toggled) + 1, bool)
        if len(resets):
            spans = np.diff(resets, append=len(toggled))
            outside[resets[0] + 1 :] = np.repeat(toggled[resets], spans)
        outside[1:] ^= toggled
        inside = outside.copy()
        inside[: resets[0] + 1 if len(resets) else None] ^= True
        return outside, inside

    @cached_property
    def _runs_before(self) -> Positions:
        """For each line end: how many runs of quotes are before it."""
        return np.searchsorted(self._runs.starts, self.line_ends)

    def state_after(self, state: int) -> int:
        """Return the state at `end` if the state at `start` is `state`."""
        return int(self._inside[state][-1])

    def record_ends(self, state: int) -> Positions:
        """Return the line ends that end a record if the state at `start` is `state`."""
        if not len(self._runs.starts):
            return self.line_ends if state == OUTSIDE else self.line_ends[:0]
        return self.line_ends[~self._inside[state][self._runs_before]]

    def last_opening(self, state: int) -> int | None:
        """Return the position of the last quote that opened a field, or None."""
        return self._last_opening(state, len(self._runs.starts))

    def _last_opening(self, state: int, runs: int) -> int | None:
        """Return the position of the last opening quote among the first `runs` runs of quotes, or None."""
        found = np.flatnonzero(~self._inside[state][:runs] & self._runs.begins[:runs])
        return int(self._runs.starts[found[-1]]) if len(found) else None

    def text_after_quote(self, state: int) -> int | None:
        """Return where the first quoted field with text after its closing quote opens, or None.

        A field that is already open at `start` counts as opening there.
        """
        runs, inside = self._runs, self._inside[state]
        following = runs.ends[: np.searchsorted(runs.ends, len(self.data))]
        behind = self._bytes[following]
        text = (behind != self.dialect.delimiter_byte) & (behind != LF) & (behind != CR)
        count = len(following)
        bad = np.flatnonzero(text & ~inside[1 : count + 1] & (inside[:count] | runs.begins[:count]))
        if not len(bad):
            return None
        opening = self._last_opening(state, int(bad[0]) + 1)
        return self.start if opening is None else opening
