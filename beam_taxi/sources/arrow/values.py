"""The values of Arrow columns: what they are evidence for, and as those of a tf.Example."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.sources.arrow.columns import Column, is_bytes, is_text, is_time
from beam_taxi.sources.arrow.decimals import are_int64, text_of_decimals
from beam_taxi.sources.arrow.lists import Lists
from beam_taxi.sources.arrow.times import text_of_times
from beam_taxi.sources.kinds import ARROW_TYPES, Evidence, Kind
from beam_taxi.sources.losses import Losses, losses_of

_EXACT_FLOAT64 = 1 << 53


@dataclass(frozen=True)
class Found:
    """Rows of a column: how many there are, the first of them, and its value as text."""

    count: int
    row: int
    value: str


@dataclass(frozen=True)
class Examined:
    """What the values of a column show, besides the evidence for its kind; rows are counted in the batch.

    `beyond` are numbers that are not whole or beyond int64 in a column that is declared INT, or beyond int64 in one
    that would be INT otherwise. `nulls` are nulls in lists.
    """

    evidence: Evidence
    beyond: Found | None = None
    nulls: Found | None = None


def examine(column: Column, array: pa.Array, declared: Kind | None = None) -> Examined:
    """Return what the rows of a column show, given its declared kind, which it can be."""
    if not column.has_lists:
        return _examine(_plain(array, column), declared)
    lists = Lists.of(array)
    found = _examine(_plain(lists.values, column), declared)
    evidence = found.evidence
    if evidence.overflow is not None:
        evidence = replace(evidence, overflow=lists.row_of(evidence.overflow))
    beyond = None if found.beyond is None else replace(found.beyond, row=lists.row_of(found.beyond.row))
    if not lists.values.null_count:
        return Examined(evidence, beyond)
    first = int(np.argmax(lists.values.is_null().to_numpy(zero_copy_only=False)))
    return Examined(evidence, beyond, Found(lists.values.null_count, lists.row_of(first), "null"))


def _examine(values: pa.Array, declared: Kind | None) -> Examined:
    type_ = values.type
    if pa.types.is_null(type_):
        return Examined(Evidence(Kind.MISSING))
    is_number = not (is_text(type_) or is_bytes(type_) or is_time(type_))
    if not is_number or declared is Kind.STRING:
        return Examined(Evidence(Kind.STRING))
    if declared is Kind.INT or _is_whole(type_):
        fits = _fits_int64(values)
        if not fits.all() and declared is not Kind.FLOAT:
            row = int(np.argmin(fits))
            kind = Kind.STRING if _is_whole(type_) else Kind.FLOAT
            return Examined(Evidence(kind), Found(int((~fits).sum()), row, str(values[row].as_py())))
        if fits.all():
            return Examined(Evidence(Kind.INT, losses=losses_of(to_values(values, Kind.INT))))
    return Examined(_examine_floats(values))


def _examine_floats(values: pa.Array) -> Evidence:
    rounded = to_values(values, Kind.FLOAT)
    if pa.types.is_float16(values.type) or pa.types.is_float32(values.type):
        return Evidence(Kind.FLOAT)
    exact = values.cast(pa.float64(), safe=False)
    became_infinite = np.isinf(rounded.to_numpy(zero_copy_only=False))
    overflows = np.flatnonzero(became_infinite & np.isfinite(exact.to_numpy(zero_copy_only=False)))
    finite = exact.filter(pc.is_finite(exact))
    losses = losses_of(finite)
    if pa.types.is_decimal(values.type):
        # What float64 loses cannot be seen in it.
        beyond = finite.filter(pa.array(np.abs(finite.to_numpy()) > _EXACT_FLOAT64))
        if len(beyond) > losses.changed:
            losses = Losses(losses.vanished, len(beyond), beyond[0].as_py())
    return Evidence(Kind.FLOAT, int(overflows[0]) if len(overflows) else None, losses)


def _is_whole(type_: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(type_) or types.is_boolean(type_) or (types.is_decimal(type_) and type_.scale <= 0))


def _fits_int64(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Return whether each number is whole and within int64; nulls are."""
    if pa.types.is_decimal(values.type):
        return are_int64(values)
    if pa.types.is_uint64(values.type):
        fits: npt.NDArray[np.bool_] = values.fill_null(0).to_numpy() < 1 << 63
        return fits
    if not pa.types.is_floating(values.type):
        return np.ones(len(values), np.bool_)
    floats = (_from_half(values) if pa.types.is_float16(values.type) else values).fill_null(0).to_numpy()
    with np.errstate(invalid="ignore"):
        fits = (floats == np.floor(floats)) & (floats >= -(2.0**63)) & (floats < 2.0**63)
    return fits


def to_kind(column: Column, array: pa.Array, kind: Kind, trim: bool = False) -> pa.Array:
    """Return a column as int64, float32, string or, if it holds bytes, binary, or as lists of these.

    Nulls in lists are left out. `trim` takes zeros off the end of decimals that become text. Raises ArrowInvalid for
    values that are not of the kind.
    """
    if not column.has_lists:
        return to_values(_plain(array, column), kind, trim)
    lists = Lists.of(array).without_nulls()
    return lists.column(to_values(_plain(lists.values, column), kind, trim))


def to_values(values: pa.Array, kind: Kind, trim: bool = False) -> pa.Array:
    """Return flat values as `to_kind` does."""
    type_ = values.type
    if is_bytes(type_):
        if pa.types.is_fixed_size_binary(type_) and values.offset:
            # Arrow 10 reads beyond the memory of such a part of an array, and the process ends.
            values = values.take(pa.array(np.arange(len(values))))
        return values.cast(pa.binary())
    if pa.types.is_float16(type_):
        return to_values(_from_half(values), kind)
    if kind is Kind.FLOAT:
        exact = values.cast(pa.float64()) if pa.types.is_decimal(type_) else values
        return exact.cast(pa.float32(), safe=False)
    if kind is Kind.STRING and pa.types.is_decimal(type_):
        return text_of_decimals(values, trim)
    if kind is Kind.STRING and is_time(type_):
        return text_of_times(values)
    return values.cast(ARROW_TYPES[kind])


def _plain(values: pa.Array, column: Column) -> pa.Array:
    """Return values without dictionary or extension type; half floats that came as bytes are floats again."""
    while True:
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        elif pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        else:
            break
    is_half = pa.types.is_float16(column.type) and is_bytes(values.type)
    return values.view(pa.float16()) if is_half else values


def _from_half(values: pa.Array) -> pa.FloatArray:
    """Return half floats as float32; older versions of Arrow cannot cast them."""
    halves = np.frombuffer(values.buffers()[1] or b"", np.float16)[values.offset : values.offset + len(values)]
    is_null = values.is_null().to_numpy(zero_copy_only=False)
    return pa.array(halves.astype(np.float32), mask=is_null)
