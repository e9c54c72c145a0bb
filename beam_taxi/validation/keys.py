"""Find rows with equal keys, one partition of the keys at a time: equal keys are in the same partition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.sources.reading import UnitBatch
from beam_taxi.sources.source import NO_GROUP, Place
from beam_taxi.tfexample.batches import select_columns
from beam_taxi.tfexample.split import encode_key
from beam_taxi.tfexample.tfrecord import record_checksums
from beam_taxi.validation.checks import UniqueCheck
from beam_taxi.validation.findings import Found, RowFindings, text_of

_PLACE = ("source", "group", "number", "split")
"""The last columns of a batch of keys; the others are those of the key."""


@dataclass
class KeysOfUnit:
    """The keys of a unit's rows, and where the rows are; rows in which part of the key is missing are skipped."""

    check: UniqueCheck
    _batches: list[pa.RecordBatch] = field(default_factory=list)

    def add(self, batch: UnitBatch, splits: npt.NDArray[np.uint8], kept: npt.NDArray[np.bool_]) -> None:
        """Add the kept rows of a batch."""
        columns = select_columns(batch.rows, self.check.key)
        present = kept.copy()
        for column in columns.columns:
            present &= column.is_valid().to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(present)
        places = [pa.array(one) for one in (*batch.numbers_of(rows), splits[rows])]
        names = [*self.check.key, *_PLACE]
        self._batches.append(
            pa.RecordBatch.from_arrays([*columns.filter(pa.array(present)).columns, *places], names=names)
        )

    def partitions(self, count: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the partitions by number, without the empty ones: the columns of the key, then `_PLACE`."""
        for batch in _joined(self._batches):
            partition = record_checksums(_encoded(batch)) % np.uint32(count)
            order = np.argsort(partition, kind="stable")
            edges = np.searchsorted(partition[order], np.arange(count + 1))
            ordered = batch.take(pa.array(order))
            for number in np.flatnonzero(np.diff(edges)).tolist():
                yield number, ordered.slice(edges[number], edges[number + 1] - edges[number])


def duplicates(batches: Iterable[pa.RecordBatch], rule: int, most: int) -> RowFindings:
    """Return the rows of a partition whose key occurs more than once; `rule` is the number of the check."""
    found = RowFindings(most)
    for batch in _joined(list(batches)):
        codes = _encoded(batch).dictionary_encode().indices.to_numpy()
        rows = batch.take(pa.array(np.flatnonzero(np.bincount(codes)[codes] > 1)))
        source, group, number, split = (column.to_numpy() for column in rows.columns[-len(_PLACE) :])
        order = np.lexsort((number, group, source))
        for one in np.unique(split).tolist():
            mine = order[split[order] == one]
            found.counts[rule, one] = len(mine)
            found.first[rule, one] = [_found(rows.slice(row, 1)) for row in mine[:most].tolist()]
    return found


def _joined(batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Return the batches as one, or none if there are no rows."""
    if not batches:
        return []
    joined: list[pa.RecordBatch] = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return joined


def _encoded(batch: pa.RecordBatch) -> pa.BinaryArray:
    """Return the key of each row as bytes, equal only for equal keys."""
    return encode_key([with_one_form(column) for column in batch.columns[: -len(_PLACE)]])


def with_one_form(column: pa.Array) -> pa.Array:
    """Return values, none of them null, so that equal ones have equal bytes: floats have two zeros and many NaNs."""
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(np.nan, column.type), pc.add(column, pa.scalar(0.0, column.type)))


def _found(row: pa.RecordBatch) -> Found:
    source, group, number, _ = (column[0].as_py() for column in row.columns[-len(_PLACE) :])
    key = zip(row.schema.names[: -len(_PLACE)], row.columns, strict=False)
    place = Place(None if group == NO_GROUP else group, number)
    return Found(source, place, tuple((name, text_of(column[0].as_py())) for name, column in key))
