"""The wire format of protocol buffers, as far as Examples need it (https://protobuf.dev/programming-guides/encoding/)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.tfexample.binary import from_lengths

FIELD_1, FIELD_2, FIELD_3 = b"\x0a", b"\x12", b"\x1a"
"""Tags of the first three fields of a message, length-delimited."""

LIST_TAGS = {
    pa.int64(): FIELD_3,
    pa.float32(): FIELD_2,
    pa.string(): FIELD_1,
    pa.binary(): FIELD_1,
}
"""Tag of the list in ``Feature`` that holds values of an Arrow type."""


def bits(column: pa.Array) -> pa.Array:
    """Return floats as the integers with the same bits, so that 0.0 and -0.0, or two NaNs, are distinct."""
    return column.view(pa.int32()) if column.type == pa.float32() else column


def payloads_of(values: pa.Array, column_type: pa.DataType) -> pa.BinaryArray:
    """Return the payload of each value, none null; values of a float column are `bits`."""
    if column_type == pa.int64():
        return varints(values.to_numpy())
    return values.view(pa.binary(4)).cast(pa.binary()) if column_type == pa.float32() else values.cast(pa.binary())


def prefixes(
    leads: Sequence[Sequence[bytes]],
    owners: npt.NDArray[np.int64] | int,
    sizes: npt.NDArray[np.int32 | np.int64],
) -> pa.DictionaryArray:
    """Return `prefix` of each size, with the leads that its owner has."""
    encoded = pa.array(owners << 32 | sizes).dictionary_encode()
    built = [prefix(key & 0xFFFFFFFF, leads[key >> 32]) for key in encoded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(built, pa.binary()), safe=False)


def prefix(size: int, leads: Sequence[bytes]) -> bytes:
    """Return what precedes a payload of `size` bytes in nested messages, given innermost first.

    Each message is announced by its lead, the bytes up to and including its tag, and its length as a varint.
    """
    built = b""
    for lead in leads:
        built = lead + varint(len(built) + size) + built
    return built


def varint(value: int) -> bytes:
    """Return a length as a varint: seven bits per byte, lowest first, the high bit set in all bytes but the last."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def varints(values: npt.NDArray[np.int64]) -> pa.BinaryArray:
    """Return each integer as a varint of 1 to 10 bytes; a negative one is its two's complement, so 10."""
    unsigned = values.view(np.uint64)
    width = max(1, -(-int(unsigned.max(initial=0)).bit_length() // 7))
    remaining = unsigned >> (7 * np.arange(width, dtype=np.uint64))[:, np.newaxis]
    marks = (remaining > 0x7F).view(np.uint8) << 7
    used = remaining > 0
    used[0] = True
    septets: npt.NDArray[np.uint8] = np.bitwise_or(remaining.astype(np.uint8) & np.uint8(0x7F), marks)
    return from_lengths(septets.T[used.T], used.sum(axis=0))
