"""Effects from which a difference counts as drift: declared, or learned from earlier runs."""

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
90%, `range` in distances of an end of its range from its median, `rounding` and `constant` in shares of values. `rows`
is in powers of two: at 1, half of the rows or twice as many. Values that the baseline does not have, `outside`,
`not_finite` and `new_values`, count from 0.1% on: they are of another kind, however few.
"""

FEWEST_RUNS = 5
"""Earlier runs that it takes to learn a limit from them."""

MOST_RUNS = 10
"""Earlier runs, the last ones, that are compared."""

MOST_COMPARISONS = 500
"""Comparisons of a feature up to which every run is compared with every other; one takes about a millisecond."""

DEVIATIONS = 6.0
"""Median absolute deviations above the median: four standard deviations of a normal distribution."""

Runs = Sequence[tuple[int, statistics_pb2.DatasetFeatureStatistics]]
"""Earlier accepted runs, the oldest first: the day of the week, as `datetime.date.weekday()` has it, and statistics."""

_Run = tuple[statistics_pb2.DatasetFeatureStatistics, Mapping[str, Sample]]
"""The statistics of a run, and its features."""


@dataclass(frozen=True)
class Limit:
    """The effect from which a difference counts, and how many earlier runs it comes from, 0 if it is declared."""

    value: float
    runs: int = 0
    weekday: bool = False

    def reached(self, value: float) -> bool:
        """Return whether an effect counts: a declared one from the limit on, a learned one if it was never so large."""
        return value > self.value if self.runs else value >= self.value

    @property
    def origin(self) -> str:
        """Return where the limit comes from, in words, empty if it is declared."""
        if not self.runs:
            return ""
        return f" from {self.runs} earlier runs{' of this weekday' if self.weekday else ''}"


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
    """Return limits from how far earlier accepted runs differ from each other, for a run of this weekday.

    A limit is the median of the distances plus `DEVIATIONS` median absolute deviations, and at least the declared
    minimum. Runs of the same weekday are used if there are `fewest` of them, else all runs; with fewer than that,
    limits are the declared ones. A feature that not all of the runs have keeps its declared limits.

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
    """Return the upper end of the usual distances."""
    middle = median(distances)
    return middle + DEVIATIONS * median(abs(one - middle) for one in distances)
