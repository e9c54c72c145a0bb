"""Limits from which an effect counts as drift: declared, or learned from earlier runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import median
from types import MappingProxyType

from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.validation.measures import row_count, shared_measures
from beam_taxi.validation.sample import Sample, samples

ROWS = "rows"
"""The measure of the number of rows, which belongs to no feature."""

MINIMUM_EFFECTS: Mapping[str, float] = MappingProxyType(
    {
        ROWS: 1.0,
        "missing": 0.05,
        "ks": 0.1,
        "mean": 0.2,
        "quantiles": 0.1,
        "range": 1.0,
        "outside": 0.001,
        "zeros": 0.05,
        "not_finite": 0.001,
        "constant": 1.0,
        "rounding": 0.5,
        "l_infinity": 0.05,
        "total_variation": 0.1,
        "new_values": 0.001,
        "lost_values": 0.01,
        "length": 0.1,
        "distinct": 0.2,
    }
)
"""The declared minimum effect of each measure, in its unit.

Shares: `missing`, `ks`, `outside`, `zeros`, `not_finite`, `l_infinity`, `total_variation`, `new_values`, `lost_values`.
Relative: `length`, `distinct`. `mean` is in standard deviations of the baseline, `quantiles` in widths of its middle
90%, `range` in distances from its median to that end of its range, `rounding` and `constant` in shares of values.
`rows` is in powers of two: at 1, half of the rows or twice as many. `outside`, `not_finite` and `new_values` count from
0.1% of the values: values unlike any in the baseline matter, however few they are.
"""

FEWEST_RUNS = 5
"""Minimum number of earlier runs from which limits are learned."""

MOST_RUNS = 10
"""Maximum number of earlier runs that are compared, the latest ones."""

MOST_COMPARISONS = 500
"""Maximum of features times pairs of runs to compare all pairs; a feature of a pair takes about a millisecond."""

DEVIATIONS = 6.0
"""Median absolute deviations above the median: four standard deviations of a normal distribution."""

Runs = Sequence[tuple[int, statistics_pb2.DatasetFeatureStatistics]]
"""Earlier accepted runs, oldest first: the day of the week as in `datetime.date.weekday()`, and the statistics."""

_Run = tuple[statistics_pb2.DatasetFeatureStatistics, Mapping[str, Sample]]
"""The statistics of a run, and its features."""


@dataclass(frozen=True)
class Limit:
    """The effect from which a difference counts, and the number of runs it was learned from, 0 if it is declared."""

    value: float
    runs: int = 0
    weekday: bool = False

    def reached(self, value: float) -> bool:
        """Return whether an effect counts: it must equal or exceed a declared limit, and exceed a learned one."""
        return value > self.value if self.runs else value >= self.value

    @property
    def origin(self) -> str:
        """Return where the limit comes from, in words, empty if it is declared."""
        if not self.runs:
            return ""
        return f" from {self.runs} earlier runs{' on the same weekday' if self.weekday else ''}"


@dataclass(frozen=True)
class Limits:
    """The limit of each feature and measure: the declared minimum effect, unless one was learned for them.

    `learned` is by (feature, measure); the feature of `rows` is empty.
    """

    minimum: Mapping[str, float] = field(default_factory=lambda: MINIMUM_EFFECTS)
    learned: Mapping[tuple[str, str], Limit] = field(default_factory=dict)

    def of(self, feature: str, measure: str) -> Limit:
        """Return the limit of a feature's measure. Raises KeyError if the measure is unknown."""
        return self.learned.get((feature, measure)) or Limit(self.minimum[measure])


def limits_from_history(
    history: Runs,
    weekday: int,
    minimum: Mapping[str, float] = MINIMUM_EFFECTS,
    weight_feature: str | None = None,
    fewest: int = FEWEST_RUNS,
) -> Limits:
    """Return limits for a run on this weekday, from how far earlier accepted runs differ from each other.

    A limit is the median of the distances plus `DEVIATIONS` median absolute deviations, and at least the declared
    minimum. Runs of the same weekday are used if there are at least `fewest`, else all runs. With fewer than `fewest`
    runs, all limits are the declared ones. A feature that some of the runs lack keeps its declared limits.

        limits = limits_from_history([(one.weekday(), statistics[one]) for one in days], today.weekday())
        results = compare(now, baseline, limits)
    """
    same = [one for day, one in history if day == weekday]
    runs = (same if len(same) >= fewest else [one for _, one in history])[-MOST_RUNS:]
    if len(runs) < fewest:
        return Limits(minimum)
    distances: dict[tuple[str, str], list[float]] = {}
    named = [samples(one, weight_feature) for one in runs]
    features = set.intersection(*(set(one) for one in named))
    for (one, these), (two, those) in _pairs(list(zip(runs, named, strict=True)), len(features)):
        rows = row_count(one, two, 0.5)
        if rows is not None:
            distances.setdefault(("", ROWS), []).append(rows.value)
        for name in features:
            for measure in shared_measures(these[name], those[name], 0.5):
                distances.setdefault((name, measure.name), []).append(measure.value)
    learned = {
        key: Limit(max(minimum[key[1]], _typical(found)), len(runs), len(same) >= fewest)
        for key, found in distances.items()
        if all(map(math.isfinite, found))
    }
    return Limits(minimum, learned)


def _pairs(runs: Sequence[_Run], features: int) -> Iterator[tuple[_Run, _Run]]:
    """Yield the runs to compare: each with every other or, if that is too much work, with the one before it."""
    if features * math.comb(len(runs), 2) <= MOST_COMPARISONS:
        yield from combinations(runs, 2)
    else:
        yield from pairwise(runs)


def _typical(distances: Sequence[float]) -> float:
    """Return the upper end of the usual range of distances."""
    middle = median(distances)
    return middle + DEVIATIONS * median(abs(one - middle) for one in distances)
