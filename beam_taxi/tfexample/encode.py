"""Serialized ``tf.train.Example`` records from an Arrow batch, without Python code per row.

An Example is one length followed by a map entry per present feature. The map entry of each distinct value
of each column is built once, into one table for the batch; an Arrow ``take`` from this table, with the codes of
all columns in row-major order, then writes all records in one pass. Finding the distinct values costs 5 to 20 ns
per value, less than building an entry, so columns whose values all differ are treated the same way.

Wire format (tensorflow/core/example/example.proto and feature.proto, all fields length-delimited)::

    Example.features (1) > Features.feature (1), a map entry: key (1), value (2)
        > Feature.bytes_list (1), float_list (2) or int64_list (3) > value (1), packed where numeric

The innermost message has one form for all three kinds: tag, length, *payload*. The payload is the bytes of
the string, the little-endian float, or the varint of the integer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.tfexample.binary import check_size, from_lengths, join, total_size

FIELD_1, FIELD_2, FIELD_3 = b"\x0a", b"\x12", b"\x1a"
"""Tags of the first three fields of a message, length-delimited."""

LIST_TAGS = {
    pa.int64(): FIELD_3,
    pa.float32(): FIELD_2,
    pa.string(): FIELD_1,
    pa.binary(): FIELD_1,
}
"""Tag of the list in ``Feature`` that holds values of an Arrow type."""

ABSENT = pa.array([b""], pa.binary())
"""What a null adds to its record; code 0 of the table of entries."""


def encode_examples(batch: pa.RecordBatch) -> pa.BinaryArray:
    """Serialize each row as a ``tf.train.Example``.

    Features are in ascending order of the UTF-8 bytes of their names, so equal rows have equal bytes. A null
    omits its feature; a row with only nulls is an Example with an empty ``features`` message (``0a 00``).

    Args:
        batch: Flat columns of int64, float32, string or binary; the names are the feature names.

    Returns:
        One serialized Example per row of the batch, none null.

    Raises:
        TypeError: A column has another type.
        ValueError: Two columns have the same name.
        OverflowError: The records of the batch take more than 2**31 - 1 bytes.
    """
    columns = _sorted_columns(batch)
    encoded = [_bits(column).dictionary_encode() for column in columns.values()]
    leads = [_leads(name, column.type) for name, column in columns.items()]
    payloads = [_payloads(e.dictionary, c.type) for e, c in zip(encoded, columns.values(), strict=True)]
    entries = _map_entries([[], *leads], [ABSENT, *payloads])
    entry_sizes = pc.binary_length(entries).to_numpy()

    codes = np.empty((batch.num_rows, 1 + len(columns)), np.int32)
    sizes = np.zeros(batch.num_rows, np.int64)
    base = len(ABSENT)
    for position, column in enumerate(encoded, start=1):
        np.add(column.indices.fill_null(-base).to_numpy(), base, out=codes[:, position])
        sizes += entry_sizes.take(codes[:, position])
        base += len(column.dictionary)
    check_size(int(sizes.sum()))

    headers = _prefixes([[FIELD_1]], 0, sizes)
    np.add(headers.indices.to_numpy(), base, out=codes[:, 0])
    check_size(int(sizes.sum()) + total_size(headers.dictionary_decode()))
    return _take_rows(pa.concat_arrays([entries, headers.dictionary]), codes)


def _sorted_columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return the columns by name, in the order of the features, or raise what `encode_examples` does."""
    columns = dict(sorted(zip(batch.schema.names, batch.columns, strict=True), key=lambda item: item[0].encode()))
    if len(columns) < batch.num_columns:
        raise ValueError(f"column names are not unique: {sorted(batch.schema.names)}")
    for name, column in columns.items():
        if column.type not in LIST_TAGS:
            raise TypeError(f"column {name!r} has type {column.type}, not int64, float32, string or binary")
    return columns


def _bits(column: pa.Array) -> pa.Array:
    """Return floats as the integers with the same bits, so that 0.0 and -0.0, or two NaNs, are distinct."""
    return column.view(pa.int32()) if column.type == pa.float32() else column


def _payloads(values: pa.Array, column_type: pa.DataType) -> pa.BinaryArray:
    """Return the payload of each value, none null; values of a float column are `_bits`."""
    if column_type == pa.int64():
        return _varints(values.to_numpy())
    return values.view(pa.binary(4)).cast(pa.binary()) if column_type == pa.float32() else values.cast(pa.binary())


def _leads(name: str, column_type: pa.DataType) -> list[bytes]:
    """Return the leads, see `_prefix`, of the list, Feature, map entry's value and map entry of a column."""
    key = name.encode()
    return [FIELD_1, LIST_TAGS[column_type], FIELD_1 + _varint(len(key)) + key + FIELD_2, FIELD_1]


def _map_entries(leads: Sequence[Sequence[bytes]], payloads: Sequence[pa.BinaryArray]) -> pa.BinaryArray:
    """Return the map entries around all payloads of the first column, then the second and so on."""
    sizes = np.concatenate([pc.binary_length(values).to_numpy() for values in payloads])
    check_size(int(sizes.sum(dtype=np.int64)))
    owners = np.repeat(np.arange(len(payloads)), [len(values) for values in payloads])
    return join(_prefixes(leads, owners, sizes).dictionary_decode(), pa.concat_arrays(payloads))


def _prefixes(
    leads: Sequence[Sequence[bytes]],
    owners: npt.NDArray[np.int64] | int,
    sizes: npt.NDArray[np.int32 | np.int64],
) -> pa.DictionaryArray:
    """Return `_prefix` of each size, with the leads that its owner has."""
    encoded = pa.array(owners << 32 | sizes).dictionary_encode()
    prefixes = [_prefix(key & 0xFFFFFFFF, leads[key >> 32]) for key in encoded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(prefixes, pa.binary()), safe=False)


def _prefix(size: int, leads: Sequence[bytes]) -> bytes:
    """Return what precedes a payload of `size` bytes in nested messages, given innermost first.

    Each message is announced by its lead, the bytes up to and including its tag, and its length as a varint.
    """
    prefix = b""
    for lead in leads:
        prefix = lead + _varint(len(prefix) + size) + prefix
    return prefix


def _varint(value: int) -> bytes:
    """Return a length as a varint: seven bits per byte, lowest first, the high bit set in all bytes but the last."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _varints(values: npt.NDArray[np.int64]) -> pa.BinaryArray:
    """Return each integer as a varint of 1 to 10 bytes; a negative one is its two's complement, so 10."""
    unsigned = values.view(np.uint64)
    width = max(1, -(-int(unsigned.max(initial=0)).bit_length() // 7))
    remaining = unsigned >> (7 * np.arange(width, dtype=np.uint64))[:, np.newaxis]
    marks = (remaining > 0x7F).view(np.uint8) << 7
    used = remaining > 0
    used[0] = True
    septets: npt.NDArray[np.uint8] = np.bitwise_or(remaining.astype(np.uint8) & np.uint8(0x7F), marks)
    return from_lengths(septets.T[used.T], used.sum(axis=0))


def _take_rows(table: pa.BinaryArray, codes: npt.NDArray[np.int32]) -> pa.BinaryArray:
    """Return, for each row of codes, the concatenation of the values they stand for."""
    rows, width = codes.shape
    _, offsets, data = pc.take(table, pa.array(codes.ravel()), boundscheck=False).buffers()
    row_offsets = np.frombuffer(offsets, np.int32, count=rows * width + 1)[::width].copy()
    return pa.BinaryArray.from_buffers(pa.binary(), rows, [None, pa.py_buffer(row_offsets), data])
