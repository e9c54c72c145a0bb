"""Sample rows of a run."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from beam_taxi.report.figures import plural, visible
from beam_taxi.run.profile import Profile, Sample, Value

_MOST_CELLS = 6000
"""Maximum number of cells of a table; of a wide table fewer rows are shown."""

_FEWEST_ROWS = 3
_LONGEST = 60


@dataclass(frozen=True)
class SampleRows:
    """Rows with the text of each cell, None where one is missing; `numbers` says which columns are numbers."""

    title: str
    columns: tuple[str, ...]
    numbers: tuple[bool, ...]
    cells: tuple[tuple[str | None, ...], ...]


def tables(profile: Profile, names: Sequence[str]) -> tuple[SampleRows, ...]:
    """Return the first rows of the input, and rows at random of the first split, with the columns as in `names`."""
    found = []
    if profile.first is not None and profile.first.cells:
        found.append(_table("The first {} of the input", profile.first, names))
    for dataset in profile.splits().values():
        if dataset.sample is not None and dataset.sample.cells:
            found.append(_table(f"{{}} of {dataset.split}, chosen at random", dataset.sample, names))
            break
    return tuple(found)


def _table(title: str, sample: Sample, names: Sequence[str]) -> SampleRows:
    places = {name: place for place, name in enumerate(names)}
    order = sorted(range(len(sample.columns)), key=lambda i: places.get(sample.columns[i], len(places)))
    cells = sample.cells[: max(_FEWEST_ROWS, _MOST_CELLS // max(1, len(order)))]
    return SampleRows(
        visible(title.format(plural(len(cells), "row"))),
        tuple(visible(sample.columns[i]) for i in order),
        tuple(all(not isinstance(row[i], str) for row in cells) for i in order),
        tuple(tuple(_text(row[i]) for i in order) for row in cells),
    )


def _text(value: Value | None) -> str | None:
    """Return a value in full; floats with as many digits as a 32-bit float needs, if it is one."""
    if not isinstance(value, float):
        return None if value is None else visible(str(value), _LONGEST)
    if math.isfinite(value) and abs(value) < 3e38:
        single = struct.pack("f", value)
        if struct.unpack("f", single)[0] == value:
            texts = (f"{value:.{digits}g}" for digits in range(6, 10))
            return next(text for text in texts if struct.pack("f", float(text)) == single)
    return repr(value)
