"""Map columns of any flat Arrow type, as in Parquet files and BigQuery, to the kinds of this package."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.errors import DataError
from beam_taxi.sources.kinds import ARROW_TYPES, Evidence, Kind
from beam_taxi.sources.losses import NO_LOSSES, losses_of
from beam_taxi.sources.names import check_names


def kind_of(type_: pa.DataType) -> Kind | None:
    """Return the kind of a column of this type, or None if it has none (lists, structs, maps, durations).

    Booleans become 0 and 1; dates, times and timestamps become STRING, as Arrow formats them.
    """
    types = pa.types
    if types.is_dictionary(type_):
        return kind_of(type_.value_type)
    if types.is_null(type_):
        return Kind.MISSING
    if types.is_integer(type_) or types.is_boolean(type_):
        return Kind.INT
    if types.is_floating(type_) or types.is_decimal(type_):
        return Kind.FLOAT
    is_text = types.is_string(type_) or types.is_large_string(type_)
    is_bytes = types.is_binary(type_) or types.is_large_binary(type_) or types.is_fixed_size_binary(type_)
    is_time = types.is_date(type_) or types.is_time(type_) or types.is_timestamp(type_)
    return Kind.STRING if is_text or is_bytes or is_time else None


def kinds_of(uri: str, schema: pa.Schema) -> dict[str, Kind]:
    """Return the kinds of the columns of `uri`. Raises DataError if a name or a type cannot be used."""
    check_names(uri, tuple(schema.names))
    kinds = {}
    for column in schema:
        kind = kind_of(column.type)
        if kind is None:
            raise DataError(f"{uri}: column {column.name!r} of type {column.type} has no place in a tf.Example")
        kinds[column.name] = kind
    return kinds


def to_kind(column: pa.Array, kind: Kind) -> pa.Array:
    """Return a column as int64, float32, string or, if it holds bytes, binary. Raises ArrowInvalid beyond int64."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if kind is Kind.FLOAT:
        if pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())
        return column.cast(pa.float32(), safe=False)
    holds_bytes = pa.types.is_binary(column.type) or pa.types.is_fixed_size_binary(column.type)
    if holds_bytes or pa.types.is_large_binary(column.type):
        return column.cast(pa.binary())
    return column.cast(ARROW_TYPES[kind])


def examine_values(column: pa.Array) -> Evidence:
    """Return the evidence from a column whose type has a kind. Raises ArrowInvalid for integers beyond int64."""
    kind = kind_of(column.type)
    assert kind is not None
    if kind is not Kind.FLOAT or pa.types.is_float16(column.type) or pa.types.is_float32(column.type):
        values = to_kind(column, kind)
        return Evidence(kind, losses=losses_of(values) if kind is Kind.INT else NO_LOSSES)
    exact = column.cast(pa.float64())
    finite = exact.filter(pc.is_finite(exact))
    became_infinite = np.isinf(to_kind(column, kind).to_numpy(zero_copy_only=False))
    overflows = np.flatnonzero(became_infinite & np.isfinite(exact.to_numpy(zero_copy_only=False)))
    return Evidence(kind, int(overflows[0]) if len(overflows) else None, losses_of(finite))
