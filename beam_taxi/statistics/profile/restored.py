"""Read the counts of a data set from the file that `stored.write_counts` wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from beam_taxi.errors import UsageError
from beam_taxi.run.profile import STRING
from beam_taxi.statistics.profile.bins import EMPTY, Bins
from beam_taxi.statistics.profile.dataset import ColumnCounts, DatasetCounts, Rows
from beam_taxi.statistics.profile.distinct import DistinctHashes
from beam_taxi.statistics.profile.limits import Limits
from beam_taxi.statistics.profile.numbers import NumberCounts
from beam_taxi.statistics.profile.rows import RowHashes, RowSample
from beam_taxi.statistics.profile.stored import COLUMNS, IS_SLICE, ROWS, SCHEMA, SKETCHES_VERSION, VERSION
from beam_taxi.statistics.profile.texts import TextCounts


def read_counts(file: BinaryIO | pa.NativeFile) -> DatasetCounts:
    """Return the counts that `write_counts` wrote. Raises UsageError, which says what is wrong."""
    try:
        parquet = pq.ParquetFile(file)
        about = parquet.schema_arrow.metadata or {}
        if about.get(VERSION) != str(SKETCHES_VERSION).encode():
            found = about.get(VERSION, b"none").decode(errors="replace")
            raise UsageError(f"sketches of version {found}; this release of beam_taxi reads version {SKETCHES_VERSION}")
        return _read(parquet, about)
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"not a valid file of sketches: {error}") from error


def _read(parquet: pq.ParquetFile, about: Mapping[bytes, bytes]) -> DatasetCounts:
    is_slice = about[IS_SLICE] == b"1"
    limits = Limits.for_columns(int(about[COLUMNS]), is_slice)
    counts = DatasetCounts.empty(limits, is_slice)
    counts.rows = int(about[ROWS])
    sample: dict[str, pa.Array | None] = {}
    hashes: npt.NDArray[np.uint64] | None = None
    for record in _stored_records(parquet):
        name = record.text("column")
        if name is None:
            hashes = record.hashes("sample_hashes") if record.has("sample_hashes") else None
            counts.hashes = _row_hashes(record, counts.rows)
            continue
        counts.columns[name] = _column_counts(record, limits)
        sample[name] = record.sample()
    if hashes is None:
        counts.forget_rows()
    elif len(hashes):
        counts.sample = RowSample.of(limits, hashes, _sample(sample, len(hashes)))
    return counts


def _sample(columns: Mapping[str, pa.Array | None], rows: int) -> pa.RecordBatch:
    arrays = [pa.nulls(rows, pa.string()) if one is None else one for one in columns.values()]
    return pa.RecordBatch.from_arrays(arrays, list(columns))


def _row_hashes(record: _StoredRecord, rows: int) -> RowHashes:
    found = RowHashes()
    found.hashes, found.counts = record.hashes("row_hashes"), record.integers("row_counts")
    found.rows, found.are_all = rows, record.flag("all_rows")
    return found


def _column_counts(record: _StoredRecord, limits: Limits) -> ColumnCounts:
    column = ColumnCounts(limits)
    column.type = record.text("type")
    column.rows = Rows(
        record.integer("empty"),
        record.integer("single"),
        _bins(record.integers("longer"), record.integers("longer_counts")),
        record.integer("values"),
        record.integer("shortest"),
        record.integer("longest"),
    )
    if column.rows.values and column.type == STRING:
        column.counts = _texts(record, column.rows.values, limits)
    elif column.rows.values:
        column.counts = _numbers(record, str(column.type), limits)
    return column


def _numbers(record: _StoredRecord, type_: str, limits: Limits) -> NumberCounts:
    found = NumberCounts(limits)
    found.type = type_
    found.zeros, found.nan = record.integer("zeros"), record.integer("nan")
    found.above, found.below = record.integer("above"), record.integer("below")
    pivots = [name for name in ("pivot_int", "pivot_float") if record.has(name)]
    if not pivots:
        return found
    found.pivot = record.integer("pivot_int") if pivots == ["pivot_int"] else record.number("pivot_float")
    found.offset, found.squares = record.number("offset"), record.number("squares")
    kind = "int" if record.has("int_lows") else "float"
    lows = record.integers("int_lows") if kind == "int" else record.floats("float_lows")
    highs = record.integers("int_highs") if kind == "int" else record.floats("float_highs")
    has_highs = record.has(f"{kind}_highs")
    found.bins = Bins.stored(record.integer("shift"), record.integers("counts"), lows, highs if has_highs else lows)
    found.distinct = DistinctHashes.of(record.hashes("hashes")) if record.has("hashes") else None
    return found


def _texts(record: _StoredRecord, total: int, limits: Limits) -> TextCounts:
    found = TextCounts(limits)
    found.total, found.bytes = total, record.integer("text_bytes")
    found.lengths = record.integer("shortest_text"), record.integer("longest_text")
    is_complete = record.has("texts") and not record.has("hashes")
    if record.has("texts"):
        found.values, found.counts = record.values("texts"), record.integers("text_counts")
        found.error = record.integer("text_error")
    if not is_complete:
        # Of a redacted column, no values and no hashes are known.
        found.distinct = DistinctHashes.of(record.hashes("hashes"))
        for name in found.looks.counts:
            found.looks.counts[name] = record.integer(name)
        examples = {name: record.raw(f"{name}_example") for name in ("padded", "numbers")}
        found.looks.examples = {name: one for name, one in examples.items() if one is not None}
    return found


def _bins(values: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> Bins:
    return Bins.of(values, counts) if len(values) else EMPTY


class _StoredRecord:
    """A record of a file."""

    def __init__(self, batch: pa.RecordBatch, row: int) -> None:
        self._batch = batch
        self._row = row

    def _cell(self, name: str) -> pa.Scalar:
        return self._batch.column(self._batch.schema.get_field_index(name))[self._row]

    def text(self, name: str) -> str | None:
        found: str | None = self._cell(name).as_py()
        return found

    def raw(self, name: str) -> bytes | None:
        found: bytes | None = self._cell(name).as_py()
        return found

    def integer(self, name: str) -> int:
        return int(self._cell(name).as_py() or 0)

    def number(self, name: str) -> float:
        return float(self._cell(name).as_py() or 0.0)

    def has(self, name: str) -> bool:
        return bool(self._cell(name).is_valid)

    def values(self, name: str) -> pa.Array:
        return self._cell(name).values

    def flag(self, name: str) -> bool:
        return bool(self._cell(name).as_py())

    def integers(self, name: str) -> npt.NDArray[np.int64]:
        return self._array(name, np.int64)

    def floats(self, name: str) -> npt.NDArray[np.float64]:
        return self._array(name, np.float64)

    def hashes(self, name: str) -> npt.NDArray[np.uint64]:
        return self._array(name, np.uint64)

    def _array(self, name: str, kind: type[np.generic]) -> npt.NDArray[Any]:
        found = self._cell(name).values
        return np.zeros(0, kind) if found is None else found.to_numpy(zero_copy_only=False)

    def sample(self) -> pa.Array | None:
        found = [name for name in ("sample_ints", "sample_floats", "sample_texts") if self.has(name)]
        return self.values(found[0]) if found else None


def _stored_records(parquet: pq.ParquetFile) -> Iterator[_StoredRecord]:
    for group in range(parquet.num_row_groups):
        for batch in parquet.read_row_group(group, columns=SCHEMA.names).to_batches():
            yield from (_StoredRecord(batch, row) for row in range(len(batch)))
