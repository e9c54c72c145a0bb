"""INT96 timestamps as Arrow gives them: in ms, and in ns of which 64 bits are kept."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_taxi.sources.arrow.int96 import text_of_int96

DAY = 86_400 * 10**9
WRITTEN = tuple[int, int]
"""Days since 1970, and nanoseconds of the day, an unsigned number."""


def text_of(values: list[WRITTEN]) -> list[str]:
    coarse = [day * 86_400_000 + ns // 10**6 for day, ns in values]
    fine = np.array([(day * DAY + ns) % 2**64 for day, ns in values], np.uint64).view(np.int64)
    found = text_of_int96(pa.array(coarse, pa.timestamp("ms")), pa.array(fine).view(pa.timestamp("ns")))
    texts: list[str] = found.to_pylist()
    return texts


def instant_of(text: str) -> int:
    """Return the nanoseconds since 1970 of a year that Python has."""
    whole, _, decimals = text.partition(".")
    seconds = (datetime.fromisoformat(whole) - datetime(1970, 1, 1)) // timedelta(seconds=1)
    return seconds * 10**9 + int((decimals or "0").ljust(9, "0"))


def as_arrow_writes(instant: int) -> WRITTEN:
    """Return an instant with the quotient and the remainder of C, which are rounded towards 0."""
    day = -(-instant // DAY) if instant < 0 else instant // DAY
    return day, (instant - day * DAY) % 2**64


instants = st.integers(instant_of("0001-01-01T00:00:00"), instant_of("9999-12-31T23:59:59"))
of_ns = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(instants.map(lambda one: one // 1000 * 1000)))
def test_microseconds_of_any_year_and_writer(values: list[int]):
    for write in (as_arrow_writes, lambda one: divmod(one, DAY)):
        assert [instant_of(one) for one in text_of([write(one) for one in values])] == values


@given(st.lists(of_ns))
def test_nanoseconds_up_to_the_year_2262(values: list[int]):
    # Another one shows that there are nanoseconds.
    found = text_of([divmod(one, DAY) for one in [1, *values]])
    assert [instant_of(one) for one in found] == [1, *values]


@given(st.lists(of_ns.filter(lambda one: one >= 0)))
def test_nanoseconds_since_1970_that_arrow_writes(values: list[int]):
    found = text_of([as_arrow_writes(one) for one in [1, *values]])
    assert [instant_of(one) for one in found] == [1, *values]


def test_a_doubtful_year_is_refused():
    with pytest.raises(pa.ArrowInvalid, match="may be in the year 1969 or 2554"):
        text_of([as_arrow_writes(-1)])


def test_years_beyond_those_of_python():
    assert text_of([(2**31 - 1, 1000)]) == ["+5881580-07-11T00:00:00.000001"]
