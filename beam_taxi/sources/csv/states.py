"""States of the CSV automaton along sequences of runs of quotes, as bulk operations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TAB, LF, CR = 9, 10, 13
OUTSIDE, INSIDE = 0, 1

Positions = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def among(characters: npt.NDArray[np.uint8], wanted: bytes) -> Flags:
    """Return which characters are among the wanted ones."""
    found = np.zeros(len(characters), bool)
    for character in wanted:
        found |= characters == character
    return found


def firsts(groups: Positions) -> Positions:
    """Return for each element of ascending groups, apart from -1, the number of the first one in its group."""
    numbers = np.arange(len(groups))
    begins = np.concatenate([[True], groups[1:] != groups[:-1]])
    return np.maximum.accumulate(np.where(begins, numbers, 0))


def _states(toggles: Flags, sets: Flags, values: Flags, state: int) -> Flags:
    """Return the state before the first of some steps and after each: each toggles it, sets it, or neither."""
    toggled = np.bitwise_xor.accumulate(toggles)
    last = np.maximum.accumulate(np.where(sets, np.arange(len(sets)), -1))
    after = np.where(last < 0, toggled ^ bool(state), toggled ^ toggled[last] ^ values[last])
    return np.concatenate([[bool(state)], after])


def states_with_comments(toggles: Flags, resets: Flags, comments: Positions, state: int) -> Flags:
    """Return the states before the first run of quotes and after each, if some runs are in possible comments.

    Such a line is a comment only outside quotes. So what its runs do is known from the state inside quotes alone, and
    all of them together keep the state or reset it.
    """
    first, among = firsts(comments), comments >= 0
    leads = among & (first == np.arange(len(first)))
    ends = among & np.concatenate([first[1:] != first[:-1], [True]])
    within = _states(toggles & ~leads, resets | leads, leads & ~toggles & ~resets, INSIDE)[1:]
    none = np.zeros(len(first), bool)
    states = _states(toggles & ~among, (resets & ~among) | (ends & ~within), none, state)
    states[1:][among] = states[first[among]] & within[among]
    return states
