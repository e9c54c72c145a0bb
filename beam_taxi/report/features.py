"""What a report shows for one column: a row of the overview, and a card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.report import chart, dates
from beam_taxi.report.chart import HISTOGRAM, Chart
from beam_taxi.report.comparison import Column, Comparison
from beam_taxi.report.figures import number, percent, plural
from beam_taxi.report.findings.finding import ERROR, WARNING
from beam_taxi.run.profile import INT, STRING, FeatureProfile

EMPTY = "EMPTY"
"""The type of a column that has no values."""


@dataclass(frozen=True)
class Cell:
    """A figure as text, what to say about its error, and the number to sort by."""

    text: str
    title: str = ""
    order: float | None = None


NONE = Cell("-")

_WEIGHTS = {ERROR: 10_000, WARNING: 100}


@dataclass(frozen=True)
class Row:
    """A figure for each sample."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Note:
    """A finding about the column; `title` names it in a few words."""

    severity: str
    kind: str
    title: str
    text: str


@dataclass(frozen=True)
class Feature:
    """Everything that the overview and the card show.

    `role` is `id` or `date` if the values mean that. `samples` and `drawn` are the labels of the samples that have
    figures and bars, and `main` is the number of the sample that the overview describes.
    """

    index: int
    name: str
    kind: str
    role: str
    schema: str
    samples: tuple[str, ...]
    drawn: tuple[str, ...]
    main: int
    figures: tuple[Row, ...]
    charts: tuple[Chart, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[Note, ...]

    def figure(self, label: str, sample: int | None = None) -> Cell:
        """Return a figure of a sample, by default of the main one."""
        found = next((row for row in self.figures if row.label == label), None)
        return NONE if found is None else found.cells[self.main if sample is None else sample]

    @property
    def worst(self) -> Comparison | None:
        """The comparison with the greatest difference beyond its noise."""
        return max(self.comparisons, key=lambda one: one.strength, default=None)

    @property
    def type(self) -> str:
        """The role of the values, or else their type."""
        return self.role or self.kind.lower()

    @property
    def span(self) -> str:
        """The first and the last day of dates."""
        first, last = (self.figure(label).text[:10] for label in ("min", "max"))
        return f"{first} to {last}" if self.role == "date" and self.figure("min").text != NONE.text else ""

    @property
    def main_chart(self) -> Chart | None:
        """The chart that has the main sample."""
        label = self.samples[self.main]
        return next((one for one in self.charts if label in one.labels), None)

    @property
    def most_frequent(self) -> tuple[str, float] | None:
        """The most frequent value of the main sample and its share, where values have bars of their own."""
        chart = self.main_chart
        if chart is None or chart.form == HISTOGRAM:
            return None
        shares = chart.shares(chart.labels.index(self.samples[self.main]))[: len(chart.bars)]
        share = max(shares, default=0.0)
        return (chart.bars[shares.index(share)].label, share) if share else None

    @property
    def rank(self) -> int:
        """How much the findings matter: the number of them, those of higher severity first."""
        return sum(_WEIGHTS.get(note.severity, 1) for note in self.notes)


def kind(columns: Iterable[Column]) -> str:
    """Return the type of the values, or `EMPTY` if no column has any."""
    return next((one.profile.type for one in columns if one.profile is not None and one.profile.values), EMPTY)


def unit(name: str, columns: Sequence[Column]) -> dates.Unit | None:
    """Return the unit of a column of dates that are integers, if all samples agree, else None."""
    found = {dates.epoch_unit(name, one.profile) for one in columns if one.profile is not None and one.profile.finite}
    return found.pop() if len(found) == 1 else None


def role(columns: Sequence[Column], found: dates.Unit | None, is_unique: bool) -> str:
    """Return `date` or `id` if the values are that, else an empty string."""
    known = [one.profile for one in columns if one.profile is not None and one.profile.values]
    if found is not None or (known and all(dates.are_iso_dates(one) for one in known)):
        return "date"
    return "id" if is_unique and all(one.type in (INT, STRING) for one in known) else ""


def figures(columns: Sequence[Column], found: dates.Unit | None = None, is_id: bool = False) -> tuple[Row, ...]:
    """Return the figures that at least one column has.

    Those of dates are dates, and numbers that identify rows have no mean.
    """
    by_column = [_figures(column, found, is_id) for column in columns]
    labels = dict.fromkeys(label for one in by_column for label in one)
    order = [label for label in ORDER if label in labels]
    return tuple(Row(label, tuple(one.get(label, NONE) for one in by_column)) for label in order)


_RANKS = {"1": "p1", "5": "p5", "25": "p25", "50": "median", "75": "p75", "95": "p95", "99": "p99"}

ORDER = (
    *("rows", "present", "missing", "values", "zeros", "NaN", "infinite", "mean", "std. dev.", "min"),
    *(*_RANKS.values(), "max", "distinct", "min length", "mean length", "max length"),
)
"""The figures of a card, in order."""


def _figures(column: Column, found: dates.Unit | None, is_id: bool) -> dict[str, Cell]:
    cells = {"rows": _count(column.rows)}
    one = column.profile
    cells["present"] = _count(column.present)
    cells["missing"] = _part(column.missing, column.rows)
    if one is None or not one.values:
        return cells
    if one.values != one.present:
        cells["values"] = _count(one.values)
    if one.type != STRING:
        cells |= _numbers(one, found, is_id)
    elif one.counts.complete and dates.are_iso_dates(one):
        ordered = sorted((str(value.value) for value in one.counts.counts), key=lambda text: dates.days_of(text) or 0.0)
        cells |= {
            label: Cell(text, "", dates.days_of(text)) for label, text in (("min", ordered[0]), ("max", ordered[-1]))
        }
    if one.distinct.value:
        error = "" if one.distinct.exact else f"estimate, standard error {percent(one.distinct.error)}"
        cells["distinct"] = Cell(_about(number(one.distinct.value), bool(error)), error, one.distinct.value)
    if one.length is not None and (one.type == STRING or one.values != one.present):
        lengths = {"min length": one.length.min, "mean length": one.length.mean, "max length": one.length.max}
        cells |= {label: Cell(number(value), "", value) for label, value in lengths.items()}
    return cells


def _numbers(one: FeatureProfile, found: dates.Unit | None, is_id: bool) -> dict[str, Cell]:
    text: Callable[[float], str] = number if found is None else found.text
    cells = {"zeros": _part(one.zeros, one.values)}
    cells |= {
        label: _part(count, one.values) for label, count in (("NaN", one.nan), ("infinite", one.infinite)) if count
    }
    moments = {} if is_id else {"mean": one.mean, "std. dev.": one.std if found is None else None}
    for label, value in {**moments, "min": one.min, "max": one.max}.items():
        if value is not None:
            cells[label] = Cell(text(value), "", value)
    for key, rank in one.percentiles.items():
        title = f"estimate, rank within {_points(rank.rank_error)}" if rank.rank_error else ""
        if key in _RANKS:
            cells[_RANKS[key]] = Cell(_about(text(rank.value), bool(title)), title, rank.value)
    return cells


def _points(share: float) -> str:
    return f"±{100 * share:.2g}% of the values"


def _about(text: str, is_estimate: bool) -> str:
    return f"≈{text}" if is_estimate else text


def _count(count: int) -> Cell:
    return Cell(number(count), "", count)


def _part(count: int, total: int) -> Cell:
    share = count / total if total else 0.0
    return Cell(f"{number(count)} ({percent(share)})" if count else "0", "", share)


def limit(schema: schema_pb2.Feature | None) -> float | None:
    """Return the limit of the L-infinity norm, the stricter one if there are two."""
    if schema is None:
        return None
    comparators: list[Any] = [schema.drift_comparator, schema.skew_comparator]
    limits = [one.infinity_norm.threshold for one in comparators if one.infinity_norm.threshold > 0]
    return min(limits, default=None)


def describe(schema: schema_pb2.Feature | None, domains: dict[str, int]) -> str:
    """Return a feature's schema in words."""
    if schema is None:
        return ""
    words = [schema_pb2.FeatureType.Name(schema.type)] if schema.type else []
    if schema.presence.min_fraction == 1:
        words.append("required in every row")
    elif schema.presence.min_fraction > 0:
        words.append(f"required in {percent(schema.presence.min_fraction)} of the rows")
    else:
        words.append("optional")
    if schema.HasField("shape"):
        words.append("one value" if [d.size for d in schema.shape.dim] in ([], [1]) else "fixed shape")
    if schema.domain:
        words.append(f"one of {plural(domains.get(schema.domain, 0), 'value')}")
    for domain in (schema.int_domain, schema.float_domain):
        if domain.ByteSize():
            words.append(f"{number(domain.min)} to {number(domain.max)}")
    return " · ".join(words)


def draw(columns: Sequence[Column], found: dates.Unit | None) -> tuple[Chart, ...]:
    """Return the charts of columns."""
    return chart.charts([one.label for one in columns], [one.profile for one in columns], found)
