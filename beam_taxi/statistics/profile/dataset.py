"""Counts of the columns and rows of a data set, which is a split or a slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.run.profile import FLOAT, INT, STRING, DatasetProfile, FeatureProfile, Lengths, Values
from beam_taxi.statistics.profile.bins import EMPTY, Bins
from beam_taxi.statistics.profile.hashes import Hashes, add_column, hash_values, mix, seeded
from beam_taxi.statistics.profile.limits import Limits
from beam_taxi.statistics.profile.numbers import NumberCounts
from beam_taxi.statistics.profile.rows import RowHashes, RowSample
from beam_taxi.statistics.profile.texts import TextCounts
from beam_taxi.statistics.relations import relations

_PENDING_ROWS = 1 << 16
_PENDING_BYTES = 64 << 20
_PENDING_BYTES_OF_SLICE = 1 << 20
"""Batches are counted together up to these sizes, since each has costs of its own for each column."""


_LENGTHS = 512
"""Different lengths of lists that are counted."""

_FREQUENT = 20
"""Frequent values that are listed where there are too many to count."""


@dataclass
class Rows:
    """How many rows of a column have a list without values, one of a single value, and one of more, by their number.

    All other rows miss the column. `shortest` and `longest` are numbers of values, of rows that have some.
    """

    empty: int = 0
    single: int = 0
    longer: Bins = EMPTY
    values: int = 0
    shortest: int = 0
    longest: int = 0

    @property
    def present(self) -> int:
        """The rows that have values."""
        return self.single + self.longer.total

    def add(self, lengths: npt.NDArray[np.int64], missing: int) -> None:
        """Add rows by their numbers of values, of which `missing` miss the column."""
        present, single = int(np.count_nonzero(lengths)), int(np.count_nonzero(lengths == 1))
        found = Rows(len(lengths) - missing - present, single, EMPTY, int(lengths.sum()))
        if present:
            found.longest = int(lengths.max())
            found.shortest = int(lengths.min(where=lengths > 0, initial=found.longest))
        if present > single:
            found.longer = Bins.of(*np.unique(lengths[lengths > 1], return_counts=True))
        self.merge(found)

    def merge(self, other: Rows) -> None:
        """Add other rows."""
        self.empty += other.empty
        self.single += other.single
        self.values += other.values
        if other.longer.total:
            self.longer = self.longer.merged(other.longer, _LENGTHS)
        if other.longest:
            self.shortest = min(self.shortest or other.shortest, other.shortest)
            self.longest = max(self.longest, other.longest)


class ColumnCounts:
    """Counts of one column: rows with a value, values, and what they are."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.rows = Rows()
        self.type: str | None = None
        """The type of the values, None if it is not known, since there are none."""
        self.counts: NumberCounts | TextCounts | None = None

    def add(self, column: pa.Array, name: str, rows: Hashes | None) -> Hashes | None:
        """Add a list column; return the hashes of the rows with it, if those of the columns before are given."""
        if pa.types.is_null(column.type):
            return rows
        lengths = column.value_lengths().fill_null(0).to_numpy().astype(np.int64)
        self.rows.add(lengths, column.null_count)
        values = column.flatten()
        self.type = self.type or _type_of(values.type)
        encoded = values.dictionary_encode()
        codes, distinct = encoded.indices.to_numpy(), encoded.dictionary
        hashes = hash_values(distinct)
        if len(distinct):
            if self.counts is None:
                self.counts = _counts_of(self.type, self._limits)
            self.counts.add(distinct, np.bincount(codes, minlength=len(distinct)), hashes)
        if rows is None:
            return None
        has_empty = len(column) - column.null_count > np.count_nonzero(lengths)
        empty = column.is_valid().to_numpy(zero_copy_only=False) & (lengths == 0) if has_empty else None
        return add_column(rows, name, seeded(hashes, name)[codes], lengths, empty)

    def merge(self, other: ColumnCounts) -> None:
        """Add the counts of another part of the column, which may be of integers where this is of floats."""
        self.rows.merge(other.rows)
        self.type = FLOAT if {self.type, other.type} == {INT, FLOAT} else self.type or other.type
        if self.counts is None:
            self.counts = other.counts
        elif other.counts is not None:
            # A column has one type, or two types of numbers.
            self.counts.merge(other.counts)  # type: ignore[arg-type]

    def limit(self, limits: Limits) -> None:
        """Keep no more than these limits allow."""
        if limits == self._limits:
            return
        self._limits = limits
        if self.counts is not None:
            self.counts.limit(limits)

    @property
    def largest(self) -> int:
        """The largest absolute value, if the column has integers."""
        found = self.counts
        if not isinstance(found, NumberCounts) or not found.bins.total:
            return 0
        return max(-int(found.bins.lows[0]), int(found.bins.highs[-1]))

    def set_type(self, type_: str) -> None:
        """Set the type of a column without values, or take integers for the floats that they are."""
        self.type = type_
        if type_ == FLOAT and isinstance(self.counts, NumberCounts):
            self.counts.to_floats()

    def profile(self, with_frequent: bool = False) -> FeatureProfile:
        """Return the counts for the profile; see `DatasetCounts.profile`."""
        rows = self.rows
        if self.counts is None:
            return FeatureProfile(STRING, 0, 0, counts=Values((), True))
        found = self.counts.profile(rows.present, rows.values)
        if with_frequent and isinstance(self.counts, TextCounts) and self.counts.distinct is not None:
            found = replace(found, counts=self.counts.frequent(_FREQUENT))
        if found.type == STRING or rows.longest == 1:
            return found
        return replace(found, length=Lengths(rows.shortest, rows.values / rows.present, rows.longest))


def _type_of(kind: pa.DataType) -> str:
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return STRING
    return INT if pa.types.is_integer(kind) else FLOAT


def _counts_of(type_: str, limits: Limits) -> NumberCounts | TextCounts:
    return TextCounts(limits) if type_ == STRING else NumberCounts(limits)


class DatasetCounts:
    """Counts of all columns, and of the rows unless it is a slice. Batches have list columns, as TFDV takes them.

    counts = DatasetCounts()
    counts.add(batch)
    counts.profile("train").features["fare"].mean
    """

    def __init__(self) -> None:
        self.is_slice = False
        self._limits: Limits | None = None
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._pending_bytes = 0
        self.rows = 0
        self.columns: dict[str, ColumnCounts] = {}
        self.hashes = RowHashes()
        self.sample: RowSample | None = None
        self._forgets_rows = False

    @staticmethod
    def empty(limits: Limits, is_slice: bool) -> DatasetCounts:
        """Return counts that keep no more than these limits allow."""
        found = DatasetCounts()
        found.is_slice, found._limits = is_slice, limits
        found.sample = None if is_slice else RowSample(limits)
        return found

    @property
    def compares_rows(self) -> bool:
        """Whether the hashes and the sample of the rows are kept."""
        return not (self.is_slice or self._forgets_rows)

    def forget_rows(self) -> None:
        """Keep no hashes and no sample of the rows, also of those that are merged into these."""
        self._forgets_rows, self.hashes, self.sample = True, RowHashes(), None

    def add(self, batch: pa.RecordBatch, is_slice: bool = False) -> None:
        """Add rows; those of slices are counted, but neither compared nor sampled."""
        self.is_slice = is_slice
        self._pending.append(batch)
        self._pending_rows += len(batch)
        self._pending_bytes += batch.nbytes
        most = _PENDING_BYTES_OF_SLICE if is_slice else _PENDING_BYTES
        if self._pending_rows >= _PENDING_ROWS or self._pending_bytes >= most:
            self.compact()

    def merge(self, other: DatasetCounts) -> None:
        """Add the counts of other rows, which may have other columns."""
        self.compact()
        other.compact()
        self.is_slice |= other.is_slice
        self.rows += other.rows
        for name, column in other.columns.items():
            if name in self.columns:
                self.columns[name].merge(column)
            else:
                self.columns[name] = column
        self._merge_rows(other)
        self._limits = self._limits or other._limits
        if self.columns:
            self._limit(Limits.for_columns(len(self.columns), self.is_slice))

    def set_types(self, types: Mapping[str, str | None]) -> None:
        """Set the types of columns, which are all of the data set, also those without values here; None is no type.

        The columns may have fewer types than these: integers may be floats, and no values may be of any type.
        """
        self.compact()
        if self._limits is None:
            return
        limits = Limits.for_columns(len(types), self.is_slice)
        for name, type_ in types.items():
            column = self.columns.setdefault(name, ColumnCounts(limits))
            if type_ is not None:
                column.set_type(type_)
        self._limit(limits)
        if self.sample is not None:
            self.sample.set_types(types)

    def _merge_rows(self, other: DatasetCounts) -> None:
        if self._forgets_rows or other._forgets_rows:
            self.forget_rows()
            return
        self.hashes.merge(other.hashes)
        if self.sample is None:
            self.sample = other.sample
        elif other.sample is not None:
            self.sample.merge(other.sample)

    def _limit(self, limits: Limits) -> None:
        """Keep no more than these limits, those of the columns of both parts, allow."""
        self._limits = limits
        for column in self.columns.values():
            column.limit(limits)
        if self.sample is not None:
            self.sample.limit(limits)

    def compact(self) -> None:
        """Count the rows that were added since the last call."""
        if not self._pending:
            return
        table = pa.Table.from_batches(self._pending)
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        names = sorted(table.schema.names)
        if self._limits is None:
            self._limits = Limits.for_columns(len(names), self.is_slice)
            self.sample = None if self.is_slice else RowSample(self._limits)
        hashes = None if self.is_slice else np.zeros(len(table), np.uint64)
        columns = {name: table.column(name).combine_chunks() for name in names}
        for name, column in columns.items():
            counts = self.columns.setdefault(name, ColumnCounts(self._limits))
            hashes = counts.add(column, name, hashes)
        self.rows += len(table)
        if self.sample is not None and hashes is not None:
            hashes = mix(hashes)
            self.hashes.add(hashes)
            self.sample.add(hashes, pa.RecordBatch.from_arrays(list(columns.values()), names))

    def profile(
        self, split: str, slice_key: str = "", label: str | None = None, with_frequent: bool = False
    ) -> DatasetProfile:
        """Return the counts for the profile.

        `with_frequent` lists the frequent strings of columns with too many to count, with the error of their counts.
        """
        self.compact()
        features = {name: column.profile(with_frequent) for name, column in sorted(self.columns.items())}
        if self.sample is None:
            return DatasetProfile(split, self.rows, features, slice_key)
        rows = self.sample.rows()
        return DatasetProfile(
            split,
            self.rows,
            features,
            slice_key,
            self.hashes.duplicates(),
            relations(rows, label) if rows is not None else (),
            self.sample.sample(),
        )
