"""Parse blocks of lines to columns: by Arrow if it can, else exactly; see `objects`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from beam_taxi.sources.arrow.columns import Column
from beam_taxi.sources.arrow.lists import Lists
from beam_taxi.sources.csv.grammar import misfits
from beam_taxi.sources.cuts import Numbers
from beam_taxi.sources.jsonlines.lines import Lines
from beam_taxi.sources.jsonlines.objects import NotARow, Object, Texts, column_of, load
from beam_taxi.sources.jsonlines.shapes import Keys, Shapes, leaves_of, shapes_of_objects, shapes_of_schema
from beam_taxi.sources.kinds import Kind

_BEYOND = float(2**63)


@dataclass(frozen=True)
class BadLine:
    """A bad line: its bytes, `start` to `end` in the block, its number in it, a reason code and the reason in words."""

    start: int
    end: int
    number: int
    code: str
    reason: str


@dataclass(frozen=True)
class Rows:
    """The rows of a block: the lines of the good ones, their columns by name, and the bad ones.

    A column that no row has is not there. `texts` says what is odd in columns that Arrow did not read, by the number of
    the line. A `fault` has the number of a line, too.
    """

    lines: Lines
    columns: Mapping[str, pa.Array]
    bad: Sequence[BadLine] = ()
    texts: Mapping[str, Texts] = field(default_factory=dict)
    fault: tuple[int, str] | None = None

    def column(self, name: str) -> pa.Array:
        """Return a column, or nulls if no row has it."""
        return self.columns[name] if name in self.columns else pa.nulls(len(self.lines))


@dataclass
class BlockParser:
    """Parses blocks of one file: the columns of the keys `wanted`, by their names, some of which have declared types.

    Values of columns in `redacted` are not shown. Numbers in the columns of `texts` keep their text.
    """

    keys: Keys
    wanted: Mapping[str, str]
    declared: Mapping[str, Kind]
    redacted: Collection[str] = ()
    texts: Collection[str] = ()

    def __post_init__(self) -> None:
        self._reader = ArrowReader()

    def parse(self, block: bytes) -> Rows:
        """Return the rows of a block of whole lines."""
        lines = Lines.of(block)
        columns = self._by_arrow(block, lines)
        rows = Rows(lines, columns) if columns is not None else self._exactly(block, lines)
        return self._without_misfits(rows)

    def _by_arrow(self, block: bytes, lines: Lines) -> dict[str, pa.Array] | None:
        """Return the columns, or None if Arrow cannot read all lines as they are meant."""
        batch = self._reader.read(block, lines)
        if batch is None:
            return None
        found = [Column(path, type_, Kind.MISSING) for path, type_ in leaves_of(batch.schema, self.keys.flatten)]
        leaves = {column.name: column for column in found}
        if len(leaves) < len(found) or any(self._is_new(column, batch) for column in found):
            return None
        columns = dict[str, pa.Array]()
        for name, shape in shapes_of_schema(batch.schema, self.keys.flatten):
            if name not in self.wanted:
                continue
            has_lists = name in self.keys.with_lists
            column = leaves[name].of(batch)
            if isinstance(shape, str) or (shape and not (has_lists and _is_whole(column))):
                return None
            if self._is_inexact(self.wanted[name], column, block):
                return None
            columns[self.wanted[name]] = _in_lists(column) if has_lists and not shape else column
        return columns

    def _is_new(self, column: Column, batch: pa.RecordBatch) -> bool:
        return self.keys.is_new(column.name) and column.of(batch).null_count < len(batch)

    def _is_inexact(self, name: str, column: pa.Array, block: bytes) -> bool:
        """Return whether Arrow may have lost something of the numbers of a column."""
        type_ = column.type.value_type if pa.types.is_list(column.type) else column.type
        if pa.types.is_floating(type_):
            values = column.flatten() if pa.types.is_list(column.type) else column
            limits = pc.min_max(values)
            low, high = limits["min"].as_py(), limits["max"].as_py()
            return name in self.texts or (low is not None and not -_BEYOND < low <= high < _BEYOND)
        return name in self.texts and pa.types.is_integer(type_) and b"-0" in block

    def _exactly(self, block: bytes, lines: Lines) -> Rows:
        objects, bad, good = list[Object](), list[BadLine](), list[int]()
        for row, (start, end) in enumerate(zip(lines.starts.tolist(), lines.ends.tolist(), strict=True)):
            try:
                objects.append(load(block[start:end], self.keys.flatten))
                good.append(row)
            except NotARow as error:
                bad.append(BadLine(start, end, int(lines.numbers[row]), error.code, str(error)))
        kept = lines.only(np.array(good, np.int64)) if bad else lines
        if bad and good:
            rest = b"\n".join(block[start:end] for start, end in zip(kept.starts, kept.ends, strict=True))
            columns = self._by_arrow(rest, Lines.of(rest))
            if columns is not None:
                return Rows(kept, columns, bad)
        fault = self._fault(objects)
        if fault is not None:
            return Rows(kept, {}, bad, fault=(int(kept.numbers[fault[0]]), fault[1]))
        names = dict.fromkeys(name for one in objects for name in one if name in self.wanted)
        found = {
            self.wanted[name]: column_of(
                [one.get(name) for one in objects], name in self.keys.with_lists, self.wanted[name] in self.texts
            )
            for name in names
        }
        columns = {name: column for name, (column, _) in found.items()}
        odd = {name: texts.at(lambda row: int(kept.numbers[row])) for name, (_, texts) in found.items()}
        return Rows(kept, columns, bad, odd)

    def _fault(self, objects: Sequence[Object]) -> tuple[int, str] | None:
        for row, one in enumerate(objects):
            for name, value in one.items():
                if name in self.wanted or self.keys.is_new(name):
                    fault = self.keys.fault_of(name, value)
                    if fault is not None:
                        return row, fault
        return None

    def _without_misfits(self, rows: Rows) -> Rows:
        """Return the rows without those that have a value that is not of the declared type."""
        faults = dict[int, str]()
        for name, kind in self.declared.items():
            if name in rows.columns and kind in (Kind.INT, Kind.FLOAT):
                for row, value in _misfits(rows.columns[name], kind):
                    text = "a value" if name in self.redacted else value
                    faults.setdefault(row, f"column {name!r}: {text} is not {kind.name}")
        if not faults:
            return rows
        lines, numbers = rows.lines, np.array(sorted(faults), np.int64)
        bad = [
            BadLine(int(lines.starts[row]), int(lines.ends[row]), int(lines.numbers[row]), "type", faults[row])
            for row in numbers.tolist()
        ]
        is_good = np.ones(len(lines), np.bool_)
        is_good[numbers] = False
        columns = {name: column.filter(pa.array(is_good)) for name, column in rows.columns.items()}
        every = sorted([*rows.bad, *bad], key=lambda one: one.start)
        return Rows(lines.only(np.flatnonzero(is_good)), columns, every, rows.texts, rows.fault)


class ArrowReader:
    """Reads blocks with Arrow, which takes text such as `2024-01-31` for times unless it is told not to."""

    def __init__(self) -> None:
        self._known = pa.schema([])

    def read(self, block: bytes, lines: Lines) -> pa.RecordBatch | None:
        """Return the rows of a block, or None if Arrow cannot read it, or not each line as one row."""
        # No two objects can share a line, and none extends over two, if as many are found as lines with braces around.
        if not len(lines) or not lines.are_objects(block) or not _is_utf8(block):
            return None
        table = self._read(block)
        if table is not None and any(_has_times(type_) for type_ in table.schema.types):
            self._known = pa.schema([(one.name, text) for one in table.schema if (text := _as_text(one.type))])
            table = self._read(block)
        if table is None or len(table) != len(lines):
            return None
        batches = table.to_batches()
        return batches[0] if len(batches) == 1 else None

    def _read(self, block: bytes) -> pa.Table | None:
        try:
            return pa_json.read_json(
                pa.BufferReader(block),
                pa_json.ReadOptions(use_threads=False, block_size=len(block) + 1),
                pa_json.ParseOptions(explicit_schema=self._known if len(self._known) else None),
            )
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None


def _is_utf8(block: bytes) -> bool:
    try:
        return block.isascii() or bool(block.decode())
    except UnicodeDecodeError:
        return False


def _has_times(type_: pa.DataType) -> bool:
    if pa.types.is_struct(type_):
        return any(_has_times(one.type) for one in type_)
    return _has_times(type_.value_type) if pa.types.is_list(type_) else bool(pa.types.is_temporal(type_))


def _as_text(type_: pa.DataType) -> pa.DataType | None:
    """Return the type with text for times, and with nothing but text, or None if it has none."""
    if pa.types.is_struct(type_):
        fields = [(one.name, text) for one in type_ if (text := _as_text(one.type))]
        return pa.struct(fields) if fields else None
    if pa.types.is_list(type_):
        text = _as_text(type_.value_type)
        return None if text is None else pa.list_(text)
    return pa.string() if pa.types.is_temporal(type_) or pa.types.is_string(type_) else None


def _is_whole(column: pa.ListArray) -> bool:
    """Return whether lists have all their values: Arrow loses nulls before the first value of a block,
    see https://github.com/apache/arrow/issues/51305."""
    return not len(column) or bool(column.offsets[-1].as_py() <= len(column.values))


def _in_lists(column: pa.Array) -> pa.ListArray:
    """Return single values as lists of one, and nulls as null lists."""
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(~is_null)])
    return Lists(offsets, is_null, column).column(column.drop_null())


def _misfits(column: pa.Array, kind: Kind) -> list[tuple[int, str]]:
    """Return row and text of the values that are not of a kind; text that is such a number is of the kind."""
    if pa.types.is_list(column.type):
        lists = Lists.of(column)
        return [(lists.row_of(value), text) for value, text in _misfits(lists.values, kind)]
    found: Numbers = np.zeros(0, np.int64)
    if pa.types.is_string(column.type):
        found = misfits(column, kind)
    elif pa.types.is_floating(column.type) and kind is Kind.INT:
        values = column.fill_null(0).to_numpy()
        found = np.flatnonzero(~((values == np.floor(values)) & (np.abs(values) < _BEYOND)))
    return [(row, repr(column[row].as_py())) for row in found.tolist()]


def shapes_of_block(block: bytes, reader: ArrowReader, flatten: bool) -> Shapes:
    """Return what the good lines of a block show of the keys."""
    shapes, lines = Shapes(), Lines.of(block)
    batch = reader.read(block, lines)
    if batch is not None:
        shapes.add(shapes_of_schema(batch.schema, flatten))
        return shapes
    for start, end in zip(lines.starts.tolist(), lines.ends.tolist(), strict=True):
        try:
            shapes.add(shapes_of_objects([load(block[start:end], flatten)]))
        except NotARow:
            continue
    return shapes
