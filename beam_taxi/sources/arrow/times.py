"""Dates, times and durations as text in ISO 8601, so that one instant has one text whatever its unit and time zone.

    date       2024-01-05
    time       10:00:00.25                  decimals as far as they are not 0
    timestamp  2024-01-05T10:00:00          without a time zone: the time as it is
    timestamp  2024-01-05T04:30:00.25Z      with a time zone, whatever it is: in UTC
    duration   PT60S, -PT0.25S              seconds

Years outside 0000 to 9999 have a sign and at least 6 digits. No database of time zones is needed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Integers = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.uint8]

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_TIMES = {pa.time32("s"): "s", pa.time32("ms"): "ms", pa.time64("us"): "us", pa.time64("ns"): "ns"}
"""The units of times; older versions of Arrow do not tell them."""

_NANOSECONDS = 10**9
_DAY = 86_400
_YEAR_DIGITS = 4
_FOUR_DIGITS = -62_167_219_200, 253_402_300_800
"""The seconds of 0000-01-01 and 10000-01-01."""
_DATE_WIDTH, _SECONDS_WIDTH = len("2024-01-05"), len("2024-01-05 10:00:00")
_WIDTHS = {"s": _SECONDS_WIDTH, "ms": _SECONDS_WIDTH + 4, "us": _SECONDS_WIDTH + 7, "ns": _SECONDS_WIDTH + 10}


def text_of_times(column: pa.Array) -> pa.StringArray:
    """Return dates, times, timestamps or durations as text. Raises ArrowInvalid for a time that no day has."""
    types, type_ = pa.types, column.type
    numbers = integers_of(column)
    if types.is_timestamp(type_) and _have_four_digits(numbers, type_.unit):
        return _with_nulls(column, _common_timestamps(numbers, type_.unit, is_utc=type_.tz is not None))
    if types.is_date(type_):
        days = numbers if types.is_date32(type_) else numbers // (_DAY * 1000)
        return _column(column, _dates(days))
    per_second = PER_SECOND[_TIMES[type_] if types.is_time(type_) else type_.unit]
    seconds, rest = numbers // per_second, numbers % per_second
    fractions = rest * (_NANOSECONDS // per_second)
    if types.is_timestamp(type_):
        return _column(column, _timestamps(seconds, fractions, is_utc=type_.tz is not None))
    if types.is_time(type_):
        if ((seconds < 0) | (seconds >= _DAY)).any():
            raise pa.ArrowInvalid("a time is not between 00:00 and 24:00")
        return _column(column, [_clock(seconds), *_decimals(fractions)])
    return _durations(column, numbers, per_second)


def text_of_timestamps(column: pa.Array, seconds: Integers, nanoseconds: Integers) -> pa.StringArray:
    """Return the text of timestamps without a time zone from seconds since 1970 and the nanoseconds after these.

    It is null where the column is.
    """
    return _column(column, _timestamps(seconds, nanoseconds, is_utc=False))


def integers_of(column: pa.Array) -> Integers:
    """Return the numbers that times are stored as, 0 for nulls."""
    width = pa.int32() if column.type.bit_width == 32 else pa.int64()
    integers: Integers = column.view(width).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return integers


def _have_four_digits(numbers: Integers, unit: str) -> bool:
    """Return whether all years are from 0 to 9999."""
    low, high = (bound * PER_SECOND[unit] for bound in _FOUR_DIGITS)
    return not len(numbers) or bool(numbers.min() >= low and numbers.max() < high)


def _common_timestamps(numbers: Integers, unit: str, is_utc: bool) -> pa.StringArray:
    """Return the text of timestamps whose years have four digits, which Arrow writes in one width."""
    text = pa.array(numbers).view(pa.timestamp(unit)).cast(pa.string())
    width = _WIDTHS[unit]
    matrix = np.frombuffer(text.buffers()[2] or b"", np.uint8)[: len(numbers) * width].reshape(-1, width)
    kept = _kept(matrix[:, _SECONDS_WIDTH + 1 :])
    used = width if kept is not None else _SECONDS_WIDTH
    lined = np.full((len(numbers), used + is_utc), ord("Z"), np.uint8)
    lined[:, :used] = matrix[:, :used]
    lined[:, _DATE_WIDTH] = ord("T")
    if kept is None or kept.all():
        return _strings(lined.ravel(), np.full(len(lined), lined.shape[1]))
    is_kept = np.ones(lined.shape, np.bool_)
    is_kept[:, _SECONDS_WIDTH:used] = kept
    return _strings(lined[is_kept], used + is_utc - np.count_nonzero(~kept, axis=1))


def _kept(digits: Matrix) -> npt.NDArray[np.bool_] | None:
    """Return which of a point and the decimals after it are written: those up to the last that is not 0.

    None if all are 0.
    """
    differs = digits != ord("0")
    if not differs.any():
        return None
    kept = np.empty((len(digits), 1 + digits.shape[1]), np.bool_)
    kept[:, -1] = differs[:, -1]
    for place in range(digits.shape[1] - 1, 0, -1):
        np.logical_or(kept[:, place + 1], differs[:, place - 1], out=kept[:, place])
    kept[:, 0] = kept[:, 1]
    return kept


def _timestamps(seconds: Integers, fractions: Integers, is_utc: bool) -> list[Matrix | pa.Array]:
    days, times = seconds // _DAY, seconds % _DAY
    zone = [_constant("Z", len(seconds))] if is_utc else []
    return [*_dates(days), _constant("T", len(seconds)), _clock(times), *_decimals(fractions), *zone]


def _durations(column: pa.Array, numbers: Integers, per_second: int) -> pa.StringArray:
    # The magnitude of the smallest number does not fit int64.
    unsigned = np.where(numbers < 0, ~numbers.view(np.uint64) + np.uint64(1), numbers.view(np.uint64))
    seconds, rest = np.divmod(unsigned, np.uint64(per_second))
    fractions = rest.astype(np.int64) * (_NANOSECONDS // per_second)
    signs = pa.array(np.where(numbers < 0, "-PT", "PT").tolist(), pa.string())
    whole = pa.array(seconds).cast(pa.string())
    return _column(column, [signs, whole, *_decimals(fractions), _constant("S", len(numbers))])


def _dates(days: Integers) -> list[Matrix | pa.Array]:
    """Return year, month and day."""
    months = days.view("datetime64[D]").astype("datetime64[M]")
    years = months.astype("datetime64[Y]")
    day = (days - months.astype("datetime64[D]").view(np.int64)) + 1
    month = (months.view(np.int64) - years.astype("datetime64[M]").view(np.int64)) + 1
    year = years.view(np.int64) + 1970
    rest = np.hstack([_constant("-", len(days)), _digits(month, 2), _constant("-", len(days)), _digits(day, 2)])
    if ((year >= 0) & (year < 10**_YEAR_DIGITS)).all():
        return [np.hstack([_digits(year, _YEAR_DIGITS), rest])]
    texts = [f"{one:04d}" if 0 <= one < 10**_YEAR_DIGITS else f"{one:+07d}" for one in year.tolist()]
    return [pa.array(texts), rest]


def _clock(seconds: Integers) -> Matrix:
    colon = _constant(":", len(seconds))
    parts = _digits(seconds // 3600, 2), colon, _digits(seconds // 60 % 60, 2), colon, _digits(seconds % 60, 2)
    return np.hstack(parts)


def _decimals(nanoseconds: Integers) -> list[pa.Array]:
    """Return the decimals of seconds with their point, without zeros at the end; nothing if all are 0."""
    digits = _digits(nanoseconds, 9)
    kept = _kept(digits)
    if kept is None:
        return []
    text = np.hstack([_constant(".", len(digits)), digits])
    return [_strings(text[kept], kept.sum(axis=1))]


def _digits(numbers: Integers, width: int) -> Matrix:
    """Return the last digits of numbers that are not negative."""
    found = np.empty((len(numbers), width), np.uint8)
    for place in reversed(range(width)):
        numbers, digit = numbers // 10, numbers % 10
        found[:, place] = digit
    found += ord("0")
    return found


def _constant(character: str, rows: int) -> Matrix:
    return np.full((rows, 1), ord(character), np.uint8)


def _column(column: pa.Array, parts: list[Matrix | pa.Array]) -> pa.StringArray:
    """Return the concatenated parts of each row; null where the column is."""
    joined: list[pa.Array] = []
    pending: list[Matrix] = []
    for part in [*parts, None]:
        if isinstance(part, np.ndarray):
            pending.append(part)
            continue
        if pending:
            matrix = np.hstack(pending)
            joined.append(_strings(matrix.ravel(), np.full(len(matrix), matrix.shape[1])))
            pending = []
        if part is not None:
            joined.append(part)
    text = joined[0] if len(joined) == 1 else pc.binary_join_element_wise(*joined, "")
    return _with_nulls(column, text)


def _with_nulls(column: pa.Array, text: pa.StringArray) -> pa.StringArray:
    return pc.if_else(column.is_valid(), text, pa.scalar(None, pa.string())) if column.null_count else text


def _strings(data: Matrix, lengths: Integers) -> pa.StringArray:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data)))
