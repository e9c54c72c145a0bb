"""Tables on standard output."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_WIDTH = 60


def print_table(rows: Sequence[Sequence[object]]) -> None:
    """Print a table; on a terminal, long texts are cut, except in the last column."""
    limit = _WIDTH if sys.stdout.isatty() else None
    texts = [[*(" ".join(str(cell).split())[:limit] for cell in row[:-1]), str(row[-1])] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
