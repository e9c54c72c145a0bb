"""64-bit hashes of values and rows, the same on every machine and in every release: files of sketches have them."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

_EMPTY = np.uint64(0xC2B2AE3D27D4EB4F)
_LARGE = np.uint64(0xD6E8FEB86659FD93)
_EXACT = 2**53
"""The largest integer to which all are exact as floats."""


def hash_values(values: pa.Array) -> Hashes:
    """Return a hash for each value of an int64, float32, string or binary array without nulls.

    An integer has the hash of the float of the same value, since the type of a column may differ between runs.
    """
    if pa.types.is_floating(values.type):
        # 0.0 and -0.0 are equal, and so are NaNs.
        floats = values.to_numpy().astype(np.float64) + 0.0
        return mix(np.where(np.isnan(floats), np.nan, floats).view(np.uint64))
    if pa.types.is_integer(values.type):
        integers = values.to_numpy().astype(np.int64)
        bits = integers.astype(np.float64).view(np.uint64)
        is_large = (integers > _EXACT) | (integers < -_EXACT)
        return mix(np.where(is_large, integers.view(np.uint64) ^ _LARGE, bits) if is_large.any() else bits)
    hashes: Hashes = pd.util.hash_array(values.to_numpy(zero_copy_only=False), categorize=False)
    return hashes


def mix(bits: Hashes) -> Hashes:
    """Return hashes of which each bit depends on all bits (the finalizer of SplitMix64, by Sebastiano Vigna)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@cache
def _seed(name: str) -> np.uint64:
    """Return a hash of a column's name."""
    return np.uint64(int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"))


def seeded(values: Hashes, name: str) -> Hashes:
    """Return the hashes of the values of a column as they enter those of rows."""
    return mix(values ^ _seed(name))


def add_column(
    rows: Hashes,
    name: str,
    values: Hashes,
    lengths: npt.NDArray[np.int64],
    empty: npt.NDArray[np.bool_] | None = None,
) -> Hashes:
    """Return the hashes of rows with one more column, given its seeded values and the number of them in each row.

    Rows without a value miss it, or have an empty list where `empty` is true. Hashes of whole rows must be mixed. A
    column that a row misses does not change its hash, so that rows of tables with other columns can be compared.
    """
    filled = lengths > 0
    if len(values) > np.count_nonzero(filled):
        starts = np.cumsum(lengths)[filled] - lengths[filled]
        places = np.arange(len(values)) - np.repeat(starts, lengths[filled])
        values = np.add.reduceat(mix(values + places.astype(np.uint64)), starts)
    column = values
    if len(values) < len(rows):
        column = np.zeros(len(rows), np.uint64)
        if empty is not None:
            column[empty] = _EMPTY ^ _seed(name)
        column[filled] = values
    hashes: Hashes = rows + column
    return hashes
