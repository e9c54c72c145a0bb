"""What the first pass learns from the records: their number, the kinds of the columns, what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from beam_taxi.sources.csv.grammar import Kind, examine
from beam_taxi.sources.csv.parse import record_bounds, sift
from beam_taxi.sources.source import SourceFile


@dataclass
class Content:
    """The records that start in a block. Lines count from the block's start.

    `rejects` counts the bad records by reason code, `first_reject` has line and reason of the first. `fault` ends the
    run; it has no line where it is that of a quote that opened in an earlier block. `overflows` are the lines of the
    first cells beyond float32, `inexact` the columns in which float32 loses digits.
    """

    rows: int = 0
    blank_lines: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)
    overflows: dict[str, int] = field(default_factory=dict)
    inexact: set[str] = field(default_factory=set)
    rejects: Counter[str] = field(default_factory=Counter)
    first_reject: tuple[int, str] | None = None
    fault: tuple[int | None, str] | None = None

    def examine(
        self, chunk: bytes, file: SourceFile, declared: Mapping[str, Kind], lines: Callable[[int], int]
    ) -> None:
        """Add whole records of `file`; `lines` gives the lines before an offset of the chunk."""
        _, table, bad = sift(chunk, file.columns, file.dialect, declared)
        for record in bad:
            self.rejects[record.code] += 1
        if bad and self.first_reject is None:
            self.first_reject = (lines(bad[0].start), bad[0].reason)
        self.rows += len(table)
        for name, column in zip(table.column_names, table.columns, strict=True):
            if declared.get(name, self.kinds.get(name)) is Kind.STRING or declared.get(name) is Kind.INT:
                continue
            evidence = examine(column.combine_chunks() if column.num_chunks != 1 else column.chunk(0))
            self.kinds[name] = max(self.kinds.get(name, Kind.MISSING), evidence.kind)
            if evidence.overflow is not None and name not in self.overflows:
                starts = np.setdiff1d(record_bounds(chunk, file.dialect)[0], [record.start for record in bad])
                self.overflows[name] = lines(int(starts[evidence.overflow]))
            if evidence.inexact:
                self.inexact.add(name)
