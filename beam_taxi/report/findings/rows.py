"""Findings about whole rows: those that repeat others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from beam_taxi.report.figures import percent, plural
from beam_taxi.report.findings.finding import INFO, WARNING
from beam_taxi.report.findings.kinds import DUPLICATE_ROWS
from beam_taxi.report.findings.seen import Seen
from beam_taxi.run.profile import DatasetProfile, FeatureProfile

_BY_CHANCE = 3
"""How many times more rows than expected must repeat others."""


def find(splits: Mapping[str, DatasetProfile]) -> Iterator[Seen]:
    """Yield how many rows repeat others."""
    for split, dataset in splits.items():
        if dataset.duplicates is None or not dataset.duplicates.rows or not dataset.rows:
            continue
        count, share = dataset.duplicates.rows, dataset.duplicates.rows / dataset.rows
        about = "" if dataset.duplicates.exact else "about "
        text = f"{about}{plural(count, 'row')} ({percent(share)}) {'repeats' if count == 1 else 'repeat'} another row"
        severity = WARNING if count > _BY_CHANCE * max(1.0, _expected(dataset)) else INFO
        if severity == INFO:
            text += ", which may be chance, given how few distinct values the columns have"
        evidence = {"duplicates": count, "rows": dataset.rows, "exact": dataset.duplicates.exact}
        yield Seen(DUPLICATE_ROWS, severity, split, text, f"{about}{count:,}", share, evidence)


def _expected(dataset: DatasetProfile) -> float:
    """Return about how many rows are equal to another by chance.

    Two rows are equal in a column with the probability that two of its values are the same. The product over all
    columns is that of independent ones; columns usually depend on each other, so half of them are taken to be free. Two
    rows are not equal more often than in their most telling column.
    """
    logarithms = [math.log(_agreement(one, dataset.rows)) for one in dataset.features.values()]
    pairs = dataset.rows * (dataset.rows - 1) / 2
    return pairs * math.exp(min(math.fsum(logarithms) / 2, *logarithms, 0.0))


def _agreement(one: FeatureProfile, rows: int) -> float:
    """Return the probability that two rows are the same in a column, from how many of its pairs of values are equal."""
    if not one.values:
        return 1.0
    listed = sum(each.count for each in one.counts.counts)
    pairs = math.fsum(each.count * (each.count - 1) for each in one.counts.counts)
    left = max(0, one.values - listed)
    if left:
        unlisted = max(1.0, one.distinct.value * (1 - 2 * one.distinct.error) - len(one.counts.counts))
        # The counts of values that are not listed are taken to be geometrically distributed.
        pairs += 2 * left * max(0.0, left / unlisted - 1)
    same = pairs / max(1, one.values * (one.values - 1))
    missing = 1 - one.present / rows
    return min(1.0, max(missing**2 + (1 - missing) ** 2 * same, 1e-300))
