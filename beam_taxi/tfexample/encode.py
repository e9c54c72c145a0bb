"""Serialized ``tf.train.Example`` records from an Arrow batch, without Python code per row.

An Example is one length followed by a map entry per present feature. The map entry of each distinct value
of each column is built once, into one table for the batch; an Arrow ``take`` from this table, with the codes of
all columns in row-major order, then writes all records in one pass. Finding the distinct values costs 5 to 20 ns
per value, less than building an entry, so columns whose values all differ are treated the same way.

Wire format (tensorflow/core/example/example.proto and feature.proto, all fields length-delimited)::

    Example.features (1) > Features.feature (1), a map entry: key (1), value (2)
        > Feature.bytes_list (1), float_list (2) or int64_list (3) > value (1), packed where numeric

The innermost message has one form for all three kinds: tag, length, *payload*. The payload is the bytes of
the string, the little-endian float, or the varint of the integer. Of a column of lists, the payload of an entry is the
whole innermost message, see `lists`; a list of one value has the bytes of the value alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.tfexample.binary import check_size, join, total_size
from beam_taxi.tfexample.lists import list_messages
from beam_taxi.tfexample.wire import FIELD_1, FIELD_2, LIST_TAGS, bits, payloads_of, prefixes, varint

ABSENT = pa.array([b""], pa.binary())
"""What a null adds to its record; code 0 of the table of entries."""


def encode_examples(batch: pa.RecordBatch) -> pa.BinaryArray:
    """Serialize each row as a ``tf.train.Example``.

    Features are in ascending order of the UTF-8 bytes of their names, so equal rows have equal bytes. A null
    omits its feature; a row with only nulls is an Example with an empty ``features`` message (``0a 00``). An empty list
    is a feature with an empty list of its type.

    Args:
        batch: Columns of int64, float32, string or binary, or of lists of these without nulls; the names are the
            feature names.

    Returns:
        One serialized Example per row of the batch, none null.

    Raises:
        TypeError: A column has another type.
        ValueError: Two columns have the same name.
        OverflowError: The records of the batch take more than 2**31 - 1 bytes.
    """
    columns = _sorted_columns(batch)
    encoded = [_comparable(column).dictionary_encode() for column in columns.values()]
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

    headers = prefixes([[FIELD_1]], 0, sizes)
    np.add(headers.indices.to_numpy(), base, out=codes[:, 0])
    check_size(int(sizes.sum()) + total_size(headers.dictionary_decode()))
    return _take_rows(pa.concat_arrays([entries, headers.dictionary]), codes)


def _sorted_columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return the columns by name, in the order of the features, or raise what `encode_examples` does."""
    columns = dict(sorted(zip(batch.schema.names, batch.columns, strict=True), key=lambda item: item[0].encode()))
    if len(columns) < batch.num_columns:
        raise ValueError(f"column names are not unique: {sorted(batch.schema.names)}")
    for name, column in columns.items():
        value_type = column.type.value_type if pa.types.is_list(column.type) else column.type
        if value_type not in LIST_TAGS:
            raise TypeError(f"column {name!r} has type {column.type}, not int64, float32, string or binary")
    return columns


def _comparable(column: pa.Array) -> pa.Array:
    """Return values of which equal ones have equal bytes in an Example, and others have not."""
    return list_messages(column) if pa.types.is_list(column.type) else bits(column)


def _payloads(values: pa.Array, column_type: pa.DataType) -> pa.BinaryArray:
    """Return the payload of each value, none null; the values are `_comparable`."""
    return values if pa.types.is_list(column_type) else payloads_of(values, column_type)


def _leads(name: str, column_type: pa.DataType) -> list[bytes]:
    """Return the leads, see `wire.prefix`, of the list, Feature, map entry's value and map entry of a column.

    The payload of lists has the first of them already.
    """
    key = name.encode()
    rest = [FIELD_1 + varint(len(key)) + key + FIELD_2, FIELD_1]
    if pa.types.is_list(column_type):
        return [LIST_TAGS[column_type.value_type], *rest]
    return [FIELD_1, LIST_TAGS[column_type], *rest]


def _map_entries(leads: Sequence[Sequence[bytes]], payloads: Sequence[pa.BinaryArray]) -> pa.BinaryArray:
    """Return the map entries around all payloads of the first column, then the second and so on."""
    sizes = np.concatenate([pc.binary_length(values).to_numpy() for values in payloads])
    check_size(int(sizes.sum(dtype=np.int64)))
    owners = np.repeat(np.arange(len(payloads)), [len(values) for values in payloads])
    return join(prefixes(leads, owners, sizes).dictionary_decode(), pa.concat_arrays(payloads))


def _take_rows(table: pa.BinaryArray, codes: npt.NDArray[np.int32]) -> pa.BinaryArray:
    """Return, for each row of codes, the concatenation of the values they stand for."""
    rows, width = codes.shape
    _, offsets, data = pc.take(table, pa.array(codes.ravel()), boundscheck=False).buffers()
    row_offsets = np.frombuffer(offsets, np.int32, count=rows * width + 1)[::width].copy()
    return pa.BinaryArray.from_buffers(pa.binary(), rows, [None, pa.py_buffer(row_offsets), data])
