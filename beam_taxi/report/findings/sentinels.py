"""Values that often stand for missing ones: -1, -999, 9999, 0 in coordinates, 1970-01-01, N/A.

A number is one only if it is far from the rest, so that a genuine 999 in a dense range is not one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from beam_taxi.report.figures import number, plural
from beam_taxi.report.findings.finding import INFO, WARNING
from beam_taxi.report.findings.kinds import SENTINEL
from beam_taxi.report.findings.seen import Column, Part, Seen
from beam_taxi.report.findings.tails import FEWEST, Tail, beyond
from beam_taxi.report.findings.times import figure, unit_of_time
from beam_taxi.run.profile import FLOAT, INT, FeatureProfile, Number

_NINES = tuple(10.0**digits - 1 for digits in range(1, 19))
_LIMITS = (32767.0, 65535.0, 2.0**31 - 1, 2.0**32 - 1, 2.0**63, 3.4028235e38)
_POWERS = tuple(10.0**exponent for exponent in (6, 9, 10, 12, 15, 18, 20, 30, 36))
_WITH_DECIMALS = (99.9, 99.99, 999.9, 999.99, 9999.9, 9999.99)
USUAL = sorted((*_NINES, *_LIMITS, *_POWERS, *_WITH_DECIMALS))
"""Numbers that stand for missing ones, with either sign."""

_COORDINATE = re.compile(r"(?:^|[^a-z])(?:lat|lon|lng|long|latitude|longitude)(?:[^a-z]|$)")

_SECONDS = {
    -2208988800.0: "1900-01-01",
    0.0: "1970-01-01",
    -1.0: "1969-12-31",
    253402214400.0: "9999-12-31",
    253402300799.0: "9999-12-31",
    -62135596800.0: "0001-01-01",
}


class _Candidate(NamedTuple):
    """A value, how often it occurs at most, and whether it does so exactly."""

    value: Number
    times: int
    is_exact: bool
    date: str | None

    def words(self) -> str:
        """Return the value and how often it occurs, as the beginning of a sentence."""
        name = number(self.value) if self.date is None else f"{number(self.value)} ({self.date})"
        if not self.is_exact:
            return f"{name} occurs at least once"
        return f"{name} occurs {'once' if self.times == 1 else f'{self.times:,} times'}"


def of_numbers(column: Column, part: Part) -> tuple[list[Seen], dict[Number, int]]:
    """Return the sentinels of a column of numbers, and how often each of them occurs."""
    one = part.feature
    found: list[Seen] = []
    removed: dict[Number, int] = {}
    if one.type not in (INT, FLOAT) or one.finite < FEWEST or one.distinct.value < 3 or "50" not in one.percentiles:
        return found, removed
    median = one.percentiles["50"].value
    # Those farther out are judged first, and do not count as the rest of the nearer ones.
    for each in sorted(_candidates(one), key=lambda each: (-abs(float(each.value) - median), each.value)):
        severity = _severity(column, one, each.value, each.times, removed)
        if severity is None:
            continue
        text = (
            f"{each.words()}, far from the other values, whose median is {figure(one, median)}, "
            "and may stand for a missing value"
        )
        times = each.times if each.is_exact else 1
        brief = plural(times, "time") if each.is_exact else "at least once"
        evidence = {"value": each.value, "count": times, "count_is_exact": each.is_exact, "median": median}
        found.append(
            Seen(SENTINEL, severity, part.split, text, brief, times / part.rows, evidence, about=str(each.value))
        )
        removed[each.value] = each.times
    return found, removed


def _candidates(one: FeatureProfile) -> Iterator[_Candidate]:
    """Yield values of the usual kinds that the column has."""
    known = {each.value: (each.count, True) for each in one.counts.counts if not isinstance(each.value, str)}
    histogram = one.histogram
    tails = (None, None) if histogram is None else (histogram.below, histogram.above)
    for end, tail in zip((one.min, one.max), tails, strict=True):
        if end is not None and end not in known:
            # All values that are cut from the histogram may be this one.
            times = 1 if tail is None else tail.count
            known[end] = times, times == 1
    if one.zeros:
        known[0] = one.zeros, True
    unit = unit_of_time(one)
    for value, (times, is_exact) in known.items():
        date = _SECONDS.get(value / unit) if unit else None
        if date is not None or value in (0, -1) or _is_usual(value):
            yield _Candidate(value, times, is_exact, date)


def _is_usual(value: Number) -> bool:
    # Numbers may have been stored in 32 bits.
    at = bisect_left(USUAL, abs(value) * (1 - 1e-6))
    return at < len(USUAL) and USUAL[at] <= abs(value) * (1 + 1e-6)


def _severity(
    column: Column, one: FeatureProfile, value: Number, count: int, removed: Mapping[Number, int]
) -> str | None:
    """Return the severity of a candidate, or None if it is as genuine as the other values."""
    if column.is_label and value in (0, -1):
        return None
    if value == 0:
        return _of_zero(column, one, count, removed)
    if value == -1 and not unit_of_time(one):
        return _of_minus_one(one, count, removed)
    if value < 0 and _is_only_negative(one, count, removed):
        return WARNING
    limits = _limits(one, value, count, removed)
    if limits is None:
        return None
    return WARNING if limits[1] < 0 else INFO if limits[0] < 0 else None


def _limits(
    one: FeatureProfile, value: Number, count: int, removed: Mapping[Number, int]
) -> tuple[float, float] | None:
    """Return how far short of the limits of the other values this one is."""
    upper = value > one.percentiles["50"].value
    same_side = {v: n for v, n in removed.items() if (v > value) == upper}
    tail = Tail.of(one, upper, {**same_side, value: count})
    limits = None if tail is None else tail.limits()
    if tail is None or limits is None:
        return None
    return limits.unlikely - tail.sign * value, limits.impossible - tail.sign * value


def _is_only_negative(one: FeatureProfile, count: int, removed: Mapping[Number, int]) -> bool:
    """Return whether all values but this one, and those already found, are at least 0."""
    return beyond(one, 0.0, upper=False) <= count + sum(n for v, n in removed.items() if v < 0)


def _of_zero(column: Column, one: FeatureProfile, count: int, removed: Mapping[Number, int]) -> str | None:
    """Return the severity of zeros: in coordinates and times they are wrong if they are apart from the rest."""
    is_coordinate = _COORDINATE.search(column.name.lower()) is not None and one.type == FLOAT
    limits = _limits(one, 0, count, removed) if one.percentiles["50"].value else None
    is_apart = limits is not None and limits[0] < 0
    if is_coordinate:
        others = [each.count for each in one.counts.counts if each.value != 0]
        is_spike = one.distinct.value > 100 and count >= 5 and count > 10 * max(others, default=1)
        return WARNING if is_apart or is_spike else None
    if unit_of_time(one):
        return WARNING if is_apart else None
    # Zeros are genuine where there are many, as in amounts.
    return INFO if is_apart and limits is not None and limits[1] < 0 and count < one.finite / 20 else None


def _of_minus_one(one: FeatureProfile, count: int, removed: Mapping[Number, int]) -> str | None:
    """Return the severity of -1: it is odd as the only negative value, unless it is the end of a smooth slope."""
    if not _is_only_negative(one, count, removed) or one.distinct.value < 6:
        return None
    limits = _limits(one, -1, count, removed)
    if limits is not None and limits[1] < 0:
        return WARNING
    by_value = {each.value: each.count for each in one.counts.counts}
    if one.type == FLOAT:
        others = sorted((n for v, n in by_value.items() if v not in (-1, 0)), reverse=True)
        is_spike = one.distinct.value > 100 and count >= 5 and count > 2 * (others[0] if others else 1)
        return WARNING if is_spike else None
    zeros, ones = by_value.get(0, 0), by_value.get(1, 0)
    if count > 3 * max(zeros, ones) and (count > 5 or one.counts.complete):
        return WARNING
    return INFO if count < zeros and zeros >= ones > 0 else None
