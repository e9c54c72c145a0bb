"""Find where records end: the CSV automaton as bulk operations over bytes.

The language is that of Python's `csv` module: a quote opens a quoted field only if it is the first character of the
field, and is text elsewhere in an unquoted field; inside quotes, a doubled quote is text; LF, CRLF and CR end a record
outside quotes. Only two states matter between bytes, outside and inside a quoted field, and only runs of quotes of odd
length change them: a run that begins a field toggles the state, and any other run resets it to outside. So the state at
any byte is the start state plus the toggles since the last reset, which is a cumulative sum. A range of a file can
therefore be scanned without the bytes before it: scan it once, then query the scan for either start state
(cf. Ge et al., "Speculative Distributed CSV Data Parsing for Big Data Analytics", SIGMOD 2019).

An escaped character is text, so it is left out of the above. A line that begins with the comment character is a comment
if it begins outside quotes; then its quotes do not count, and outside is the state after it. So the quotes of
such a line together keep or reset the state, whatever it is. A range of a file with comments must begin with a line.
The end of such a line counts as not escaped: an escaped line break outside quotes cannot be in a line that begins with
the comment character inside quotes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from beam_taxi.settings import Dialect
from beam_taxi.sources.csv.states import (
    CR,
    INSIDE,
    LF,
    OUTSIDE,
    TAB,
    Flags,
    Positions,
    among,
    firsts,
    states_with_comments,
)


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
    def escaped(self) -> Flags | None:
        """For each byte of the range: whether an escape character makes it text; None if there is none."""
        escape = self.dialect.escape_byte
        if escape is None or self.data.find(escape, self.start, self.end) < 0:
            return None
        # The range begins behind what is neither an escape character nor escaped.
        positions = np.flatnonzero(self._bytes[self.start : self.end] == escape)
        numbers = np.arange(len(positions))
        first = np.maximum.accumulate(np.where(np.diff(positions, prepend=-2) > 1, numbers, 0))
        behind = positions[(numbers - first) % 2 == 0] + 1
        escaped = np.zeros(self.end - self.start, bool)
        escaped[behind[behind < len(escaped)]] = True
        return escaped

    @cached_property
    def _is_break(self) -> Flags:
        """For each line end: whether it is not escaped. That of what may be a comment never is."""
        assert self.escaped is not None
        ends: Flags = ~self.escaped[self.line_ends - 1 - self.start]
        if self.dialect.comment_byte is None:
            return ends
        starts = np.concatenate([[self.start], self.line_ends])[: len(self.line_ends)]
        is_marked = self._bytes[starts] == self.dialect.comment_byte
        follows_end = np.concatenate([[True], ends])[: len(starts)]
        numbers = np.arange(len(starts))
        last_comment = np.maximum.accumulate(np.where(is_marked & follows_end, numbers, -1))
        last_other = np.maximum.accumulate(np.where(is_marked, -1, numbers))
        ends |= last_comment > last_other
        return ends

    @cached_property
    def _breaks(self) -> Positions:
        """The line ends that are not escaped."""
        return self.line_ends if self.escaped is None else self.line_ends[self._is_break]

    @cached_property
    def _runs(self) -> _Runs:
        quote = self.dialect.quote_byte
        if quote is None or self.data.find(quote, self.start, self.end) < 0:
            none = np.zeros(0, np.int64)
            return _Runs(none, none, np.zeros(0, bool))
        is_quote = self._bytes[self.start : self.end] == quote
        if self.escaped is not None:
            is_quote &= ~self.escaped
        edges = is_quote[1:] != is_quote[:-1]
        # A run may also begin at the first byte of the range, or end with its last one.
        changes = np.flatnonzero(np.concatenate([is_quote[:1], edges, is_quote[-1:]])) + self.start
        starts, ends = changes[::2], changes[1::2]
        fields = self._without_padding(starts)
        before = self._bytes[fields - 1]
        begins = self._is_delimiter(before) | (before == LF) | (before == CR)
        if self.escaped is not None:
            escaped = self.escaped[np.maximum(fields - 1 - self.start, 0)] & (fields > self.start)
            begins &= ~escaped | np.isin(fields, self._breaks)
        begins[:1] |= fields[:1] == self.origin
        return _Runs(starts, ends, begins)

    def _is_delimiter(self, characters: npt.NDArray[np.uint8]) -> Flags:
        found: Flags = characters == self.dialect.delimiter_byte
        if self.dialect.is_whitespace:
            found |= characters == TAB
        return found

    def _without_padding(self, positions: Positions) -> Positions:
        """Return the positions moved back over the padding before them."""
        padding = self.dialect.padding
        if not padding:
            return positions
        moved = positions.copy()
        while True:
            # An escaped character is not padding.
            steps = (moved > self.origin) & (moved > self.start) & among(self._bytes[moved - 1], padding)
            if self.escaped is not None:
                steps &= ~self.escaped[np.maximum(moved - 1 - self.start, 0)]
            if not steps.any():
                return moved
            moved -= steps

    @cached_property
    def _inside(self) -> tuple[Flags, Flags]:
        """For each start state: whether the byte before the first run, and after each run, is inside quotes."""
        runs = self._runs
        odd = ((runs.ends - runs.starts) & 1).astype(bool)
        comments = self._comments_of_runs
        if comments is not None:
            outside, inside = (
                states_with_comments(odd & runs.begins, odd & ~runs.begins, comments, state)
                for state in (OUTSIDE, INSIDE)
            )
            return outside, inside
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
    def _comments_of_runs(self) -> Positions | None:
        """The number of the possible comment that each run of quotes is in, or -1; None if all are -1."""
        comment, starts = self.dialect.comment_byte, self._runs.starts
        if comment is None or not len(starts) or self.data.find(comment, self.start, self.end) < 0:
            return None
        lines = np.concatenate([[self.start], self._breaks])
        lines = lines[lines < self.end]
        line = np.searchsorted(lines, starts, side="right") - 1
        found = np.where(self._bytes[lines[line]] == comment, line, -1)
        return found if (found >= 0).any() else None

    def _begins(self, state: int) -> Flags:
        """Whether each run of quotes begins a field, and is not in a comment, if the state at `start` is `state`."""
        comments, begins = self._comments_of_runs, self._runs.begins
        if comments is None:
            return begins
        return begins & ((comments < 0) | self._inside[state][firsts(comments)])

    @cached_property
    def _runs_before(self) -> Positions:
        """For each line end: how many runs of quotes are before it."""
        return np.searchsorted(self._runs.starts, self._breaks)

    def state_after(self, state: int) -> int:
        """Return the state at `end` if the state at `start` is `state`."""
        return int(self._inside[state][-1])

    def is_inside(self, state: int, positions: Positions) -> Flags:
        """Return whether bytes other than quotes are inside quotes if the state at `start` is `state`."""
        inside: Flags = self._inside[state][np.searchsorted(self._runs.starts, positions)]
        return inside

    def record_ends(self, state: int) -> Positions:
        """Return the line ends that end a record if the state at `start` is `state`."""
        if not len(self._runs.starts):
            return self._breaks if state == OUTSIDE else self._breaks[:0]
        return self._breaks[~self._inside[state][self._runs_before]]

    def openings(self, state: int) -> tuple[Positions, Positions]:
        """Return the positions of the quotes that open a field, and of the padding before each."""
        opens = ~self._inside[state][:-1] & self._begins(state)
        starts = self._runs.starts[opens]
        return starts, self._without_padding(starts)

    def last_opening(self, state: int) -> int | None:
        """Return the position of the last quote that opened a field, or None."""
        return self._last_opening(state, len(self._runs.starts))

    def _last_opening(self, state: int, runs: int) -> int | None:
        """Return the position of the last opening quote among the first `runs` runs of quotes, or None."""
        found = np.flatnonzero(~self._inside[state][:runs] & self._begins(state)[:runs])
        return int(self._runs.starts[found[-1]]) if len(found) else None

    def text_after_quote(self, state: int) -> int | None:
        """Return where the first quoted field with text after its closing quote opens, or None.

        A field that is already open at `start` counts as opening there.
        """
        runs, inside = self._runs, self._inside[state]
        following = runs.ends[: np.searchsorted(runs.ends, len(self.data))]
        count = len(following)
        closes = ~inside[1 : count + 1] & (inside[:count] | self._begins(state)[:count])
        behind = self._bytes[self._behind_padding(following)]
        text = ~self._is_delimiter(behind) & (behind != LF) & (behind != CR)
        # Padding up to the end of the data.
        text &= ~among(behind, self.dialect.padding)
        bad = np.flatnonzero(text & closes)
        if not len(bad):
            return None
        opening = self._last_opening(state, int(bad[0]) + 1)
        return self.start if opening is None else opening

    def _behind_padding(self, positions: Positions) -> Positions:
        """Return the positions moved forward over the padding there; at the end of the data, its last byte."""
        padding = self.dialect.padding
        moved, last = positions.copy(), len(self.data) - 1
        while padding:
            steps = (moved < last) & among(self._bytes[moved], padding)
            if not steps.any():
                break
            moved += steps
        return moved
