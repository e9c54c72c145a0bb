"""Recognize dates: integers that count from 1970, and strings in ISO 8601."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from beam_taxi.run.profile import INT, STRING, FeatureProfile

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Unit:
    """A unit of time since 1970; `whole_days` leaves out the time of day."""

    name: str
    seconds: float
    whole_days: bool = False

    def date(self, value: float) -> datetime | None:
        """Return the moment, or None if it is beyond the years 1 to 9999."""
        try:
            return _EPOCH + timedelta(seconds=value * self.seconds)
        except OverflowError:
            return None

    def text(self, value: float) -> str:
        """Return the moment as text, to the second."""
        moment = self.date(value)
        if moment is None:
            return f"{value:g}"
        return moment.strftime("%Y-%m-%d" if self.whole_days else "%Y-%m-%d %H:%M:%S")


DAYS = Unit("days", 86400.0, whole_days=True)
UNITS = (Unit("seconds", 1.0), Unit("milliseconds", 1e-3), Unit("microseconds", 1e-6), Unit("nanoseconds", 1e-9))

_PLAUSIBLE = datetime(1990, 1, 1, tzinfo=timezone.utc), datetime(2040, 1, 1, tzinfo=timezone.utc)
_NAMED = re.compile(r"time|date|epoch|stamp|created|updated|modified|(^|_)(ts|at|on|start|end)($|_)", re.IGNORECASE)
_OTHER = re.compile(r"(^|_)(id|key|code|number|no|phone|zip)($|_)", re.IGNORECASE)

_LONG = timedelta(days=30)
"""Dates of a column whose name says nothing must span as much."""

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")


def epoch_unit(name: str, feature: FeatureProfile) -> Unit | None:
    """Return the unit in which an integer column counts from 1970, or None if it does not.

    98% of the values must be from 1990 to 2039. Unless the name tells of time, all must be, and a month apart.
    """
    ends = [feature.percentiles.get(one) for one in ("1", "99")]
    if feature.type != INT or feature.min is None or feature.max is None or None in ends or _OTHER.search(name):
        return None
    inner = [float(one.value) for one in ends if one is not None]
    for unit in UNITS:
        if _NAMED.search(name):
            if all(_is_plausible(unit.date(value)) for value in inner):
                return unit
            continue
        low, high = unit.date(feature.min), unit.date(feature.max)
        if low and high and _is_plausible(low) and _is_plausible(high) and high - low >= _LONG:
            return unit
    return None


def _is_plausible(moment: datetime | None) -> bool:
    return moment is not None and _PLAUSIBLE[0] <= moment < _PLAUSIBLE[1]


def are_iso_dates(feature: FeatureProfile) -> bool:
    """Return whether a string column has dates alone, as far as its values are listed."""
    listed = feature.counts.counts
    return feature.type == STRING and bool(listed) and all(days_of(str(one.value)) is not None for one in listed)


def days_of(text: str) -> float | None:
    """Return the days since 1970 of a date in ISO 8601, with or without a time; None if it is not a date."""
    if not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return (moment - _EPOCH) / timedelta(days=1)
