"""Measures of how a feature of strings, or of bytes, differs between two samples."""

from __future__ import annotations

import math
from collections.abc import Mapping

from beam_taxi.validation import chance
from beam_taxi.validation.measure import Evidence, Measure, Measurement, change, percent, quoted, small
from beam_taxi.validation.sample import STRINGS, Sample

_ESTIMATE = 0.03
"""Maximum relative error of TFDV's estimate of the number of distinct values."""

_LARGEST = 20
"""Maximum number of values for which chance is computed, those whose shares differ most."""

_SHOWN = 3
"""Maximum number of values in a text."""


def l_infinity(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the largest difference in the share of a value (TFDV's L-infinity norm); the level is per value."""
    found: list[Measure] = []
    differences = _differences(now, base)
    for value in sorted(differences, key=lambda v: (-differences[v], v))[:_LARGEST]:
        a, b = now.counts.get(value, 0.0) / now.values, base.counts.get(value, 0.0) / base.values
        floor = chance.share(level / len(differences), (a, b), now.size, base.size)
        words = f"L∞ {small(differences[value])}, {quoted(value)} {percent(b)} → {percent(a)}"
        evidence: Evidence = {"value": value, "share": a, "share_baseline": b}
        found.append(Measure("l_infinity", differences[value], floor, words, evidence))
    return max(found, key=lambda one: (one.value > one.floor, one.value), default=None)


def total_variation(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return half the sum of the differences in shares: the share of rows that would have to change."""
    differences = _differences(now, base)
    if not differences:
        return None
    shares = [(now.counts.get(v, 0.0) / now.values, base.counts.get(v, 0.0) / base.values) for v in differences]
    pooled = [chance.pooled(pair, now.size, base.size) for pair in shares]
    value = min(1.0, sum(differences.values()) / 2)
    floor = chance.total_variation(level, pooled, now.size, base.size)
    return Measure("total_variation", value, floor, f"total variation {small(value)}")


def _differences(now: Sample, base: Sample) -> dict[str, float]:
    """Return the differences in the shares of values: the smallest possible one if a sample does not list a value."""
    if not now.counts or not base.counts:
        return {}
    mine, theirs, n, m = now.counts, base.counts, now.values, base.values
    found: dict[str, float] = {}
    for value in sorted({*mine, *theirs}):
        a, b = mine.get(value), theirs.get(value)
        unknown = now.unlisted if a is None else base.unlisted if b is None else 0.0
        found[value] = max(0.0, abs((a or 0.0) / n - (b or 0.0) / m) - unknown)
    return found


def new_values(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the share of values that the baseline does not have, if its statistics list all that it has."""
    if not now.counts or not base.counts or not base.complete:
        return None
    return _only_in("new_values", "new", now, base, level)


def lost_values(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the share, in the baseline, of values that are gone, if the statistics list all that there are."""
    if not now.counts or not base.counts or not now.complete:
        return None
    return _only_in("lost_values", "lost", base, now, level)


def _only_in(name: str, word: str, here: Sample, there: Sample, level: float) -> Measure:
    """Return the share, in one sample, of values that the other does not have.

    Three tests share the level: whether the most frequent of them is too frequent to be absent from the other by
    chance, whether those that the other has in another spelling are, and whether all of them together are more than the
    other may have failed to see. The first also divides its level by the number of values.
    """
    only = {v: c / here.values for v, c in here.counts.items() if v not in there.counts}
    if not only:
        return Measure(name, 0.0, 0.0, f"no {word} values")
    shown = sorted(only, key=lambda v: (-only[v], v))[:_SHOWN]
    values = len({*here.counts, *there.counts})
    single, spelled = (chance.one_sided(level / 3 / n, here.size, there.size) / here.size for n in (values, 1))
    singletons = sum(1 for count in there.counts.values() if count / there.values * there.present < 1.5)
    mass = chance.unseen(level / 6, singletons, there.size)
    mass = min(1.0, mass + chance.bernstein(level / 6, mass, here.size, math.inf))
    together = min(1.0, sum(only.values()))
    twins = _spellings(there)
    respelled = sum(share for v, share in only.items() if _folded(v) in twins and len(twins) == len(there.counts))
    pairs = (only[shown[0]], single), (respelled, spelled), (together, mass)
    value, floor = max(pairs, key=lambda pair: pair[0] / max(pair[1], 1e-12))
    words = f"{word} {', '.join(_described(v, only[v], twins) for v in shown)}"
    if len(only) > len(shown):
        words += f" and {len(only) - len(shown):,} more"
    evidence = {name: len(only), f"{name}_share": together, f"{name}_first": shown[0]}
    return Measure(name, value, floor, words, evidence)


def _described(value: str, share: float, twins: Mapping[str, str]) -> str:
    """Return a value, its share, and the value that the other sample has instead if only case or spaces differ."""
    twin = twins.get(_folded(value))
    same = f" (like {quoted(twin)})" if twin is not None else ""
    return f"{quoted(value)}{same} {percent(share)}"


def _spellings(sample: Sample) -> dict[str, str]:
    """Return the first value of each spelling: values that are equal but for case and surrounding spaces."""
    return {_folded(value): value for value in sorted(sample.counts, reverse=True)}


def _folded(value: str) -> str:
    return value.strip().casefold()


def length(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the relative difference of the mean lengths, for text other than a few known values.

    TFDV does not report the standard deviation of lengths. It is computed from the values if all of them are listed,
    and otherwise assumed to equal the mean, as in an exponential distribution.
    """
    if not _is_text(now, base) or not base.length:
        return None
    value = abs(now.length / base.length - 1)
    deviation = max(_deviation(now), _deviation(base)) / base.length
    floor = chance.mean(level, deviation**2, now.present, base.present)
    evidence = {"length": now.length, "length_baseline": base.length}
    return Measure("length", value, floor, f"mean length {change(base.length, now.length)}", evidence)


def _deviation(sample: Sample) -> float:
    """Return the standard deviation of the lengths, or a bound on it."""
    if sample.kind != STRINGS or not sample.complete or not sample.counts:
        return sample.length
    total = sum(sample.counts.values())
    mean = sum(len(v) * count for v, count in sample.counts.items()) / total
    return math.sqrt(sum((len(v) - mean) ** 2 * count for v, count in sample.counts.items()) / total)


def distinct(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the relative distance of the number of distinct values from the range that the baseline allows.

    The mean number of distinct values among exchangeable rows grows with the number of rows, and is concave: more rows
    have no fewer of them, and no more of them per row (Heck, van Belle and Simberloff, Ecology 56, 1975).
    """
    if not _is_text(now, base) or not base.distinct or not now.distinct:
        return None
    n, m = now.present, base.present
    scaled = base.distinct * n / m
    low, high = min(scaled, base.distinct), max(scaled, base.distinct)
    noise = chance.distinct(level / 2, n) + chance.distinct(level / 2, m) * max(1.0, n / m)
    bound = low if now.distinct < low else high
    value = max(0.0, low - now.distinct, now.distinct - high) / bound
    words = f"distinct values {change(base.distinct, now.distinct)} in {change(m, n)} rows"
    evidence = {"distinct": now.distinct, "distinct_baseline": base.distinct}
    return Measure("distinct", value, noise / bound + _ESTIMATE, words, evidence)


def _is_text(now: Sample, base: Sample) -> bool:
    """Return whether one of the samples has values that its statistics do not list, or that hardly ever recur."""
    return any(one.kind != STRINGS or not one.complete or one.distinct > one.present / 2 for one in (now, base))


CATEGORICAL: tuple[Measurement, ...] = (l_infinity, total_variation, new_values, lost_values, length, distinct)
