"""Findings about how many values a column has: ids, many values, rare ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

from beam_taxi.report.figures import number, plural
from beam_taxi.report.findings.finding import INFO, WARNING
from beam_taxi.report.findings.kinds import MANY_VALUES, RARE_VALUES, UNIQUE
from beam_taxi.report.findings.seen import Column, Part, Seen, listed, shown
from beam_taxi.report.findings.times import unit_of_time
from beam_taxi.run.profile import INT, STRING, FeatureProfile

_FEWEST_UNIQUE = 50
"""Minimum number of values that are remarkable if all are different."""

_MANY, _OFTEN = 50, 0.05
"""Number of distinct strings, and their share of the values, from which they are many."""

_RARE, _FREQUENT = 0.001, 10
"""Maximum share of a rare value, and how many times more frequent the other ones are."""

_MOST_CATEGORIES = 100
_FEWEST_VALUES, _MANY_ROWS = 500, 5000
_REPEATED = 0.005
"""Maximum share of strings that recur although they are ids."""

_LONG = 8
"""Bytes of a string, such as an id."""

_ID = re.compile(r"(?:^|[^a-z])(?:id|uuid|guid|key|index|row|number|nr|no|hash)(?:[^a-z]|$)")


def find(column: Column) -> Iterator[Seen]:
    """Yield what stands out in the number of values."""
    parts = [part for part in column.parts if part.feature.values]
    large = [part for part in parts if part.feature.values >= _FEWEST_UNIQUE]
    if large and all(_is_unique(part.feature) for part in large):
        yield from (_unique(column, part) for part in large)
    for part in column.texts:
        yield from _many(part)
        yield from _rare(column, part)


def _is_unique(one: FeatureProfile) -> bool:
    if one.type not in (INT, STRING) or one.values != one.present or unit_of_time(one):
        return False
    allowed = 3 * one.distinct.error
    if one.type == STRING and one.values >= _FEWEST_VALUES:
        # Rows that occur twice have the same id.
        allowed = max(allowed, _REPEATED)
    return one.distinct.value >= one.values * (1 - allowed)


def _unique(column: Column, part: Part) -> Seen:
    """Report that all values are different: whole numbers of a wide range may be so without being an id."""
    one = part.feature
    is_each = one.distinct.exact and one.distinct.value == one.values
    text = f"{'all' if is_each else 'nearly all'} {plural(one.values, 'value')} are different"
    is_named = _ID.search(column.name.lower()) is not None
    is_id = is_named or _is_numbered(one) or _is_long(one)
    text += ", as in an id" if is_id else ""
    evidence = {"distinct": one.distinct.value, "values": one.values, "exact": one.distinct.exact}
    return Seen(UNIQUE, WARNING if is_id else INFO, part.split, text, number(one.values), 1.0, evidence)


def _is_long(one: FeatureProfile) -> bool:
    """Return whether strings are too long, or too many, to be different by chance, as some postal codes are."""
    length = 0.0 if one.length is None else one.length.mean
    return one.type == STRING and one.values >= (_FEWEST_VALUES if length >= _LONG else _MANY_ROWS)


def _is_numbered(one: FeatureProfile) -> bool:
    """Return whether the numbers leave out few of their range, as those of rows, of which a split has some."""
    return one.min is not None and one.max is not None and float(one.max) - float(one.min) < 10 * one.values


def _many(part: Part) -> Iterator[Seen]:
    one = part.feature
    if one.distinct.value > max(_MANY, _OFTEN * one.values):
        about = "" if one.distinct.exact else "about "
        text = f"{about}{number(one.distinct.value)} different values in {plural(one.values, 'value')}"
        evidence = {"distinct": one.distinct.value, "values": one.values, "exact": one.distinct.exact}
        share = min(1.0, one.distinct.value / one.values)
        yield Seen(MANY_VALUES, INFO, part.split, text, about + number(one.distinct.value), share, evidence)


def _rare(column: Column, part: Part) -> Iterator[Seen]:
    """Yield the values that occur a few times only, while all others are frequent."""
    one = part.feature
    counts = one.counts.counts
    if not one.counts.complete or one.values < _FEWEST_VALUES or not 2 < len(counts) <= _MOST_CATEGORIES:
        return
    rare = [each for each in counts if each.count <= max(1, _RARE * one.values)]
    others = [each for each in counts if each not in rare]
    if not rare or len(others) < 2 or others[-1].count < _FREQUENT * rare[0].count:
        return
    total = sum(each.count for each in rare)
    words = [f"{shown(each.value)} ({each.count:,})" for each in rare]
    text = f"{listed(words)} {'is' if len(rare) == 1 else 'are'} rare among {len(counts):,} values"
    evidence = {"rare": len(rare), "rows": total, "first": rare[0].value, "distinct": len(counts)}
    many, within = plural(len(rare), "rare value"), column.having({each.value for each in rare})
    yield Seen(RARE_VALUES, INFO, part.split, text, many, total / one.values, evidence, within=within)
