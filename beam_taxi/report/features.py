"""What a report shows for one feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.report.figures import number, percent, plural, printable
from beam_taxi.statistics import distribution
from beam_taxi.statistics.distribution import Distribution
from beam_taxi.statistics.merge import common_stats_of
from beam_taxi.validation import distance
from beam_taxi.validation.distance import Distance

_TOP = 8
"""Values drawn for a string feature; the others are in its table."""

_KINDS = {0: "INT", 1: "FLOAT", 2: "STRING", 3: "BYTES", 4: "STRUCT"}
"""By FeatureNameStatistics.Type."""


@dataclass(frozen=True)
class Column:
    """One sample of a feature: the label and the rows of its data set, and TFDV's statistics if it has the feature."""

    label: str
    rows: int
    stats: statistics_pb2.FeatureNameStatistics | None


@dataclass(frozen=True)
class Row:
    """A figure for each column."""

    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Histogram:
    """Shares of the values in bins, for the drawn columns; `cut` says how many values are outside."""

    low: str
    high: str
    shares: tuple[tuple[float, ...], ...]
    cut: str
    table: tuple[Row, ...]


@dataclass(frozen=True)
class TopValue:
    """A frequent value and its share of the values in each drawn column."""

    text: str
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Top:
    """The most frequent values: those that are drawn, and all that the statistics list."""

    drawn: tuple[TopValue, ...]
    table: tuple[Row, ...]
    unlisted: str


@dataclass(frozen=True)
class Comparison:
    """The distance between two columns, and the limit that the schema sets for it."""

    pair: str
    distance: Distance
    limit: float | None
    absence: Distance | None

    @property
    def exceeds(self) -> bool:
        """Return whether the distance exceeds its limit, else its noise floor, or the missing cells differ."""
        bar = self.distance.floor if self.limit is None else self.limit
        return self.distance.value > bar or (self.absence is not None and self.absence.beyond_noise)


@dataclass(frozen=True)
class Finding:
    """Something to look at: an `anomaly` against the schema, or a `problem` or `note` from the statistics alone."""

    reason: str
    detail: str
    kind: str = "problem"

    @property
    def problem(self) -> bool:
        """Return whether it is more than a note."""
        return self.kind != "note"


@dataclass(frozen=True)
class Feature:
    """Everything that a card shows; `absent` is the largest share of missing cells, `shift` the largest distance."""

    index: int
    name: str
    kind: str
    schema: str
    labels: tuple[str, ...]
    drawn: tuple[str, ...]
    figures: tuple[Row, ...]
    histogram: Histogram | None
    top: Top | None
    comparisons: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    absent: float
    shift: float


def present(column: Column) -> int:
    """Return the number of rows with a value."""
    return int(common_stats_of(column.stats).num_non_missing) if column.stats is not None else 0


def absent(column: Column) -> float:
    """Return the number of rows without a value: missing cells and empty strings."""
    return min(column.rows - present(column) + counts(column).get("", 0.0), column.rows)


def counts(column: Column) -> dict[str, float]:
    """Return the number of rows of each value that the statistics of a string feature list."""
    if column.stats is None or not column.stats.HasField("string_stats"):
        return {}
    strings = column.stats.string_stats
    listed = {bucket.label: bucket.sample_count for bucket in strings.rank_histogram.buckets}
    return listed or {value.value: value.frequency for value in strings.top_values}


def numeric(column: Column) -> Distribution | None:
    """Return the distribution of a numeric feature, or None if it has none."""
    if column.stats is None or not column.stats.HasField("num_stats"):
        return None
    return distribution.from_statistics(column.stats.num_stats)


def kind(columns: Sequence[Column]) -> str:
    """Return the type of the values, or `EMPTY` if no column has any."""
    for column in columns:
        if column.stats is not None and present(column):
            return _KINDS.get(column.stats.type, "OTHER")
    return "EMPTY"


def figures(columns: Sequence[Column]) -> tuple[Row, ...]:
    """Return the figures that at least one column has."""
    cells = [_figures(column) for column in columns]
    labels = dict.fromkeys(label for one in cells for label in one)
    order = [label for label in _ORDER if label in labels]
    return tuple(Row(label, tuple(one.get(label, "-") for one in cells)) for label in order)


_ORDER = ("absent", "zeros", "mean", "std. dev.", "min", "median", "max", "distinct", "mean length")


def _figures(column: Column) -> dict[str, str]:
    found = {"absent": _of(absent(column), column.rows)} if column.rows else {}
    if column.stats is None or not present(column):
        return found
    if column.stats.HasField("num_stats"):
        numbers = column.stats.num_stats
        total = max(int(common_stats_of(column.stats).tot_num_values), 1)
        found["zeros"] = _of(numbers.num_zeros, total)
        moments = {"mean": numbers.mean, "std. dev.": numbers.std_dev}
        order = {"min": numbers.min, "median": numbers.median, "max": numbers.max}
        found |= {label: number(value) for label, value in {**moments, **order}.items()}
    elif column.stats.HasField("string_stats"):
        found["distinct"] = number(column.stats.string_stats.unique)
        found["mean length"] = number(column.stats.string_stats.avg_length)
    elif column.stats.HasField("bytes_stats"):
        found["distinct"] = number(column.stats.bytes_stats.unique)
        found["mean length"] = number(column.stats.bytes_stats.avg_num_bytes)
    return found


def _of(count: float, total: float) -> str:
    return f"{number(count)} ({percent(count / total)})" if count else "0"


def histogram(columns: Sequence[Column], detailed: bool) -> Histogram | None:
    """Return the histogram of a numeric feature; columns without values are flat."""
    found = [numeric(column) for column in columns]
    known = [one for one in found if one is not None]
    if not known:
        return None
    cut = distribution.bins(known, whole=kind(columns) == "INT")
    flat = (0.0,) * (len(cut.edges) - 1)
    by_column = iter(cut.shares)
    shares = tuple(flat if one is None else next(by_column) for one in found)
    table: tuple[Row, ...] = ()
    if detailed:
        table = tuple(
            Row(f"{number(low)} to {number(high)}", tuple(percent(one[i]) for one in shares))
            for i, (low, high) in enumerate(pairwise(cut.edges))
        )
    low, high = cut.edges[0], cut.edges[-1]
    if kind(columns) == "INT" and low % 1 == 0.5:
        low, high = low + 0.5, high - 0.5
    return Histogram(number(low), number(high), shares, _cut(cut, known), table)


def _cut(cut: distribution.Bins, known: Sequence[Distribution]) -> str:
    ends = []
    if max(cut.below) > 0:
        lowest = min(one.points[0] for one in known)
        ends.append(f"the lowest {percent(max(cut.below))}, down to {number(lowest)}")
    if max(cut.above) > 0:
        highest = max(one.points[-1] for one in known)
        ends.append(f"the highest {percent(max(cut.above))}, up to {number(highest)}")
    return f"Outside the chart: {'; '.join(ends)}." if ends else ""


def top(columns: Sequence[Column], detailed: bool) -> Top | None:
    """Return the most frequent values of a string feature."""
    found = [counts(column) for column in columns]
    listed = dict.fromkeys(value for one in found for value in one)
    if not listed:
        return None
    totals = [max(present(column), 1) for column in columns]
    shares = {value: tuple(one.get(value, 0.0) / n for one, n in zip(found, totals, strict=True)) for value in listed}
    order = sorted(listed, key=lambda value: (*(-share for share in shares[value]), value))
    drawn = tuple(TopValue(printable(value, 80), shares[value]) for value in order[: _TOP if detailed else 4])
    table = tuple(Row(printable(v, 80), tuple(map(percent, shares[v]))) for v in order[:50]) if detailed else ()
    more = max(len(listed), *(int(c.stats.string_stats.unique) for c in columns if c.stats is not None)) - len(drawn)
    return Top(drawn, table, plural(more, "more value") if more > 0 else "")


def compare(one: Column, two: Column, schema: schema_pb2.Feature | None) -> Comparison | None:
    """Return the distance between two columns, or None if it cannot be computed, as when one has no values."""
    rows = float(present(one)), float(present(two))
    if not all(rows):
        return None
    first, second = numeric(one), numeric(two)
    limit = None
    if first is not None and second is not None:
        found = distance.kolmogorov_smirnov(first, second, rows)
    elif counts(one) and counts(two):
        found = distance.l_infinity(counts(one), counts(two), rows)
        limit = _limit(schema)
    else:
        return None
    absence = distance.absence((absent(one), one.rows), (absent(two), two.rows))
    first_label = "baseline" if one.label == f"baseline {two.label}" else one.label
    return Comparison(f"{first_label} → {two.label}", found, limit, absence)


def _limit(schema: schema_pb2.Feature | None) -> float | None:
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
