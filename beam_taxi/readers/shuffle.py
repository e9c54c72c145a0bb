"""Batches of rows in random order, and of another size, without Python code per row."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

_OPEN = 8
"""Parts that are read at the same time when rows are shuffled."""


def interleave(streams: Sequence[Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """Yield a batch of each stream in turn, of the first few streams at first; one that ends is replaced."""
    waiting = deque(streams)
    is_open = deque(waiting.popleft() for _ in range(min(_OPEN, len(waiting))))
    while is_open:
        stream = is_open.popleft()
        batch = next(stream, None)
        if batch is not None:
            yield batch
            is_open.append(stream)
        elif waiting:
            is_open.append(waiting.popleft())


def shuffle(batches: Iterable[pa.RecordBatch], size: int, seeds: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """Yield the rows in random order: from a buffer of `size` rows, half of them are drawn whenever it is full."""
    random = np.random.Generator(np.random.PCG64(list(seeds)))
    pending, waiting = list[pa.RecordBatch](), 0
    for batch in batches:
        pending.append(batch)
        waiting += len(batch)
        if waiting >= size:
            rows = _drawn(pending, random)
            drawn = max(waiting - size // 2, 1)
            yield rows[:drawn]
            pending, waiting = [rows[drawn:]], waiting - drawn
    if waiting:
        yield _drawn(pending, random)


def _drawn(batches: Sequence[pa.RecordBatch], random: np.random.Generator) -> pa.RecordBatch:
    rows = joined(batches)
    return rows.take(pa.array(random.permutation(len(rows))))


def rebatch(batches: Iterable[pa.RecordBatch], size: int, drop_remainder: bool = False) -> Iterator[pa.RecordBatch]:
    """Yield the rows, `size` at a time; the last batch may be smaller, unless it is dropped."""
    pending, waiting = list[pa.RecordBatch](), 0
    for batch in batches:
        pending.append(batch)
        waiting += len(batch)
        if waiting < size:
            continue
        rows = joined(pending)
        whole = waiting - waiting % size
        yield from (rows[start : start + size] for start in range(0, whole, size))
        pending, waiting = [rows[whole:]], waiting - whole
    if waiting and not drop_remainder:
        yield joined(pending)


def joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Return some batches, at least one, as one."""
    if len(batches) == 1:
        return batches[0]
    table = pa.Table.from_batches(batches).combine_chunks()
    return pa.RecordBatch.from_arrays(
        [pa.concat_arrays(column.chunks) for column in table.columns], schema=table.schema
    )
