"""How much is kept of each column, so that wide tables fit in memory, too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Of each column, `distinct` values are counted and `listed` values published.

    Of the rows, `sampled` are kept, to find columns that depend on each other, and `shown` are published.
    """

    distinct: int
    listed: int
    sampled: int
    shown: int = 20

    @staticmethod
    def for_columns(columns: int, is_slice: bool = False) -> Limits:
        """Return the limits for a data set with so many columns."""
        columns = max(1, columns)
        listed = max(50, min(1000, 100_000 // columns))
        if is_slice:
            return Limits(512, min(100, listed), 0)
        return Limits(max(512, min(4096, 800_000 // columns)), listed, max(100, min(4096, 250_000 // columns)))


DISTINCT_ROWS = 1 << 18
"""Distinct rows of a split up to which duplicates are counted exactly."""
