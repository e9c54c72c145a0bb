"""Counts of the columns and rows of a data set, which is a split or a slice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from beam_taxi.run.profile import STRING, DatasetProfile, FeatureProfile, Lengths, Values
from beam_taxi.statistics.profile.hashes import Hashes, add_column, hash_values, mix
from beam_taxi.statistics.profile.limits import Limits
from beam_taxi.statistics.profile.numbers import NumberCounts
from beam_taxi.statistics.profile.rows import RowHashes, RowSample
from beam_taxi.statistics.profile.texts import TextCounts
from beam_taxi.statistics.relations import relations

_PENDING_ROWS = 1 << 16
_PENDING_BYTES = 64 << 20
_PENDING_BYTES_OF_SLICE = 1 << 20
"""Batches are counted together up to these sizes, since each has costs of its own for each column."""


class ColumnCounts:
    """Counts of one column: rows with a value, values, and what they are."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._present = 0
        self._values = 0
        self._shortest, self._longest = 0, 0
        self._counts: NumberCounts | TextCounts | None = None

    def add(self, column: pa.Array, rows: Hashes | None) -> Hashes | None:
        """Add a list column; return the hashes of the rows with it, if those of the columns before are given."""
        if pa.types.is_null(column.type):
            return None if rows is None else add_column(rows, np.zeros(0, np.uint64), np.zeros(len(column), np.int64))
        lengths = column.value_lengths().fill_null(0).to_numpy().astype(np.int64)
        present = int(np.count_nonzero(lengths))
        self._present += present
        if present:
            self._add_lengths(int(lengths.min(where=lengths > 0, initial=lengths.max())), int(lengths.max()))
        values = column.flatten()
        self._values += len(values)
        encoded = values.dictionary_encode()
        codes, distinct = encoded.indices.to_numpy(), encoded.dictionary
        hashes = hash_values(distinct)
        if len(distinct):
            if self._counts is None:
                self._counts = _counts_of(distinct.type, self._limits)
            self._counts.add(distinct, np.bincount(codes, minlength=len(distinct)), hashes)
        if rows is None:
            return None
        has_empty = len(column) - column.null_count > present
        empty = column.is_valid().to_numpy(zero_copy_only=False) & (lengths == 0) if has_empty else None
        return add_column(rows, hashes[codes], lengths, empty)

    def _add_lengths(self, shortest: int, longest: int) -> None:
        self._shortest = min(self._shortest or shortest, shortest)
        self._longest = max(self._longest, longest)

    def merge(self, other: ColumnCounts) -> None:
        """Add the counts of another part of the column."""
        self._present += other._present
        if other._present:
            self._add_lengths(other._shortest, other._longest)
        self._values += other._values
        if self._counts is None:
            self._counts = other._counts
        elif other._counts is not None:
            # A column has one type.
            self._counts.merge(other._counts)  # type: ignore[arg-type]

    def profile(self) -> FeatureProfile:
        """Return the counts for the profile."""
        if self._counts is None:
            return FeatureProfile(STRING, 0, 0, counts=Values((), True))
        found = self._counts.profile(self._present, self._values)
        if found.type == STRING or self._longest == 1:
            return found
        return replace(found, length=Lengths(self._shortest, self._values / self._present, self._longest))


def _counts_of(kind: pa.DataType, limits: Limits) -> NumberCounts | TextCounts:
    return TextCounts(limits) if pa.types.is_string(kind) or pa.types.is_binary(kind) else NumberCounts(limits)


class DatasetCounts:
    """Counts of all columns, and of the rows unless it is a slice. Batches have list columns, as TFDV takes them.

    counts = DatasetCounts()
    counts.add(batch)
    counts.profile("train").features["fare"].mean
    """

    def __init__(self) -> None:
        self._is_slice = False
        self._limits: Limits | None = None
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._pending_bytes = 0
        self._rows = 0
        self._columns: dict[str, ColumnCounts] = {}
        self._hashes = RowHashes()
        self._sample: RowSample | None = None

    def add(self, batch: pa.RecordBatch, is_slice: bool = False) -> None:
        """Add rows; those of slices are counted, but neither compared nor sampled."""
        self._is_slice = is_slice
        self._pending.append(batch)
        self._pending_rows += len(batch)
        self._pending_bytes += batch.nbytes
        most = _PENDING_BYTES_OF_SLICE if is_slice else _PENDING_BYTES
        if self._pending_rows >= _PENDING_ROWS or self._pending_bytes >= most:
            self.compact()

    def merge(self, other: DatasetCounts) -> None:
        """Add the counts of other rows."""
        self.compact()
        other.compact()
        self._rows += other._rows
        for name, column in other._columns.items():
            if name in self._columns:
                self._columns[name].merge(column)
            else:
                self._columns[name] = column
        self._hashes.merge(other._hashes)
        self._limits = self._limits or other._limits
        if self._sample is None:
            self._sample = other._sample
        elif other._sample is not None:
            self._sample.merge(other._sample)

    def compact(self) -> None:
        """Count the rows that were added since the last call."""
        if not self._pending:
            return
        table = pa.Table.from_batches(self._pending)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        names = sorted(table.schema.names)
        if self._limits is None:
            self._limits = Limits.for_columns(len(names), self._is_slice)
            self._sample = None if self._is_slice else RowSample(self._limits)
        hashes = None if self._is_slice else np.zeros(len(table), np.uint64)
        columns = {name: table.column(name).combine_chunks() for name in names}
        for name, column in columns.items():
            counts = self._columns.setdefault(name, ColumnCounts(self._limits))
            hashes = counts.add(column, hashes)
        self._rows += len(table)
        if self._sample is not None and hashes is not None:
            hashes = mix(hashes)
            self._hashes.add(hashes)
            self._sample.add(hashes, pa.RecordBatch.from_arrays(list(columns.values()), names))

    def profile(self, split: str, slice_key: str = "", label: str | None = None) -> DatasetProfile:
        """Return the counts for the profile."""
        self.compact()
        features = {name: column.profile() for name, column in sorted(self._columns.items())}
        if self._sample is None:
            return DatasetProfile(split, self._rows, features, slice_key)
        rows = self._sample.rows()
        return DatasetProfile(
            split,
            self._rows,
            features,
            slice_key,
            self._hashes.duplicates(),
            relations(rows, label) if rows is not None else (),
            self._sample.sample(),
        )
