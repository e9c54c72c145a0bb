"""Findings in columns of numbers: outliers, NaN and infinities, skew, zeros."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from beam_taxi.report.figures import number, percent, plural
from beam_taxi.report.findings.finding import INFO, WARNING
from beam_taxi.report.findings.kinds import MANY_ZEROS, NAN, OUTLIERS, SKEWED
from beam_taxi.report.findings.seen import Column, Part, Seen
from beam_taxi.report.findings.sentinels import of_numbers
from beam_taxi.report.findings.tails import Tail
from beam_taxi.report.findings.times import figure
from beam_taxi.run.profile import FLOAT, INT, Number

_MOST_OUTLIERS = 0.01
"""Maximum share of outliers: more of them may be part of the data."""

_FEW = 3
_MANY_ZEROS = 0.5
_SKEWED = 10.0
"""Minimum ratio of the distances of the percentiles 99 and 1 from the median, and of the farther one to the median."""

_FEWEST_DISTINCT = 10


def find(column: Column) -> Iterator[Seen]:
    """Yield what stands out in a column of numbers."""
    for part in column.parts:
        if part.feature.type in (INT, FLOAT) and part.feature.values:
            sentinels, removed = of_numbers(column, part)
            yield from sentinels
            yield from _outliers(part, removed)
            yield from _not_finite(part)
            if not column.is_label:
                yield from _skewed(part)
                yield from _zeros(part)


def _outliers(part: Part, removed: Mapping[Number, int]) -> Iterator[Seen]:
    """Yield the values far above the rest, and those far below."""
    one = part.feature
    median = one.percentiles["50"].value if "50" in one.percentiles else 0
    for upper in (True, False):
        tail = Tail.of(one, upper, {v: n for v, n in removed.items() if (v > median) == upper})
        found = None if tail is None else _farthest(tail)
        if tail is None or found is None:
            continue
        severity, count, exact = found
        side, key = ("above", "99") if upper else ("below", "1")
        most = figure(one, one.percentiles[key].value)
        rest = f"99% are at {'most' if upper else 'least'} {most}"
        many = plural(count, "value") if exact else f"at least {plural(count, 'value')}"
        end = None if tail.end is None else tail.sign * tail.end
        evidence = {"count": count, "count_is_exact": exact, "extreme": end, f"p{key}": one.percentiles[key].value}
        reach = "" if end is None else f", {'up' if upper else 'down'} to {figure(one, end)}"
        brief = many + reach
        if count == 1 and end is not None:
            brief = figure(one, end)
            text = f"{brief} is far {side} the rest ({rest})"
        else:
            text = f"{many} {'is' if count == 1 else 'are'} far {side} the rest{reach} ({rest})"
        yield Seen(OUTLIERS, severity, part.split, text, brief, count / part.rows, evidence, side)


def _farthest(tail: Tail) -> tuple[str, int, bool] | None:
    """Return the severity of the values that are too far, how many there are at least, and whether that is exact."""
    found = [_beyond(tail, group) for group in (0.0, *tail.groups(_MOST_OUTLIERS))]
    return max((one for one in found if one is not None), key=lambda one: (one[0] == WARNING, one[1:]), default=None)


def _beyond(tail: Tail, group: float) -> tuple[str, int, bool] | None:
    """Return the same, judged without a group of the farthest values, which must be all that are too far."""
    limits = tail.limits(group)
    if limits is None:
        return None
    most = min((count for x, count in tail.points if x <= limits.unlikely), default=tail.total)
    least = most if tail.is_complete else max((count for x, count in tail.points if x >= limits.unlikely), default=0)
    if group:
        nearest = max(x for x, count in tail.points if count >= group)
        if most > group:
            return None
    elif tail.end is not None and tail.end > limits.unlikely:
        nearest = tail.end
    else:
        return None
    count = max(1, int(least))
    is_few = count <= max(_FEW, _MOST_OUTLIERS * tail.total)
    if nearest <= limits.unlikely:
        return None
    return WARNING if is_few and nearest > limits.impossible else INFO, count, least == most


def _not_finite(part: Part) -> Iterator[Seen]:
    one = part.feature
    if one.nan or one.infinite:
        kinds = [f"{count:,} {word}" for count, word in ((one.nan, "NaN"), (one.infinite, "infinite")) if count]
        many = " and ".join(kinds)
        share = (one.nan + one.infinite) / one.values
        text = f"{many} of {plural(one.values, 'value')} ({percent(share)})"
        evidence = {"nan": one.nan, "infinite": one.infinite, "values": one.values}
        yield Seen(NAN, WARNING, part.split, text, many, share, evidence)


def _skewed(part: Part) -> Iterator[Seen]:
    """Yield that one side of the median is much longer than the other."""
    one = part.feature
    if not {"1", "50", "99"} <= set(one.percentiles) or one.distinct.value < _FEWEST_DISTINCT:
        return
    low, middle, high = (float(one.percentiles[q].value) for q in ("1", "50", "99"))
    above, below = high - middle, middle - low
    is_wide = max(above, below) > _SKEWED * abs(middle)
    if is_wide and min(above, below) > 0 and max(above, below) > _SKEWED * min(above, below):
        words = f"99% are at most {number(high)}" if above > below else f"1% are at most {number(low)}"
        text = f"half of the values are at most {number(middle)}, and {words}"
        evidence = {"p1": low, "median": middle, "p99": high}
        yield Seen(SKEWED, INFO, part.split, text, f"median {number(middle)}", 0.5, evidence)


def _zeros(part: Part) -> Iterator[Seen]:
    """Yield that most values are zeros, unless the column is a flag or a few classes."""
    one = part.feature
    share = one.zeros / one.values
    if share > _MANY_ZEROS and one.distinct.value >= _FEWEST_DISTINCT:
        text = f"{percent(share)} of the values are 0"
        evidence = {"zeros": one.zeros, "values": one.values}
        yield Seen(MANY_ZEROS, INFO, part.split, text, percent(share), share, evidence)
