"""What a report shows for the slices of a run: their figures and bars beside those of all rows."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from beam_taxi.report import chart, features
from beam_taxi.report.chart import Chart
from beam_taxi.report.comparison import Column
from beam_taxi.report.features import NONE, Cell
from beam_taxi.report.figures import visible
from beam_taxi.run.profile import DatasetProfile, Profile

MOST = 50
"""Maximum number of slices shown."""

_MOST_ROWS = 4000
"""Maximum number of columns of all slices together: each is a row of a table."""

FIGURES = ("present", "missing", "zeros", "mean", "std. dev.", "min", "p25", "median", "p75", "max", "distinct")


@dataclass(frozen=True)
class SlicedFeature:
    """A column in a slice: each figure of the slice, and the same figure of all rows; the chart has both."""

    index: int
    name: str
    cells: tuple[tuple[Cell, Cell], ...]
    chart: Chart | None


@dataclass(frozen=True)
class Slice:
    """A slice of a split."""

    label: str
    split: str
    rows: int
    share: float
    features: tuple[SlicedFeature, ...]


@dataclass(frozen=True)
class Slices:
    """The first slices of all splits, and how many others there are."""

    shown: tuple[Slice, ...]
    others: int


def build(profile: Profile, names: Sequence[str], unique: Container[str] = ()) -> Slices | None:
    """Return the slices of a run, or None if it has none.

    `names` are its columns in order, and `unique` those that identify rows, which have no mean.
    """
    sliced = [one for one in profile.datasets if one.slice]
    if not sliced:
        return None
    splits = profile.splits()
    keys = list(dict.fromkeys(one.slice for one in sliced))
    most = max(1, min(MOST, _MOST_ROWS // max(1, len(names) * len(splits))))
    shown = set(keys[:most])
    return Slices(
        tuple(
            _slice(one, splits[one.split], names, unique)
            for key in keys[:most]
            for one in sliced
            if one.slice == key and one.split in splits
        ),
        len(keys) - len(shown),
    )


def _slice(one: DatasetProfile, whole: DatasetProfile, names: Sequence[str], unique: Container[str]) -> Slice:
    shown = tuple(
        _feature(index, name, one, whole, name in unique)
        for index, name in enumerate(names)
        if name in one.features and name in whole.features
    )
    return Slice(visible(one.slice), visible(one.split), one.rows, one.rows / max(whole.rows, 1), shown)


def _feature(index: int, name: str, one: DatasetProfile, whole: DatasetProfile, is_id: bool) -> SlicedFeature:
    columns = [Column("all rows", whole.rows, whole.features[name]), Column(one.slice, one.rows, one.features[name])]
    unit = features.unit(name, columns[:1])
    rows = {row.label: row.cells for row in features.figures(columns, unit, is_id and unit is None)}
    cells = tuple((rows[label][1], rows[label][0]) if label in rows else (NONE, NONE) for label in FIGURES)
    drawn = chart.charts([column.label for column in columns], [column.profile for column in columns], unit, 12)
    return SlicedFeature(index, visible(name), cells, drawn[0] if len(drawn) == 1 else None)
