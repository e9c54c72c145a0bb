"""Columns of numbers that are times since 1970."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from beam_taxi.report.figures import number
from beam_taxi.run.profile import FeatureProfile

_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
"""How many units make a second."""

_EARLIEST, _LATEST = 315_532_800, 4_102_444_800
"""Seconds since 1970 of 1980 and of 2100: numbers whose middle half is between them may be times."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def unit_of_time(one: FeatureProfile) -> int | None:
    """Return how many units of a number make a second, if the numbers are times since 1970; else None."""
    middle = [float(one.percentiles[q].value) for q in ("25", "50", "75") if q in one.percentiles]
    for unit in _UNITS:
        if len(middle) == 3 and all(_EARLIEST * unit <= x <= _LATEST * unit for x in middle):
            return unit
    return None


def figure(one: FeatureProfile, value: float) -> str:
    """Return a number of a column for a text, with its date if the column has times."""
    unit = unit_of_time(one)
    if unit is None:
        return number(value)
    try:
        moment = _EPOCH + timedelta(seconds=value / unit)
    except OverflowError:
        return number(value)
    return f"{number(value)} ({moment:%Y-%m-%d})"
