"""The most frequent values."""

from __future__ import annotations

from collections.abc import Sequence

from beam_taxi.run.profile import Value, ValueCount


def most_frequent(values: Sequence[Value], counts: Sequence[int], most: int) -> tuple[ValueCount, ...]:
    """Return at most `most` values with their counts, the most frequent first, equal counts by value."""
    ranked = sorted(zip(values, counts, strict=True), key=lambda one: (-one[1], one[0]))
    return tuple(ValueCount(value, count) for value, count in ranked[:most])
