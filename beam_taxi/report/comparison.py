"""How two samples of a column differ: the distance, what chance explains of it, and the change in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from beam_taxi.report import bins
from beam_taxi.report.figures import number, percent, visible
from beam_taxi.run.profile import STRING, FeatureProfile, Histogram
from beam_taxi.statistics.distribution import Bucket, Distribution
from beam_taxi.validation import chance, distance
from beam_taxi.validation.distance import Distance

FALSE_ALARMS = 0.01
"""Probability that, of all columns of two samples of one distribution, any differs beyond noise."""

_NOTABLE = 0.05
"""Share of the interquartile range by which a percentile must move to be the one that is told."""


@dataclass(frozen=True)
class Column:
    """One sample of a column: the label and the rows of its data set, and its profile if the data set has it."""

    label: str
    rows: int
    profile: FeatureProfile | None

    @property
    def present(self) -> int:
        """The number of rows with a value."""
        return 0 if self.profile is None else self.profile.present

    @property
    def missing(self) -> int:
        """The number of rows without a value."""
        return self.rows - self.present


@dataclass(frozen=True)
class Comparison:
    """The difference of two columns: `pair` names them, and `words` says what changed most.

    `distance` is None if it cannot be computed, as when one has no values; `limit` is that of the schema.
    """

    pair: str
    distance: Distance | None
    absence: Distance | None
    words: str
    limit: float | None = None

    @property
    def exceeds(self) -> bool:
        """Whether the distance exceeds its limit, else its noise floor, or the missing cells differ."""
        return self.strength > 1

    @property
    def strength(self) -> float:
        """The larger of the differences, as a multiple of its limit or its noise floor."""
        found = [0.0]
        if self.distance is not None:
            found.append(self.distance.value / max(self.distance.floor if self.limit is None else self.limit, 1e-9))
        if self.absence is not None:
            found.append(self.absence.value / max(self.absence.floor, 1e-9))
        return max(found)


def compare(pair: str, one: Column, two: Column, level: float, limit: float | None = None) -> Comparison | None:
    """Return how `two` differs from `one`, or None if one of them has no rows.

    `level` is the probability that samples of one distribution differ by more than the noise floor.
    """
    absence = distance.absence((one.missing, one.rows), (two.missing, two.rows), level)
    if absence is None:
        return None
    first, second = one.profile, two.profile
    found = None
    if first is not None and second is not None and first.values and second.values:
        found = _distance(first, second, level)
    is_string = first is not None and first.type == STRING
    return Comparison(pair, found, absence, _words(one, two, absence), limit if is_string else None)


def _distance(one: FeatureProfile, two: FeatureProfile, level: float) -> Distance | None:
    if (one.type == STRING) != (two.type == STRING):
        return None
    if one.type == STRING:
        return _l_infinity(one, two, level)
    sizes = float(one.finite), float(two.finite)
    if not all(sizes):
        return None
    if one.counts.complete and two.counts.complete and one.counts.exact and two.counts.exact:
        counts = _by_value(one), _by_value(two)
        values = sorted({*counts[0], *counts[1]})
        first, second = ([found.get(value, 0) for value in values] for found in counts)
        gap = _gap(first, second, sizes)
    elif one.histogram is None or two.histogram is None:
        return None
    elif not (one.histogram.exact and two.histogram.exact):
        distributions = Distribution(_buckets(one.histogram)), Distribution(_buckets(two.histogram))
        return distance.kolmogorov_smirnov(*distributions, sizes, level)
    else:
        merged = bins.merge([one, two], most=1 << 12)
        if merged is None:
            return None
        ends = [[0 if tail is None else tail.count for tail in side] for side in (merged.below, merged.above)]
        first, second = ([ends[0][i], *merged.counts[i], ends[1][i]] for i in (0, 1))
        gap = _gap(first, second, sizes)
    return Distance("KS", gap, chance.kolmogorov_smirnov(level, *sizes))


def _by_value(feature: FeatureProfile) -> dict[float, int]:
    return {float(one.value): one.count for one in feature.counts.counts}


def _gap(one: list[int], two: list[int], sizes: tuple[float, float]) -> float:
    """Return the largest gap between two cumulative distributions over the same bins.

    Between their edges the true gap may be larger, so chance exceeds the noise floor less often, not more.
    """
    steps = zip(accumulate(one), accumulate(two), strict=True)
    return max(abs(a / sizes[0] - b / sizes[1]) for a, b in steps)


def _buckets(histogram: Histogram) -> Iterator[Bucket]:
    edges = (histogram.low + i * histogram.width for i in range(len(histogram.counts)))
    yield from (Bucket(low, low + histogram.width, n) for low, n in zip(edges, histogram.counts, strict=True))
    for tail, end in ((histogram.below, histogram.low), (histogram.above, histogram.high)):
        if tail is not None:
            yield Bucket(min(tail.extreme, end), max(tail.extreme, end), tail.count)


def _l_infinity(one: FeatureProfile, two: FeatureProfile, level: float) -> Distance | None:
    first, second = _known_in_both(one, two)
    return distance.l_infinity(first, second, (one.values, two.values), level) if first or second else None


def _known_in_both(one: FeatureProfile, two: FeatureProfile) -> tuple[dict[str, float], dict[str, float]]:
    """Return the counts of the values that both profiles know: those they list, and all others if they are complete."""
    first, second = ({str(v.value): float(v.count) for v in feature.counts.counts} for feature in (one, two))
    return (
        {value: count for value, count in first.items() if value in second or two.counts.complete},
        {value: count for value, count in second.items() if value in first or one.counts.complete},
    )


def _words(one: Column, two: Column, absence: Distance) -> str:
    """Return the change that says most: of the type, of the missing cells, of a percentile or of a value's share."""
    first, second = one.profile, two.profile
    if first is None or second is None:
        return "added" if first is None else "removed"
    if absence.beyond_noise or not first.values or not second.values:
        return f"missing {percent(one.missing / one.rows)} → {percent(two.missing / two.rows)}"
    if first.type != second.type:
        return f"type {first.type} → {second.type}"
    if first.type != STRING and not (first.counts.complete and len(first.counts.counts) <= 2):
        return _moved(first, second)
    known = _known_in_both(first, second)
    shares = [
        (value, known[0].get(value, 0) / first.values, known[1].get(value, 0) / second.values)
        for value in {**known[0], **known[1]}
    ]
    if not shares:
        return f"distinct values {number(first.distinct.value)} → {number(second.distinct.value)}"
    value, before, now = max(shares, key=lambda found: (abs(found[2] - found[1]), found[0]))
    return f"“{visible(value, 40)}” {percent(before)} → {percent(now)}"


_NAMES = {"50": "median", "25": "p25", "75": "p75", "5": "p5", "95": "p95", "1": "p1", "99": "p99"}


def _moved(one: FeatureProfile, two: FeatureProfile) -> str:
    """Return the median, else the mean, before and after, or another percentile if neither of them moved much."""
    pairs = [
        (name, float(one.percentiles[key].value), float(two.percentiles[key].value))
        for key, name in _NAMES.items()
        if key in one.percentiles and key in two.percentiles
    ]
    if one.mean is not None and two.mean is not None:
        pairs.insert(1, ("mean", one.mean, two.mean))
    if not pairs:
        return "no finite values"
    before_by_name = {name: before for name, before, _ in pairs}
    scale = before_by_name.get("p75", 0.0) - before_by_name.get("p25", 0.0)
    name, before, now = next(
        (pair for pair in pairs if scale > 0 and abs(pair[2] - pair[1]) > _NOTABLE * scale),
        max(pairs, key=lambda pair: abs(pair[2] - pair[1])),
    )
    return f"{name} {number(before)} → {number(now)}"
