"""Ticks at round numbers and at round dates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from beam_taxi.report import dates
from beam_taxi.report.figures import number

_STEPS = (1, 2, 5, 10)

_LONG = 8
"""Labels of more characters leave room for fewer ticks."""


@dataclass(frozen=True)
class Tick:
    """A label on an axis, and its place as a share of the axis' length."""

    place: float
    label: str


def ticks(low: float, high: float, most: int = 6) -> tuple[Tick, ...]:
    """Return ticks at multiples of 1, 2 or 5 times a power of ten, at most `most` of them."""
    if not low < high or not math.isfinite(high - low):
        return ()
    longest = max(len(number(low)), len(number(high)))
    step = _step((high - low) / (most if longest <= _LONG else 3))
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(Tick((i * step - low) / (high - low), _label(i * step, step)) for i in range(first, last + 1))


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in _STEPS if step * power >= least * (1 - 1e-9))


def _label(value: float, step: float) -> str:
    if abs(value) >= 1e15 or step < 1e-6:
        return number(value)
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}".replace("-0", "0", 1 if value == 0 else 0)


_SPANS = (
    *(timedelta(seconds=n) for n in (1, 5, 15, 30, 60, 300, 900, 1800)),
    *(timedelta(hours=n) for n in (1, 3, 6, 12)),
    *(timedelta(days=n) for n in (1, 2, 7)),
)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)


def date_ticks(low: float, high: float, unit: dates.Unit, most: int = 5) -> tuple[Tick, ...]:
    """Return ticks at the starts of years, months, days, hours, minutes or seconds."""
    start, end = unit.date(low), unit.date(high)
    if start is None or end is None or not start < end:
        return ()
    found = [(one, text) for one, text in _dates(start, end, most) if start <= one <= end]
    length = (end - start).total_seconds()
    return tuple(Tick((one - start).total_seconds() / length, text) for one, text in found)


def _dates(start: datetime, end: datetime, most: int) -> Iterator[tuple[datetime, str]]:
    wanted = (end - start) / most
    span = next((one for one in _SPANS if one >= wanted), None)
    if span is None:
        yield from _months(start, end, most)
        return
    form = "%Y-%m-%d" if span >= timedelta(days=1) else "%m-%d %H:%M" if span >= timedelta(minutes=1) else "%H:%M:%S"
    zero = datetime(1970, 1, 1, tzinfo=start.tzinfo)
    tick = zero + math.ceil((start - zero) / span) * span
    while tick <= end:
        yield tick, tick.strftime(form)
        tick += span


def _months(start: datetime, end: datetime, most: int) -> Iterator[tuple[datetime, str]]:
    first, last = start.year * 12 + start.month - 1, end.year * 12 + end.month - 1
    step = next((one for one in _MONTHS if (last - first) / one <= most), _MONTHS[-1])
    for month in range(math.ceil(first / step) * step, last + 1, step):
        tick = start.replace(year=month // 12, month=month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
        yield tick, f"{tick.year}" if step >= 12 else f"{tick.year}-{tick.month:02}"
