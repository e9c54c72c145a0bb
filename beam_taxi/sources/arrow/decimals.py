"""Decimals as exact text and as int64."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def text_of_decimals(column: pa.Array, trim: bool = False) -> pa.StringArray:
    """Return decimals as text, with as many decimal places as their type has, or no 0 after the last other if `trim`.

    Older versions of Arrow cannot cast decimals to text.
    """
    unscaled, scale = _unscaled(column), column.type.scale
    if unscaled is None or scale < 0:
        text = pa.array([None if one is None else format(one, "f") for one in column.to_pylist()], pa.string())
    else:
        text = _text_of_unscaled(unscaled, scale)
        if column.null_count:
            text = pc.if_else(column.is_valid(), text, pa.scalar(None, pa.string()))
    return pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".") if trim and scale > 0 else text


def _text_of_unscaled(unscaled: npt.NDArray[np.int64], scale: int) -> pa.StringArray:
    if not scale:
        return pa.array(unscaled).cast(pa.string())
    # The magnitude of the smallest number does not fit int64.
    magnitudes = np.where(unscaled < 0, ~unscaled.view(np.uint64) + np.uint64(1), unscaled.view(np.uint64))
    digits = pc.utf8_lpad(pa.array(magnitudes).cast(pa.string()), scale + 1, "0")
    whole = pc.utf8_slice_codeunits(digits, 0, -scale)
    decimals = pc.utf8_slice_codeunits(digits, -scale, np.iinfo(np.int32).max)
    text = pc.binary_join_element_wise(whole, decimals, ".")
    if not (unscaled < 0).any():
        return text
    signs = pa.array(np.where(unscaled < 0, "-", "").tolist(), pa.string())
    return pc.binary_join_element_wise(signs, text, "")


def _unscaled(column: pa.Array) -> npt.NDArray[np.int64] | None:
    """Return decimals without their points, 0 for nulls, or None if they are not all within int64."""
    if not pa.types.is_decimal128(column.type):
        return None
    if column.null_count == len(column):
        return np.zeros(len(column), np.int64)
    words = np.frombuffer(column.buffers()[1], np.int64)[: 2 * (column.offset + len(column))]
    low, high = words.reshape(-1, 2)[column.offset :].T
    if column.null_count:
        is_valid = column.is_valid().to_numpy(zero_copy_only=False)
        low, high = np.where(is_valid, low, 0), np.where(is_valid, high, 0)
    return low.copy() if (high == low >> 63).all() else None


def are_int64(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Return whether each decimal is whole and within int64; nulls are."""
    try:
        column.cast(pa.int64())
    except pa.ArrowInvalid:
        return np.array([one is None or _is_int64(one) for one in column.to_pylist()], np.bool_)
    return np.ones(len(column), np.bool_)


def _is_int64(value: Decimal) -> bool:
    # Most decimals have too many digits for arithmetic in the default context.
    return -(2**63) <= value < 2**63 and value == int(value)
