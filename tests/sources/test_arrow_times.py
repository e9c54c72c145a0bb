"""Dates and times as text: one instant has one text, equal to what Python's datetime says row by row."""

from __future__ import annotations

from datetime import date, datetime, time, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_taxi.sources.arrow.times import PER_SECOND, text_of_times

SECOND = 1_591_012_800
"""2020-06-01T12:00:00Z."""


def counted(numbers: list[int | None], type_: pa.DataType) -> pa.Array:
    """Return times from their numbers."""
    return pa.array(numbers, pa.int32() if type_.bit_width == 32 else pa.int64()).view(type_)


@pytest.mark.parametrize("unit", PER_SECOND)
@pytest.mark.parametrize("zone", [None, "UTC", "+00:00", "+05:30", "-08:00", "Europe/Berlin", "Nowhere/Atall"])
def test_an_instant_has_one_text_whatever_its_unit_and_zone(unit: str, zone: str | None):
    found = text_of_times(counted([SECOND * PER_SECOND[unit], None], pa.timestamp(unit, zone)))
    assert found.to_pylist() == ["2020-06-01T12:00:00" + ("Z" if zone else ""), None]


CASES = {
    "no decimals": (0, pa.timestamp("ns"), "1970-01-01T00:00:00"),
    "decimals of ms": (250, pa.timestamp("ms"), "1970-01-01T00:00:00.25"),
    "decimals of us": (1, pa.timestamp("us", "UTC"), "1970-01-01T00:00:00.000001Z"),
    "decimals of ns": (1, pa.timestamp("ns"), "1970-01-01T00:00:00.000000001"),
    "before 1970": (-1, pa.timestamp("ms"), "1969-12-31T23:59:59.999"),
    "first of ns": (-(2**63), pa.timestamp("ns"), "1677-09-21T00:12:43.145224192"),
    "last of ns": (2**63 - 1, pa.timestamp("ns"), "2262-04-11T23:47:16.854775807"),
    "year 9999": (253_402_214_400, pa.timestamp("s"), "9999-12-31T00:00:00"),
    "year 10000": (253_402_300_800, pa.timestamp("s", "UTC"), "+010000-01-01T00:00:00Z"),
    "year 0": (-62_167_219_200, pa.timestamp("s"), "0000-01-01T00:00:00"),
    "year -1": (-62_167_219_201, pa.timestamp("s"), "-000001-12-31T23:59:59"),
    "last of s": (2**63 - 1, pa.timestamp("s"), "+292277026596-12-04T15:30:07"),
    "date": (18_262, pa.date32(), "2020-01-01"),
    "leap day": (18_321, pa.date32(), "2020-02-29"),
    "date64": (18_262 * 86_400_000, pa.date64(), "2020-01-01"),
    "time of s": (36_000, pa.time32("s"), "10:00:00"),
    "time of ms": (36_000_250, pa.time32("ms"), "10:00:00.25"),
    "time of us": (1, pa.time64("us"), "00:00:00.000001"),
    "time of ns": (86_399_999_999_999, pa.time64("ns"), "23:59:59.999999999"),
    "duration": (60, pa.duration("s"), "PT60S"),
    "duration of us": (60_250_000, pa.duration("us"), "PT60.25S"),
    "negative duration": (-250, pa.duration("ms"), "-PT0.25S"),
    "no duration": (0, pa.duration("ns"), "PT0S"),
    "longest duration": (-(2**63), pa.duration("s"), "-PT9223372036854775808S"),
}


@pytest.mark.parametrize(("number", "type_", "text"), CASES.values(), ids=CASES)
def test_text(number: int, type_: pa.DataType, text: str):
    assert text_of_times(counted([number], type_)).to_pylist() == [text]
    # Beside others, some of them missing, and in a part of an array.
    column = counted([0, None, number, None, 1], type_).slice(1, 3)
    assert text_of_times(column).to_pylist() == [None, text, None]
    assert text_of_times(column[:0]).to_pylist() == []


@pytest.mark.parametrize(("number", "type_"), [(-1, pa.time32("s")), (86_400_000_000, pa.time64("us"))])
def test_a_time_that_no_day_has_is_refused(number: int, type_: pa.DataType):
    with pytest.raises(pa.ArrowInvalid, match="not between 00:00 and 24:00"):
        text_of_times(counted([number], type_))


def without_zeros(text: str) -> str:
    """Return the text of Python's datetime, which has six decimals if they are not all 0."""
    return text.rstrip("0").rstrip(".") if "." in text else text


@given(st.lists(st.datetimes() | st.none()))
def test_timestamps_equal_those_of_python(values: list[datetime | None]):
    expected = [None if one is None else without_zeros(one.isoformat()) for one in values]
    assert text_of_times(pa.array(values, pa.timestamp("us"))).to_pylist() == expected
    aware = [None if one is None else one.replace(tzinfo=timezone.utc) for one in values]
    in_zone = text_of_times(pa.array(aware, pa.timestamp("us", "-03:30"))).to_pylist()
    assert in_zone == [None if one is None else f"{one}Z" for one in expected]


@given(st.lists(st.dates() | st.none()), st.lists(st.times() | st.none()))
def test_dates_and_times_equal_those_of_python(dates: list[date | None], times: list[time | None]):
    assert text_of_times(pa.array(dates, pa.date32())).to_pylist() == [one and one.isoformat() for one in dates]
    expected = [None if one is None else without_zeros(one.isoformat()) for one in times]
    assert text_of_times(pa.array(times, pa.time64("us"))).to_pylist() == expected
