"""The innermost messages of features with several values.

BytesList   value (1), once for each value: tag, length, bytes
FloatList   value (1), packed: tag, length, all values; nothing if there are none
Int64List   the same
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.tfexample.binary import check_size, from_matrix, join
from beam_taxi.tfexample.wire import FIELD_1, payloads_of, prefixes


def list_messages(column: pa.ListArray) -> pa.BinaryArray:
    """Return the message of each list of a column of lists of int64, float32, string or binary; null where it is null.

    Raises:
        ValueError: There is a null in a list.
        OverflowError: The messages take more than 2**31 - 1 bytes.
    """
    values = column.flatten()
    if values.null_count:
        raise ValueError("a list has a null")
    lengths = column.value_lengths().fill_null(0).to_numpy()
    messages = _concatenated(_pieces(values), lengths)
    if _is_packed(values.type):
        announced = pc.if_else(pc.equal(pc.binary_length(messages), 0), b"", _announced(messages))
        messages = join(announced, messages)
    if not column.null_count:
        return messages
    return pc.if_else(column.is_valid(), messages, pa.scalar(None, pa.binary()))


def _is_packed(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _pieces(values: pa.Array) -> pa.BinaryArray:
    """Return what each value adds to the message of its list."""
    if pa.types.is_floating(values.type):
        # The memory of floats is what is wanted, so nothing is gained if they repeat.
        return from_matrix(values.to_numpy().view(np.uint8).reshape(-1, values.type.bit_width // 8))
    encoded = values.dictionary_encode()
    payloads = payloads_of(encoded.dictionary, values.type)
    if not _is_packed(values.type):
        payloads = join(_announced(payloads), payloads)
    check_size(int(pc.binary_length(payloads).to_numpy().astype(np.int64)[encoded.indices.to_numpy()].sum()))
    return payloads.take(encoded.indices)


def _announced(payloads: pa.BinaryArray) -> pa.BinaryArray:
    """Return tag and length of each payload."""
    return prefixes([[FIELD_1]], 0, pc.binary_length(payloads).to_numpy()).dictionary_decode()


def _concatenated(pieces: pa.BinaryArray, lengths: npt.NDArray[np.int32]) -> pa.BinaryArray:
    """Return the concatenation of the next pieces, as many as each length says."""
    ends = np.concatenate([[0], np.cumsum(lengths)])
    _, offsets, data = pieces.buffers()
    bounds = np.frombuffer(offsets, np.int32, count=len(pieces) + 1, offset=4 * pieces.offset)
    starts = pa.py_buffer(np.ascontiguousarray(bounds[ends]))
    return pa.BinaryArray.from_buffers(pa.binary(), len(lengths), [None, starts, data])
