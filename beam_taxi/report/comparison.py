"""How two samples of a column differ: the distance, how much of it chance explains, and the change in words."""

from __future__ import annotations

from dataclasses import dataclass

from beam_taxi.report.figures import number, percent, visible
from beam_taxi.report.findings.differences import CHANCE
from beam_taxi.report.findings.steps import largest_gap
from beam_taxi.run.profile import STRING, FeatureProfile
from beam_taxi.validation import chance, distance
from beam_taxi.validation.distance import Distance

_TESTS = 3
"""Tests of a column, as the findings count them: missing values, values, and values that one of the two lacks."""

_OTHER_TYPE = 1e9
"""The strength of a change of the type."""

_NOTABLE = 0.05
"""Share of the interquartile range by which a percentile must move to be the one that is reported."""


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
    is_other_type: bool = False

    @property
    def exceeds(self) -> bool:
        """Whether the distance exceeds its limit, else its noise floor, or the missing cells or the types differ."""
        return self.strength > 1

    @property
    def strength(self) -> float:
        """The larger of the differences, as a multiple of its limit or its noise floor."""
        found = [_OTHER_TYPE if self.is_other_type else 0.0]
        if self.distance is not None:
            found.append(self.distance.value / max(self.distance.floor if self.limit is None else self.limit, 1e-9))
        if self.absence is not None:
            found.append(self.absence.value / max(self.absence.floor, 1e-9))
        return max(found)


def level_of(pairs: int, columns: int) -> float:
    """Return the level of each test, so that no more pairs of samples seem to differ than the findings allow for."""
    return CHANCE / max(1, _TESTS * pairs * columns)


def compare(pair: str, one: Column, two: Column, level: float, limit: float | None = None) -> Comparison | None:
    """Return how `two` differs from `one`, or None if one of them has no rows.

    `level` is the probability that samples of one distribution differ by more than the noise floor.
    """
    absence = distance.absence((one.missing, one.rows), (two.missing, two.rows), level)
    if absence is None:
        return None
    first, second = one.profile, two.profile
    words = _words(one, two, absence)
    if first is None or second is None or not first.values or not second.values:
        return Comparison(pair, None, absence, words)
    own_limit = limit if first.type == STRING else None
    return Comparison(pair, _distance(first, second, level), absence, words, own_limit, first.type != second.type)


def _distance(one: FeatureProfile, two: FeatureProfile, level: float) -> Distance | None:
    if (one.type == STRING) != (two.type == STRING):
        return None
    if one.type == STRING:
        return _l_infinity(one, two, level)
    # Values of one row are not independent.
    sizes = min(one.finite, one.present), min(two.finite, two.present)
    if not all(sizes):
        return None
    gap = largest_gap(one, two)
    if gap is None:
        return None
    return Distance("KS", gap.value, min(1.0, chance.kolmogorov_smirnov(level, *sizes) + gap.error))


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
    if first.values and second.values and first.type != second.type:
        return f"type {first.type} → {second.type}"
    if absence.beyond_noise or not first.values or not second.values:
        return f"missing {percent(one.missing / one.rows)} → {percent(two.missing / two.rows)}"
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
