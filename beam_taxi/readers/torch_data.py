"""A split as an IterableDataset of PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import torch
from torch import distributed
from torch.utils.data import IterableDataset, get_worker_info

from beam_taxi.errors import DataError
from beam_taxi.readers.columns import Columns
from beam_taxi.readers.options import Default
from beam_taxi.readers.shards import Part, PartReader, Shard, Share, parts_of, shuffled
from beam_taxi.readers.shuffle import interleave, rebatch, shuffle
from beam_taxi.schemas.features import Feature

Value: TypeAlias = "torch.Tensor | str | bytes | list[Value]"
Element: TypeAlias = "dict[str, Value]"


@dataclass(frozen=True)
class Elements:
    """How rows become elements; see `Run.torch`."""

    features: Sequence[Feature]
    defaults: Mapping[str, Default]
    binary: frozenset[str]
    batch_size: int | None
    drop_remainder: bool

    def of(self, batch: pa.RecordBatch) -> Element:
        """Return the columns of a batch: as tensors and lists, one value for each row."""
        found = zip(self.features, batch.columns, strict=True)
        return {feature.name: self._column(feature, column) for feature, column in found}

    def _column(self, feature: Feature, column: pa.Array) -> Value:
        if feature.name in self.defaults:
            column = column.fill_null(pa.scalar(self.defaults[feature.name], column.type))
        elif not feature.is_dense:
            return _lists(column)
        if column.null_count:
            raise DataError(f"feature {feature.name!r} is missing in a row, though the schema requires it")
        if feature.shape == ():
            return _values(column)
        assert feature.shape is not None
        values = _values(column.flatten())
        return values.reshape(len(column), *feature.shape) if isinstance(values, torch.Tensor) else column.to_pylist()


def _values(column: pa.Array) -> Value:
    """Return values without nulls as a tensor, or texts as a list."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        # The memory of Arrow must not be written to.
        return torch.from_numpy(column.to_numpy().copy())
    return column.to_pylist()


def _lists(column: pa.Array) -> Value:
    """Return the values of each row as a tensor, or as a list of texts; a missing feature has none."""
    if pa.types.is_list(column.type):
        lengths = column.value_lengths().fill_null(0).to_numpy()
        values = _values(column.flatten())
    else:
        lengths = column.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
        values = _values(column.drop_null())
    if isinstance(values, torch.Tensor):
        return list(values.split(lengths.tolist()))
    ends = np.cumsum(lengths).tolist()
    return [values[end - length : end] for end, length in zip(ends, lengths.tolist(), strict=True)]


class TorchDataset(IterableDataset):
    """The rows of a split; each iteration in a worker of a DataLoader, or in a rank, yields the rows of its share."""

    def __init__(
        self,
        reader: PartReader,
        shards: Sequence[Shard],
        elements: Elements,
        buffer: int,
        seed: int,
        share: Share | None,
    ) -> None:
        super().__init__()
        self._reader = reader
        self._shards = shards
        self._elements = elements
        self._buffer = buffer
        self._seed = seed
        self._share = share
        # In shared memory, so that the persistent workers of a DataLoader see it change.
        self._epoch = torch.tensor(0).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of shuffled rows for the next iteration: call it before each epoch."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Element]:
        batches = self._batches()
        if self._elements.batch_size is not None:
            for batch in rebatch(batches, self._elements.batch_size, self._elements.drop_remainder):
                yield self._elements.of(batch)
            return
        for batch in batches:
            columns = self._elements.of(batch)
            for row in zip(*columns.values(), strict=True):
                yield dict(zip(columns, row, strict=True))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the share in their order."""
        share, epoch = self._own_share(), int(self._epoch)
        shards = shuffled(self._shards, self._seed, epoch) if self._buffer else self._shards
        columns = Columns(self._elements.features, self._elements.binary)

        def read(part: Part) -> Iterator[pa.RecordBatch]:
            return map(columns.of, self._reader.batches(part, columns.decode))

        streams = [read(part) for part in parts_of(shards, share)]
        if self._buffer:
            return shuffle(interleave(streams), self._buffer, (self._seed, epoch, share.index))
        return chain.from_iterable(streams)

    def _own_share(self) -> Share:
        share = self._share
        if share is None:
            is_distributed = distributed.is_available() and distributed.is_initialized()
            share = Share(distributed.get_rank(), distributed.get_world_size()) if is_distributed else Share()
        worker = get_worker_info()
        return share if worker is None else share.within(worker.id, worker.num_workers)
