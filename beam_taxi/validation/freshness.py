"""The newest time in a column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.validation.checks import UNITS, FreshnessCheck
from beam_taxi.validation.row_rules import as_text, column_of

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2})(:[0-9]{2})?(:[0-9]{2})?(\.[0-9]+)?)? ?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


@dataclass(frozen=True)
class Newest:
    """The newest time in microseconds since 1970, or None if there is none, and the number of unreadable values."""

    microseconds: int | None = None
    unreadable: int = 0

    def merge(self, other: Newest) -> Newest:
        """Return the newest time of two parts of the rows, in any order."""
        known = [one.microseconds for one in (self, other) if one.microseconds is not None]
        return Newest(max(known, default=None), self.unreadable + other.unreadable)


def newest(check: FreshnessCheck, batch: pa.RecordBatch) -> Newest:
    """Return the newest time of the rows of a batch.

    Args:
        check: The check.
        batch: Its column as int64, in the check's unit, or text or bytes in ISO 8601, in UTC unless it has an offset.
    """
    column = column_of(batch, check.column)
    if column.null_count == len(column):
        return Newest()
    if pa.types.is_integer(column.type):
        return Newest(pc.max(column).as_py() * (UNITS["us"] // UNITS[check.unit or "s"]))
    text = as_text(column)
    try:
        # Much faster than one by one; Arrow accepts no offsets here.
        return Newest(pc.max(text.cast(pa.timestamp("us")).cast(pa.int64())).as_py())
    except pa.ArrowInvalid:
        counts = pc.value_counts(text.drop_null())
    found = Newest()
    for value, count in zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True):
        time = microseconds_of(value)
        found = found.merge(Newest(unreadable=count) if time is None else Newest(time))
    return found


def microseconds_of(text: str) -> int | None:
    """Return an ISO 8601 date or time as microseconds since 1970, or None if it is not one."""
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None
    date, hours, minutes, seconds, fraction, zone = match.groups()
    # Python 3.10 reads exactly six decimals, and no Z.
    decimals = (fraction or ".")[1:7].ljust(6, "0")
    offset = "+00:00" if zone in (None, "Z") else f"{zone[:3]}:{zone[-2:]}"
    try:
        time = datetime.fromisoformat(f"{date}T{hours or '00'}{minutes or ':00'}{seconds or ':00'}.{decimals}{offset}")
    except ValueError:
        return None
    return (time - _EPOCH) // timedelta(microseconds=1)


def describe(microseconds: int) -> str:
    """Return a time in UTC as text; one that Python's calendar does not have, as a number of seconds."""
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except OverflowError:
        return f"{microseconds / 1e6:.6g} s since 1970"
