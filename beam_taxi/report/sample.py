"""Sample rows of a run."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from beam_taxi.report.figures import printable
from beam_taxi.run.profile import Profile, Value

_MOST_CELLS = 6000
"""Maximum number of cells shown; a wide table shows fewer rows."""

_FEWEST_ROWS = 3
_LONGEST = 60


@dataclass(frozen=True)
class SampleRows:
    """Rows of a split: the text of each cell, None where one is missing; `numbers` says which columns are numbers."""

    split: str
    columns: tuple[str, ...]
    numbers: tuple[bool, ...]
    cells: tuple[tuple[str | None, ...], ...]


def rows(profile: Profile, names: Sequence[str]) -> SampleRows | None:
    """Return sample rows of the first split that has some, with the columns in the order of `names`."""
    places = {name: place for place, name in enumerate(names)}
    for dataset in profile.splits().values():
        found = dataset.sample
        if found is None or not found.cells:
            continue
        most = max(_FEWEST_ROWS, _MOST_CELLS // max(1, len(found.columns)))
        order = sorted(range(len(found.columns)), key=lambda i: places.get(found.columns[i], len(places)))
        numbers = (all(not isinstance(row[i], str) for row in found.cells) for i in order)
        cells = tuple(tuple(_text(row[i]) for i in order) for row in found.cells[:most])
        return SampleRows(
            printable(dataset.split), tuple(printable(found.columns[i]) for i in order), tuple(numbers), cells
        )
    return None


def _text(value: Value | None) -> str | None:
    """Return a value in full; floats with as many digits as a 32-bit float needs, if it is one."""
    if not isinstance(value, float):
        return None if value is None else printable(str(value), _LONGEST)
    if math.isfinite(value) and abs(value) < 3e38:
        single = struct.pack("f", value)
        if struct.unpack("f", single)[0] == value:
            return next(
                text for text in (f"{value:.{n}g}" for n in range(6, 10)) if struct.pack("f", float(text)) == single
            )
    return repr(value)
