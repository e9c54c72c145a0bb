"""64-bit hashes of values and rows, the same on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

_MISSING = np.uint64(0x9E3779B97F4A7C15)
_EMPTY = np.uint64(0xC2B2AE3D27D4EB4F)
_NEXT = np.uint64(0xD6E8FEB86659FD93)


def hash_values(values: pa.Array) -> Hashes:
    """Return a hash for each value of an int64, float32, string or binary array without nulls."""
    if pa.types.is_floating(values.type):
        # 0.0 and -0.0 are equal, and so are NaNs.
        floats = values.to_numpy().astype(np.float64) + 0.0
        return mix(np.where(np.isnan(floats), np.nan, floats).view(np.uint64))
    if pa.types.is_integer(values.type):
        return mix(values.to_numpy().astype(np.int64).view(np.uint64))
    hashes: Hashes = pd.util.hash_array(values.to_numpy(zero_copy_only=False), categorize=False)
    return hashes


def mix(bits: Hashes) -> Hashes:
    """Return hashes of which each bit depends on all bits (the finalizer of SplitMix64, by Sebastiano Vigna)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def add_column(
    rows: Hashes, values: Hashes, lengths: npt.NDArray[np.int64], empty: npt.NDArray[np.bool_] | None = None
) -> Hashes:
    """Return the hashes of rows with one more column, given its values and the number of them in each row.

    Rows without a value miss it, or have an empty list where `empty` is true. Hashes of whole rows must be mixed.
    """
    filled = lengths > 0
    if len(values) > np.count_nonzero(filled):
        starts = np.cumsum(lengths)[filled] - lengths[filled]
        places = np.arange(len(values)) - np.repeat(starts, lengths[filled])
        values = np.add.reduceat(mix(values + places.astype(np.uint64)), starts)
    column = values
    if len(values) < len(rows):
        column = np.full(len(rows), _MISSING)
        if empty is not None:
            column[empty] = _EMPTY
        column[filled] = values
    hashes: Hashes = rows * _NEXT + column
    return hashes
