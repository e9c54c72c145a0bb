"""The first pass over whole records: determine the kinds of columns, and find bad records."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from beam_taxi.sources.content import Content, merged_repeats
from beam_taxi.sources.csv.grammar import examine
from beam_taxi.sources.csv.hints import hint, repeated_headers
from beam_taxi.sources.csv.parse import one_array, record_bounds, sift
from beam_taxi.sources.csv.text import CsvText
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import Joint


def examine_chunk(content: Content, chunk: bytes, file: CsvText[Joint], lines: Callable[[int], int]) -> None:
    """Add whole records of `file` to `content`; `lines` counts the lines of the part before an offset of the chunk."""
    declared = file.declared
    _, cells, bad = sift(chunk, file.fields, file.dialect, declared)
    for record in bad:
        content.rejects[record.code] += 1
    if bad and content.first_reject is None:
        content.first_reject = (lines(bad[0].start), bad[0].reason + hint(chunk, bad, len(cells.table), file.header))
    content.rows = (content.rows or 0) + len(cells.table)
    for name, column in zip(cells.table.column_names, cells.table.columns, strict=True):
        if declared.get(name, content.kinds.get(name)) is Kind.STRING or declared.get(name) is Kind.INT:
            continue
        evidence = cells.evidence[name] if name in cells.evidence else examine(one_array(column))
        content.add_evidence(name, evidence)
        if evidence.overflow is not None and name not in content.overflows:
            starts = np.setdiff1d(record_bounds(chunk, file.dialect)[0], [record.start for record in bad])
            content.overflows[name] = lines(int(starts[evidence.overflow]))
    _note_repeated_headers(content, chunk, file, lines)


def _note_repeated_headers(content: Content, chunk: bytes, file: CsvText[Joint], lines: Callable[[int], int]) -> None:
    # A header in the middle would make every column STRING, but for a column whose name is a number.
    if any(
        kind in (Kind.INT, Kind.FLOAT) and not name.lstrip("-")[:1].isdigit() for name, kind in content.kinds.items()
    ):
        return
    repeats = repeated_headers(chunk, file.header, file.dialect)
    if repeats:
        content.repeated_header = merged_repeats(content.repeated_header, (lines(repeats[0]), len(repeats)))
