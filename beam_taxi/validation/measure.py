"""The measure of a difference between two samples of a feature, and numbers as text."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from beam_taxi.validation import chance
from beam_taxi.validation.sample import Sample

LONGEST_VALUE = 60
"""Maximum number of characters of a name or a value in a text."""


Evidence = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True)
class Measure:
    """An effect, the largest that chance explains (`floor`), the effect in words, and the numbers behind it."""

    name: str
    value: float
    floor: float
    words: str
    evidence: Evidence = field(default_factory=dict)


Measurement = Callable[[Sample, Sample, float], Measure | None]
"""Compares a sample with its baseline at a level; None if the measure does not apply to them."""


def figure(value: float) -> str:
    """Return four significant digits; whole numbers below 10^15 in full, with thousands separators."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"


def small(value: float) -> str:
    """Return an effect with three decimals, or with three significant digits if it is tiny or large."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if 0.001 <= abs(value) < 1000 else f"{value:.3g}"


def percent(share: float) -> str:
    """Return a share as a percentage."""
    return f"{100 * share:.3g}%"


def change(before: float, now: float) -> str:
    """Return two numbers, and the relative change in percent where it is meaningful."""
    words = f"{figure(before)} → {figure(now)}"
    if before * now <= 0 or not math.isfinite(before + now):
        return words
    return f"{words} ({100 * (now / before - 1):+.3g}%)"


def printable(text: str) -> str:
    """Return text from the data on one line, truncated, and with invisible characters escaped."""
    cut = text[:LONGEST_VALUE]
    shown = "".join(repr(c)[1:-1] if unicodedata.category(c)[0] in "CZ" and c != " " else c for c in cut)
    return shown + "…" if len(text) > LONGEST_VALUE else shown


def quoted(value: str) -> str:
    """Return a value from the data in quotation marks."""
    return f"'{printable(value)}'"


def absence(now: Sample, base: Sample, level: float) -> Measure | None:
    """Return the difference in the share of rows without a value."""
    if not now.rows or not base.rows:
        return None
    n, m = now.row_size, base.row_size
    words = f"missing {percent(base.missing)} → {percent(now.missing)}"
    evidence = {"missing": now.missing, "missing_baseline": base.missing}
    floor = chance.share(level, (now.missing, base.missing), n, m)
    return Measure("missing", abs(now.missing - base.missing), floor, words, evidence)
