"""Rows of a data set as wholes: how many are equal, and a sample of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.run.profile import Duplicates, Sample, Value
from beam_taxi.statistics.profile.hashes import Hashes
from beam_taxi.statistics.profile.limits import DISTINCT_ROWS, Limits
from beam_taxi.statistics.profile.texts import printed

_LONGEST = 200
"""Bytes of a string that are kept in the sample."""


class RowHashes:
    """The smallest hashes of rows, with their counts."""

    def __init__(self, most: int = DISTINCT_ROWS) -> None:
        self._most = most
        self._hashes: Hashes = np.zeros(0, np.uint64)
        self._counts: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._rows = 0
        self._are_all = True

    def add(self, hashes: Hashes) -> None:
        """Add the hash of each row."""
        self._add(hashes, np.ones(len(hashes), np.int64))
        self._rows += len(hashes)

    def merge(self, other: RowHashes) -> None:
        """Add the rows of another."""
        self._are_all &= other._are_all
        self._add(other._hashes, other._counts)
        self._rows += other._rows

    def _add(self, hashes: Hashes, counts: npt.NDArray[np.int64]) -> None:
        if not self._are_all and len(self._hashes):
            is_small = hashes <= self._hashes[-1]
            hashes, counts = hashes[is_small], counts[is_small]
        merged = np.concatenate([self._hashes, hashes])
        if not len(merged):
            return
        order = np.argsort(merged, kind="stable")
        merged = merged[order]
        starts = np.flatnonzero(np.concatenate([[True], merged[1:] != merged[:-1]]))
        counts = np.add.reduceat(np.concatenate([self._counts, counts])[order], starts)
        self._are_all &= len(starts) <= self._most
        self._hashes, self._counts = merged[starts][: self._most], counts[: self._most]

    def duplicates(self) -> Duplicates:
        """Return how many rows repeat another, estimated if not all hashes were kept."""
        kept = int(self._counts.sum())
        repeated = kept - len(self._hashes)
        if self._are_all:
            return Duplicates(repeated)
        return Duplicates(round(self._rows * repeated / max(1, kept)), False)


class RowSample:
    """The rows with the smallest hashes, each once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._hashes: Hashes = np.zeros(0, np.uint64)
        self._rows: pa.RecordBatch | None = None

    def add(self, hashes: Hashes, rows: pa.RecordBatch) -> None:
        """Add rows of list columns."""
        most = self._limits.sampled
        candidates = np.arange(len(hashes))
        if len(self._hashes) == most:
            candidates = np.flatnonzero(hashes < self._hashes[-1])
        if len(candidates) > most:
            candidates = candidates[np.argpartition(hashes[candidates], most - 1)[:most]]
        if len(candidates):
            self._keep(hashes[candidates], _flat(rows.take(pa.array(candidates))))

    def merge(self, other: RowSample) -> None:
        """Add the rows of another sample."""
        if other._rows is not None:
            self._keep(other._hashes, other._rows)

    def _keep(self, hashes: Hashes, rows: pa.RecordBatch) -> None:
        known = rows[:0] if self._rows is None else self._rows
        hashes, first = np.unique(np.concatenate([self._hashes, hashes]), return_index=True)
        most = self._limits.sampled
        self._hashes = hashes[:most]
        self._rows = _concatenated(known, rows).take(pa.array(first[:most]))

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


def _concatenated(one: pa.RecordBatch, two: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows of both; a column without values in one of them has the type of the other."""
    columns = []
    for name in one.schema.names:
        parts = [one.column(one.schema.get_field_index(name)), two.column(two.schema.get_field_index(name))]
        kinds = {part.type for part in parts if part.null_count < len(part)} or {parts[0].type}
        kind = kinds.pop()
        columns.append(pa.concat_arrays([part if part.type == kind else pa.nulls(len(part), kind) for part in parts]))
    return pa.RecordBatch.from_arrays(columns, one.schema.names)


def _cell(value: object) -> Value | None:
    if isinstance(value, bytes):
        return printed(value)
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    assert value is None or isinstance(value, str | int | float)
    return value
