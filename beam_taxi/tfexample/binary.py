"""Sizes and buffers of Arrow ``binary`` arrays, whose int32 offsets limit each to 2**31 - 1 bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MAX_BYTES = 2**31 - 1
"""Maximum total size, in bytes, of the values of one Arrow ``binary`` array."""


def check_size(size: int) -> None:
    """Raise OverflowError if values of this many bytes do not fit into one ``binary`` array."""
    if size > MAX_BYTES:
        raise OverflowError(f"{size} bytes exceed a batch's limit of {MAX_BYTES}; cut it into smaller ones")


def total_size(values: pa.BinaryArray) -> int:
    """Return the number of bytes of all values; a null takes none."""
    return int(pc.sum(pc.binary_length(values), min_count=0).as_py())


def join(*pieces: pa.BinaryArray) -> pa.BinaryArray:
    """Return the concatenation of each row's pieces.

    Args:
        pieces: Binary arrays of equal length, without nulls.

    Raises:
        OverflowError: The result would take more than ``MAX_BYTES``.
    """
    check_size(sum(map(total_size, pieces)))
    return pc.binary_join_element_wise(*pieces, b"")


def from_lengths(data: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int64]) -> pa.BinaryArray:
    """Return the array whose values are concatenated in ``data``, without copying it.

    Args:
        data: Bytes of all values, C-contiguous, at most ``MAX_BYTES``.
        lengths: Number of bytes of each value; they add up to the size of ``data``.
    """
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.BinaryArray.from_buffers(pa.binary(), len(lengths), buffers)


def from_matrix(rows: npt.NDArray[np.uint8]) -> pa.BinaryArray:
    """Return each row of a C-contiguous matrix as one value, without copying it."""
    return from_lengths(rows, np.full(rows.shape[0], rows.shape[1]))
