"""Checks of column names."""

from __future__ import annotations

from collections import Counter

from beam_taxi.errors import DataError

MAX_COLUMNS = 20_000


def check_names(uri: str, names: tuple[str, ...]) -> None:
    """Raise DataError if there are too many columns, or if a name is empty or duplicate."""
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{uri}: line 1: the header has {len(names)} columns, which exceeds the limit of {MAX_COLUMNS}")
    empty = [i + 1 for i, name in enumerate(names) if not name]
    if empty:
        raise DataError(f"{uri}: line 1: the header has no name for column {empty[0]}")
    if len(set(names)) < len(names):
        repeated = sorted(name for name, count in Counter(names).items() if count > 1)
        raise DataError(f"{uri}: line 1: the header has the duplicate column name {repeated[0]!r}")
