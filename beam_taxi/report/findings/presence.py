"""Findings about the presence of values: empty columns, missing values, constants, the balance of the label."""

from __future__ import annotations

import math
from collections.abc import Iterator

from beam_taxi.report.figures import percent, plural
from beam_taxi.report.findings.finding import ERROR, INFO, WARNING
from beam_taxi.report.findings.kinds import CONSTANT, EMPTY, IMBALANCE, MANY_MISSING
from beam_taxi.report.findings.seen import Column, Part, Seen, shown
from beam_taxi.run.profile import FeatureProfile, Value
from beam_taxi.validation.distance import CHANCE

_MISSING, _MOSTLY_MISSING = 0.2, 0.5
_FEWEST = 10
"""Minimum number of values that are remarkable if all are the same."""

_CLASSES = 50
"""Maximum number of classes of a label."""

_UNBALANCED, _VERY_UNBALANCED = 4, 10
"""Ratio of the frequencies of the most and the least frequent class."""


def find(column: Column) -> Iterator[Seen]:
    """Yield what stands out in the presence of values."""
    yield from _empty(column)
    yield from _constant(column)
    for part in column.parts:
        yield from _missing(column, part)
        if column.is_label:
            yield from _imbalance(part)


def _empty(column: Column) -> Iterator[Seen]:
    """Yield where there are no values; in some splits alone, only if that is not chance."""
    present, rows = (sum(counts) for counts in zip(*((p.feature.present, p.rows) for p in column.parts), strict=True))
    severity = ERROR if column.is_label else WARNING
    for part in column.parts:
        if part.feature.present:
            continue
        # That so many rows have no value, if a value is missing as often as in all splits together.
        chance = part.rows * math.log1p(-present / rows) if present else -math.inf
        if chance < math.log(CHANCE):
            yield Seen(EMPTY, severity, part.split, "no row has a value", "no values", 1.0, {"rows": part.rows})


def _constant(column: Column) -> Iterator[Seen]:
    """Yield that all values of all splits are the same."""
    parts = [part for part in column.parts if part.feature.present]
    values = {_only_value(part.feature) for part in parts}
    if len(values) != 1 or None in values or sum(part.feature.values for part in parts) < _FEWEST:
        return
    value = values.pop()
    assert value is not None
    for part in parts:
        one = part.feature
        missing = "" if one.present == part.rows else f", and {percent(1 - one.present / part.rows)} are missing"
        evidence = {"value": value, "values": one.values, "missing": part.rows - one.present}
        severity = ERROR if column.is_label else WARNING
        yield Seen(
            CONSTANT, severity, part.split, f"every value is {shown(value)}{missing}", shown(value), 1.0, evidence
        )


def _only_value(one: FeatureProfile) -> Value | None:
    if one.nan or one.infinite:
        return None
    if one.min is not None and one.min == one.max:
        return one.min
    values = one.counts
    return values.counts[0].value if values.complete and len(values.counts) == 1 and one.min is None else None


def _missing(column: Column, part: Part) -> Iterator[Seen]:
    missing = part.rows - part.feature.present
    share = missing / part.rows
    if share < _MISSING and not (column.is_label and missing):
        return
    severity = WARNING if share >= _MOSTLY_MISSING or column.is_label else INFO
    text = f"{percent(share)} of the {plural(part.rows, 'row')} have no value"
    if column.is_label:
        text = f"{plural(missing, 'row')} ({percent(share)}) {'has' if missing == 1 else 'have'} no label"
    yield Seen(MANY_MISSING, severity, part.split, text, percent(share), share, {"missing": missing, "rows": part.rows})


def _imbalance(part: Part) -> Iterator[Seen]:
    """Yield that a class of the label is much rarer than another."""
    values = part.feature.counts
    if not values.complete or not 2 <= len(values.counts) <= _CLASSES:
        return
    most, least = values.counts[0], values.counts[-1]
    ratio = most.count / least.count
    if ratio >= _UNBALANCED:
        total = sum(one.count for one in values.counts)
        rarest, commonest = percent(least.count / total), percent(most.count / total)
        text = f"{rarest} of the labels are {shown(least.value)}, and {commonest} are {shown(most.value)}"
        evidence = {"least": least.value, "least_count": least.count, "most": most.value, "most_count": most.count}
        severity = WARNING if ratio >= _VERY_UNBALANCED else INFO
        yield Seen(IMBALANCE, severity, part.split, text, f"{shown(least.value)} {rarest}", 1 - 1 / ratio, evidence)
