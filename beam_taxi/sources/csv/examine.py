"""The first pass over whole records: determine the kinds of columns, and find bad records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.sources.content import Content, merged_repeats
from beam_taxi.sources.csv.grammar import examine, misfits
from beam_taxi.sources.csv.hints import hint, repeated_headers
from beam_taxi.sources.csv.parse import one_array, record_bounds, sift
from beam_taxi.sources.csv.states import Positions
from beam_taxi.sources.csv.text import CsvText
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import Joint, SourceInfo
from beam_taxi.sources.spelling import Spelling, spelling_of
from beam_taxi.sources.weights import Weighing, Weights, weights_of


def examine_chunk(content: Content, chunk: bytes, file: CsvText[Joint], lines: Callable[[int], int]) -> None:
    """Add whole records of `file` to `content`; `lines` counts the lines of the part before an offset of the chunk."""
    declared = file.declared
    _, cells, bad = sift(chunk, file.fields, file.dialect, declared, file.info.redacted)
    for record in bad:
        content.rejects[record.code] += 1
    if bad and content.first_reject is None:
        content.first_reject = (lines(bad[0].start), bad[0].reason + hint(chunk, bad, len(cells.table), file.header))
    content.rows = (content.rows or 0) + len(cells.table)

    @cache
    def starts() -> Positions:
        return np.setdiff1d(record_bounds(chunk, file.dialect)[0], [record.start for record in bad])

    def line_of(row: int) -> int:
        return lines(int(starts()[row]))

    if file.weighing is not None and len(cells.table):
        content.weights += _weights(cells.table, file.weighing, file.info).at(line_of)
    for name, column in zip(cells.table.column_names, cells.table.columns, strict=True):
        if declared.get(name) in (Kind.STRING, Kind.INT) or _is_text(content, name):
            continue
        evidence = cells.evidence[name] if name in cells.evidence else examine(one_array(column))
        content.add_evidence(name, evidence)
        if evidence.overflow is not None and name not in content.overflows:
            content.overflows[name] = line_of(evidence.overflow)
        if name not in declared:
            _add_spelling(content, name, one_array(column), evidence.kind, line_of)
    _note_repeated_headers(content, chunk, file, lines)


def _weights(cells: pa.Table, weighing: Weighing, info: SourceInfo) -> Weights[int]:
    text = one_array(cells[weighing.weight])
    odd = misfits(text, Kind.FLOAT)
    if len(odd):
        row = int(odd[0])
        cell = info.shown(weighing.weight, repr(text[row].as_py()))
        return Weights((row, f"is {cell}, which is not a number"))
    slices = {name: one_array(cells[name]) for name in weighing.slices}
    return weights_of(pc.cast(text, pa.float64()), slices)


def _is_text(content: Content, name: str) -> bool:
    spelling = content.spellings.get(name)
    return spelling is not None and spelling.is_text


def _add_spelling(
    content: Content, name: str, cells: pa.StringArray, kind: Kind, line_of: Callable[[int], int]
) -> None:
    known = content.spellings.get(name, Spelling[int]())
    found = Spelling[int](len(cells) - cells.null_count)
    if kind is Kind.STRING:
        found = spelling_of(cells, is_first=not known.cells)
        if found.first is not None:
            row, cell = found.first
            found = replace(found, first=(line_of(row), cell) if known.first is None else None)
    content.spellings[name] = known + found


def _note_repeated_headers(content: Content, chunk: bytes, file: CsvText[Joint], lines: Callable[[int], int]) -> None:
    # A header in the middle would make every column STRING, but for a column whose name is a number.
    if any(
        kind in (Kind.INT, Kind.FLOAT) and not name.lstrip("-")[:1].isdigit() for name, kind in content.kinds.items()
    ):
        return
    repeats = repeated_headers(chunk, file.header, file.dialect)
    if repeats:
        content.repeated_header = merged_repeats(content.repeated_header, (lines(repeats[0]), len(repeats)))
