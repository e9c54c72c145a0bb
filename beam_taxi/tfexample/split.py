"""Assignment of rows to splits by a hash of the row or of some columns.

Users rely on which row goes to which split: equal hashes and weights give equal splits in every run, on every
machine and in every later version.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.tfexample.encode import encode_examples
from beam_taxi.tfexample.tfrecord import record_checksums

MULTIPLIER = np.uint32(2654435761)
"""Knuth's multiplicative hash, the prime next to 2**32 / golden ratio: it spreads keys over the high bits."""

MAX_SPLITS = 256

BYTES_TYPES = {
    pa.int64(): pa.binary(8),
    pa.float32(): pa.binary(4),
    pa.string(): pa.binary(),
    pa.binary(): pa.binary(),
}
"""The binary type as which the memory of a column can be viewed, by the type of the column."""


def assign_splits(hashes: npt.NDArray[np.uint32], weights: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return the index of the split of each row.

    The hash is mixed by a multiplication modulo 2**32 and scaled to the sum of the weights by its high bits.

    Args:
        hashes: A uint32 per row, such as the crc32c of its record.
        weights: Relative size of each split, in order; a split of weight 0 gets no row.

    Raises:
        TypeError: The hashes are not uint32.
        ValueError: There are no splits or more than 256, a weight is negative, or their sum is 0 or over 2**32.
    """
    if not 0 < len(weights) <= MAX_SPLITS:
        raise ValueError(f"{len(weights)} splits are not between 1 and {MAX_SPLITS}")
    if min(weights) < 0 or not 0 < sum(weights) <= 2**32:
        raise ValueError(f"weights {list(weights)} are not all at least 0 with a sum between 1 and 2**32")
    buckets = mix(hashes).astype(np.uint64) * np.uint64(sum(weights)) >> np.uint64(32)
    ends = np.cumsum(weights, dtype=np.uint64)
    found: npt.NDArray[np.uint8] = np.searchsorted(ends, buckets, side="right").astype(np.uint8)
    return found


def mix(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return hashes multiplied modulo 2**32, which spreads them over the high bits. Raises TypeError if not uint32."""
    if hashes.dtype != np.uint32:
        raise TypeError(f"hashes are {hashes.dtype}, not uint32")
    mixed: npt.NDArray[np.uint32] = hashes * MULTIPLIER
    return mixed


def hash_columns(columns: Sequence[pa.Array]) -> npt.NDArray[np.uint32]:
    """Return a hash of each row of columns: of one column as `hash_column` does, else the crc32c of the encoded key.

    Different keys have different bytes: where a value ends is part of them, and so is that a value is missing.
    """
    return hash_column(columns[0]) if len(columns) == 1 else record_checksums(encode_key(columns))


def encode_key(columns: Sequence[pa.Array]) -> pa.BinaryArray:
    """Return the values of each row as a tf.Example whose features are named by the numbers of the columns."""
    names = [str(number) for number in range(len(columns))]
    return encode_examples(pa.RecordBatch.from_arrays(list(columns), names))


def hash_column(column: pa.Array) -> npt.NDArray[np.uint32]:
    """Return the crc32c of the bytes of each value.

    These are the UTF-8 bytes of a string, the 8 or 4 little-endian bytes of an int64 or float32, and no bytes
    for a null.

    Args:
        column: An int64, float32, string or binary column; each distinct value is hashed once.

    Raises:
        TypeError: The column has another type.
    """
    if column.type not in BYTES_TYPES:
        raise TypeError(f"a key column of type {column.type} is not int64, float32, string or binary")
    encoded = column.view(BYTES_TYPES[column.type]).dictionary_encode()
    distinct = encoded.dictionary.cast(pa.binary())
    hashes = record_checksums(pa.concat_arrays([distinct, pa.array([b""], pa.binary())]))
    taken: npt.NDArray[np.uint32] = hashes.take(encoded.indices.fill_null(len(distinct)).to_numpy())
    return taken
