"""Into how many units tables of all sizes are cut."""

from __future__ import annotations

from typing import Any

import pytest

from beam_taxi.errors import UsageError
from beam_taxi.settings import Settings
from beam_taxi.sources.unit_count import MOST_UNITS, UNIT_BYTES, units_for

TB = 10**12


@pytest.mark.parametrize(
    ("size", "options", "units"),
    [
        (1, {}, 1),
        (UNIT_BYTES, {}, 1),
        (UNIT_BYTES + 1, {}, 2),
        (386 * 10**6, {}, 12),
        (MOST_UNITS * UNIT_BYTES, {}, MOST_UNITS),
        (TB, {}, MOST_UNITS),
        (10 * TB, {}, MOST_UNITS),
        (10 * TB, {"unit_bytes": 1 << 30}, 9314),
        (10 * TB, {"num_shards": 99_999}, 99_999),
    ],
)
def test_units(size: int, options: dict[str, Any], units: int):
    assert units_for(size, Settings(("x.csv",), "/out/r", "r", **options)) == units


def test_too_many_units_are_refused():
    with pytest.raises(
        UsageError, match="--unit_bytes 1: would cut .* into 1,000,000 shards, and 99,999 are the limit; use 11"
    ):
        units_for(10**6, Settings(("x.csv",), "/out/r", "r", unit_bytes=1))
