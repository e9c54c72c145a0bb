"""Warnings about decisions of the first pass: the column, the first place that caused it, and how often."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

import numpy as np

from beam_taxi.sources.content import RowPlace, TableContent
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.losses import Losses
from beam_taxi.sources.spelling import Spelling

_LONGEST = 40
_INDEX = re.compile(r"Unnamed: \d+|__index_level_\d+__")
"""The names that pandas gives to the index of a data frame."""


def doubts(
    content: TableContent, kinds: Mapping[str, Kind], at: Callable[[RowPlace], str], redacted: Collection[str] = ()
) -> Iterator[str]:
    """Yield a warning for each decision about a column that users may not expect; `at` names a place.

    No value of a column in `redacted` is shown.
    """
    for name, kind in kinds.items():
        spelling = content.spellings.get(name)
        if kind is Kind.STRING and spelling is not None and spelling.is_doubtful and spelling.first is not None:
            place, cell = spelling.first
            yield _text(name, spelling, at(place), "" if name in redacted else cell)
        losses = content.losses.get(name)
        if kind is Kind.FLOAT and losses is not None:
            yield from _losses(name, replace(losses, largest=0.0) if name in redacted else losses)
        if _INDEX.fullmatch(name):
            yield f"column {name!r} is probably the index of a pandas data frame; leave it out with --drop_columns"


def _text(name: str, spelling: Spelling[RowPlace], place: str, cell: str) -> str:
    shown = cell if len(cell) <= _LONGEST else cell[: _LONGEST - 1] + "…"
    cause = f"{shown!r} ({place})" if cell else place
    return (
        f"column {name!r} is STRING because of {cause}: {spelling.plain:,} of {spelling.cells:,} values "
        f"are numbers; {_remedy(name, cell)}"
    )


_REMEDIES = {
    re.compile(r"\s.*|.*\s"): "--trim removes white space",
    re.compile(
        r"[-+]?\d{1,3}(?:(?P<mark>[,.' \u2019\u00a0\u202f])\d{3})+(?:[.,]\d+)?"
    ): "--thousands {mark!r} reads such numbers",
    re.compile(r"[-+]?\d+,\d*"): "--decimal , reads such numbers",
    re.compile(
        r"(?P<mark>[^\d\s.,-]+)\s?-?[\d.,]+|-?[\d.,]+\s?(?P<unit>[^\d\s.,]+)"
    ): "--number_marks {mark!r} removes it",
}
"""How a cell that is not a plain number is written, and the option that reads it as one."""


def _remedy(name: str, cell: str) -> str:
    """Return the option that reads a cell as a number, or how to do without it."""
    for pattern, told in _REMEDIES.items():
        found = pattern.fullmatch(cell)
        if found is not None:
            marks = [one for one in found.groupdict().values() if one]
            return told.format(mark=marks[0] if marks else "")
    return (
        f"--null_values makes such values missing, --types {name}:FLOAT with --max_rejects rejects their rows, and "
        f"--types {name}:STRING accepts them"
    )


def _losses(name: str, losses: Losses) -> Iterator[str]:
    remedy = f"--types {name}:STRING keeps the text"
    if losses.changed:
        stored = float(np.float32(losses.largest))
        example = f" ({_plain(losses.largest)} becomes {_plain(stored)})" if losses.largest else ""
        yield (
            f"column {name!r}: {_counted(losses.changed, 'loses', 'lose')} digits in float32, the float of "
            f"tf.Example{example}; {remedy}"
        )
    if losses.vanished:
        yield (
            f"column {name!r}: {_counted(losses.vanished, 'becomes', 'become')} 0 in float32, the float of tf.Example; "
            f"{remedy}"
        )


def _counted(count: int, one: str, many: str) -> str:
    return f"1 value {one}" if count == 1 else f"{count:,} values {many}"


def _plain(number: float) -> str:
    """Return a number with all its digits."""
    return f"{number:.0f}" if number.is_integer() and abs(number) < 1e18 else repr(number)
