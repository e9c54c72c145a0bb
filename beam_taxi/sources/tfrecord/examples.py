"""Serialized tf.Examples as columns, by the decoder of TFX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from beam_taxi.sources.arrow.columns import Column, kind_of
from beam_taxi.sources.arrow.lists import Lists
from beam_taxi.sources.look import Look

_KINDS = {pa.int64(): "int64_list", pa.float32(): "float_list", pa.large_binary(): "bytes_list"}


class NotAnExample(Exception):
    """A record cannot be taken: its number among the records, from 0, and the reason."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row


@dataclass
class ExampleDecoder:
    """Decodes records to columns. The lists of each feature must have one type, that of `types` if it is there."""

    types: Mapping[str, pa.DataType] = field(default_factory=dict)

    @cached_property
    def _decoder(self) -> Any:
        # The library takes a moment to load, and only these files need it.
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        return ExamplesToRecordBatchDecoder()

    def decode(self, records: Sequence[bytes]) -> pa.RecordBatch:
        """Return a column of lists for each feature, by name. Raises NotAnExample."""
        try:
            batch = self._decoder.DecodeBatch(records)
        except (RuntimeError, UnicodeDecodeError) as error:
            self._find_fault(records)
            raise NotAnExample(0, f"cannot be decoded: {error}") from error
        if any(self._is_other(one.name, one.type) for one in batch.schema):
            self._find_fault(records)
        return batch

    def _is_other(self, name: str, type_: pa.DataType) -> bool:
        known = self.types.get(name)
        return known is not None and not pa.types.is_null(type_) and type_.value_type != known

    def _find_fault(self, records: Sequence[bytes]) -> None:
        """Raise NotAnExample for the first record that does not fit those before."""
        known = dict(self.types)
        for row, record in enumerate(records):
            try:
                schema = self._decoder.DecodeBatch([record]).schema
            except (RuntimeError, UnicodeDecodeError) as error:
                raise NotAnExample(row, "is not a tf.Example, or has a feature whose name is not UTF-8") from error
            for one in schema:
                if pa.types.is_null(one.type):
                    continue
                before = known.setdefault(one.name, one.type.value_type)
                if before != one.type.value_type:
                    kinds = _KINDS[one.type.value_type], _KINDS[before]
                    raise NotAnExample(
                        row, f"feature {one.name!r} has values in {kinds[0]}, but in {kinds[1]} in earlier records"
                    )


def are_single(column: pa.Array) -> bool:
    """Return whether no list of a column is empty or has several values."""
    if pa.types.is_null(column.type):
        return True
    lengths = column.value_lengths().drop_null().to_numpy()
    return bool((lengths == 1).all())


@dataclass(frozen=True)
class ExampleColumns:
    """The wanted columns of decoded records; `wanted` has their names by those of the features in the file."""

    look: Look
    wanted: Mapping[str, str]

    def of(self, batch: pa.RecordBatch) -> Iterator[tuple[Column, pa.Array]]:
        """Yield the columns that a batch has, of lists only where that is known. Raises NotAnExample."""
        for name, lists in zip(batch.schema.names, batch.columns, strict=True):
            is_null = pa.types.is_null(lists.type)
            if self.look.is_new(name) and not is_null:
                row = int(np.argmax(lists.is_valid().to_numpy(zero_copy_only=False)))
                raise NotAnExample(row, self.look.new_fault(f"the feature {name!r}"))
            if name not in self.wanted or is_null:
                continue
            has_lists = name in self.look.with_lists
            kind = kind_of(lists.type.value_type)
            assert kind is not None
            yield (
                Column((name,), lists.type.value_type, kind, has_lists, self.wanted[name]),
                lists if has_lists else self._single(name, lists),
            )

    def _single(self, name: str, column: pa.Array) -> pa.Array:
        """Return lists of one value as these values."""
        lists = Lists.of(column)
        odd = np.flatnonzero((np.diff(lists.offsets) != 1) & ~lists.is_null)
        if len(odd):
            raise NotAnExample(int(odd[0]), self.look.list_fault(name))
        if not column.null_count:
            return lists.values
        return lists.values.take(pa.array(lists.offsets[:-1], mask=lists.is_null))
