"""The first pass over whole lines: determine the kinds of columns, and find bad lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from beam_taxi.sources.arrow.columns import Column, kind_of
from beam_taxi.sources.arrow.lists import Lists
from beam_taxi.sources.arrow.values import examine, to_kind
from beam_taxi.sources.content import BEYOND_INT64, NULLS_IN_LISTS, TEXT_AMONG_NUMBERS, Content
from beam_taxi.sources.csv import grammar
from beam_taxi.sources.cuts import Numbers
from beam_taxi.sources.jsonlines.objects import Texts
from beam_taxi.sources.jsonlines.parse import Rows
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.weights import Weighing, Weights, weights_of

_NUMBERS = (Kind.INT, Kind.FLOAT)


@dataclass
class Examination:
    """Adds the rows of blocks to `content`; lines are counted from the start of the part."""

    declared: Mapping[str, Kind]
    weighing: Weighing | None
    content: Content = field(default_factory=Content)

    def __post_init__(self) -> None:
        self._numbers = Counter[str]()
        self._texts = dict[str, tuple[int, int]]()

    def add(self, rows: Rows, line: int) -> None:
        """Add the rows of a block, which begins at a line."""
        content, lines = self.content, rows.lines
        for one in rows.bad:
            content.rejects[one.code] += 1
        if rows.bad and content.first_reject is None:
            content.first_reject = (line + rows.bad[0].number, rows.bad[0].reason)
        content.rows = (content.rows or 0) + len(lines)
        content.blank_lines += lines.blank
        if rows.fault is not None and content.fault is None:
            content.fault = (line + rows.fault[0], rows.fault[1])
        numbers = line + lines.numbers
        for name, array in rows.columns.items():
            self._add_column(name, array, numbers, rows.texts.get(name, Texts()), line)
        if self.weighing is not None and len(lines) and rows.fault is None:
            content.weights += _weights(self.weighing, rows).at(lambda row: int(numbers[row]))

    def finish(self) -> None:
        """Complete the content, now that all rows have been added."""
        for name, (count, first) in self._texts.items():
            if self._numbers[name]:
                self.content.note(name, TEXT_AMONG_NUMBERS, count, first)

    def _add_column(self, name: str, array: pa.Array, lines: Numbers, odd: Texts, line: int) -> None:
        content, declared = self.content, self.declared.get(name)
        has_lists = pa.types.is_list(array.type)
        values = array.flatten() if has_lists else array
        if has_lists and values.null_count:
            first = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
            content.note(name, NULLS_IN_LISTS, values.null_count, int(lines[Lists.of(array).row_of(first)]))
        present = len(values) - values.null_count
        if not present:
            return
        is_text = pa.types.is_string(values.type)
        if is_text and declared in _NUMBERS:
            evidence = grammar.examine(values)
            if has_lists and evidence.overflow is not None:
                evidence = replace(evidence, overflow=Lists.of(array).row_of(evidence.overflow))
        else:
            kind = kind_of(values.type)
            assert kind is not None
            evidence = examine(Column((name,), values.type, kind, has_lists), array, declared).evidence
        content.add_evidence(name, evidence)
        if evidence.overflow is not None:
            content.overflows.setdefault(name, int(lines[evidence.overflow]))
        if declared is not None:
            return
        if odd.beyond is not None:
            content.note(name, BEYOND_INT64, odd.beyond[0], line + odd.beyond[1])
        if odd.texts is not None or odd.beyond is not None or not is_text:
            texts = (0, 0) if odd.texts is None else (odd.texts[0], line + odd.texts[1])
        else:
            texts = (present, int(lines[0]))
        self._count(name, present - texts[0], texts)

    def _count(self, name: str, numbers: int, texts: tuple[int, int]) -> None:
        self._numbers[name] += numbers
        if texts[0]:
            known, first = self._texts.get(name, (0, texts[1]))
            self._texts[name] = known + texts[0], first


def _weights(weighing: Weighing, rows: Rows) -> Weights[int]:
    array = rows.column(weighing.weight)
    if pa.types.is_string(array.type) or pa.types.is_list(array.type):
        row = int(np.argmax(array.is_valid().to_numpy(zero_copy_only=False)))
        return Weights((row, f"is {array[row].as_py()!r}, which is not a number"))
    columns = {name: rows.column(name) for name in weighing.slices}
    slices = {name: _as(Kind.STRING, column) for name, column in columns.items() if not pa.types.is_list(column.type)}
    return weights_of(_as(Kind.FLOAT, array).cast(pa.float64()), slices)


def _as(kind: Kind, array: pa.Array) -> pa.Array:
    return to_kind(Column(("",), array.type, kind), array, kind)
