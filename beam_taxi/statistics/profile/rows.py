"""Rows of a data set as wholes: how many are equal, and a sample of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.run.profile import FLOAT, Duplicates, Sample, Value
from beam_taxi.statistics.profile.hashes import Hashes
from beam_taxi.statistics.profile.limits import DISTINCT_ROWS, Limits
from beam_taxi.statistics.profile.texts import printed

_LONGEST = 200
"""Bytes of a string that are kept in the sample."""


class RowHashes:
    """The smallest hashes of rows, with their counts."""

    def __init__(self, most: int = DISTINCT_ROWS) -> None:
        self._most = most
        self.hashes: Hashes = np.zeros(0, np.uint64)
        self.counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.rows = 0
        self.are_all = True

    def add(self, hashes: Hashes) -> None:
        """Add the hash of each row."""
        self._add(hashes, np.ones(len(hashes), np.int64))
        self.rows += len(hashes)

    def merge(self, other: RowHashes) -> None:
        """Add the rows of another."""
        self.are_all &= other.are_all
        self._add(other.hashes, other.counts)
        self.rows += other.rows

    def _add(self, hashes: Hashes, counts: npt.NDArray[np.int64]) -> None:
        if not self.are_all and len(self.hashes):
            is_small = hashes <= self.hashes[-1]
            hashes, counts = hashes[is_small], counts[is_small]
        merged = np.concatenate([self.hashes, hashes])
        if not len(merged):
            return
        order = np.argsort(merged, kind="stable")
        merged = merged[order]
        starts = np.flatnonzero(np.concatenate([[True], merged[1:] != merged[:-1]]))
        counts = np.add.reduceat(np.concatenate([self.counts, counts])[order], starts)
        self.are_all &= len(starts) <= self._most
        self.hashes, self.counts = merged[starts][: self._most], counts[: self._most]

    def duplicates(self) -> Duplicates:
        """Return how many rows repeat another, estimated if not all hashes were kept."""
        kept = int(self.counts.sum())
        repeated = kept - len(self.hashes)
        if self.are_all:
            return Duplicates(repeated)
        return Duplicates(round(self.rows * repeated / max(1, kept)), False)


class RowSample:
    """The rows with the smallest hashes, each once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.hashes: Hashes = np.zeros(0, np.uint64)
        self._rows: pa.RecordBatch | None = None

    def add(self, hashes: Hashes, rows: pa.RecordBatch) -> None:
        """Add rows of list columns."""
        most = self._limits.sampled
        candidates = np.arange(len(hashes))
        if len(self.hashes) == most:
            candidates = np.flatnonzero(hashes < self.hashes[-1])
        if len(candidates) > most:
            # Equal rows must not take the places of others.
            candidates = candidates[np.unique(hashes[candidates], return_index=True)[1][:most]]
        if len(candidates):
            self._keep(hashes[candidates], _flat(rows.take(pa.array(candidates))))

    def merge(self, other: RowSample) -> None:
        """Add the rows of another sample, which may have other columns."""
        if other._rows is not None:
            self._keep(other.hashes, other._rows)

    @staticmethod
    def of(limits: Limits, hashes: Hashes, rows: pa.RecordBatch) -> RowSample:
        """Return the sample of these rows, as flat columns, in the order of their hashes."""
        found = RowSample(limits)
        found.hashes, found._rows = hashes, rows
        return found

    def limit(self, limits: Limits) -> None:
        """Keep no more than these limits allow."""
        self._limits = limits
        self.hashes = self.hashes[: limits.sampled]
        self._rows = None if self._rows is None else self._rows[: limits.sampled]

    def _keep(self, hashes: Hashes, rows: pa.RecordBatch) -> None:
        known = rows[:0] if self._rows is None else self._rows
        known, rows = _with_columns(known, rows), _with_columns(rows, known)
        hashes, first = np.unique(np.concatenate([self.hashes, hashes]), return_index=True)
        most = self._limits.sampled
        self.hashes = hashes[:most]
        self._rows = _concatenated(known, rows).take(pa.array(first[:most]))

    def set_types(self, types: Mapping[str, str | None]) -> None:
        """Add the columns that are missing, and make floats of integers where a column has floats."""
        if self._rows is None:
            return
        other = pa.RecordBatch.from_arrays([pa.nulls(0) for _ in types], list(types))
        rows = _with_columns(self._rows, other)
        columns = [
            one.cast(pa.float32()) if types.get(name) == FLOAT and pa.types.is_integer(one.type) else one
            for name, one in zip(rows.schema.names, rows.columns, strict=True)
        ]
        self._rows = pa.RecordBatch.from_arrays(columns, rows.schema.names)

    def rows(self) -> pa.RecordBatch | None:
        """Return the rows, as flat columns, in the order of their hashes."""
        return self._rows

    def sample(self) -> Sample | None:
        """Return the first rows of the sample, or None if there are none."""
        return None if self._rows is None else _sample(self._rows[: self._limits.shown])


def sample_of(rows: pa.RecordBatch) -> Sample:
    """Return a few rows of list columns as they are shown."""
    return _sample(_flat(rows))


def _sample(rows: pa.RecordBatch) -> Sample:
    columns = [[_cell(value) for value in column.to_pylist()] for column in rows.columns]
    return Sample(tuple(rows.schema.names), tuple(zip(*columns, strict=True)))


def _flat(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return the first value of each list, or null; long strings are cut."""
    return pa.RecordBatch.from_arrays([_first(column) for column in rows.columns], rows.schema.names)


def _first(column: pa.Array) -> pa.Array:
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.string())
    values = column.flatten()
    lengths = column.value_lengths().fill_null(0).to_numpy()
    starts = pa.array(np.cumsum(lengths) - lengths, mask=lengths == 0)
    taken = values.take(starts)
    if pa.types.is_string(taken.type) or pa.types.is_binary(taken.type):
        return pa.array([one if one is None else one[:_LONGEST] for one in taken.to_pylist()], taken.type)
    return taken


def _with_columns(one: pa.RecordBatch, two: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows of the first with the columns of both, by name."""
    if one.schema.names == two.schema.names:
        return one
    names = sorted({*one.schema.names, *two.schema.names})
    indices = [one.schema.get_field_index(name) for name in names]
    columns = [pa.nulls(len(one), pa.string()) if index < 0 else one.column(index) for index in indices]
    return pa.RecordBatch.from_arrays(columns, names)


def _concatenated(one: pa.RecordBatch, two: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows of both; a column without values in one of them has the type of the other."""
    columns = []
    for name in one.schema.names:
        parts = [one.column(one.schema.get_field_index(name)), two.column(two.schema.get_field_index(name))]
        kinds = {part.type for part in parts if part.null_count < len(part)} or {parts[0].type}
        kind = kinds.pop() if len(kinds) == 1 else _common(kinds)
        columns.append(pa.concat_arrays([_of_type(part, kind) for part in parts]))
    return pa.RecordBatch.from_arrays(columns, one.schema.names)


def _common(kinds: Collection[pa.DataType]) -> pa.DataType:
    """Return one type for several: integers of one run may be floats in another, and strings are stored as bytes."""
    are_texts = all(pa.types.is_string(kind) or pa.types.is_binary(kind) for kind in kinds)
    return pa.binary() if are_texts else pa.float32()


def _of_type(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.null_count == len(column) and column.type != kind:
        return pa.nulls(len(column), kind)
    return column.cast(kind, safe=False)


def _cell(value: object) -> Value | None:
    if isinstance(value, bytes):
        return printed(value)
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    assert value is None or isinstance(value, str | int | float)
    return value
