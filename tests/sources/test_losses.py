"""What numbers lose as float32."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from beam_taxi.sources.losses import NO_LOSSES, Losses, losses_of

VALUES: dict[str, tuple[list[float | int | None], Losses]] = {
    "none": ([], NO_LOSSES),
    "missing": ([None], NO_LOSSES),
    "whole numbers that fit": ([0, 2**24, -(2**24), 2**30], NO_LOSSES),
    "whole numbers that do not": ([2**24 + 1, -(2**24) - 3, 5], Losses(0, 2, -(2**24) - 3)),
    "the largest integer": ([2**63 - 1], Losses(0, 1, float(2**63 - 1))),
    "cents that fit": ([12.34, 0.1, 99999.99, 131071.99], NO_LOSSES),
    "cents that do not": ([1234567.89, 0.5, -262144.01], Losses(0, 2, 1234567.89)),
    "mills": ([10000.125, 20000.001], Losses(0, 1, 20000.001)),
    "coordinates": ([41.968069, -87.7215577], NO_LOSSES),
    "a measurement": ([1234.567891], NO_LOSSES),
    "beyond 2**24 with decimals": ([16777217.123456], Losses(0, 1, 16777217.123456)),
    "too small": ([1e-51, -1e-60, 0.0, 1e-40], Losses(2)),
    "NaN and infinities": ([float("nan"), float("inf"), -float("inf")], NO_LOSSES),
    "too large": ([1e39], NO_LOSSES),
}


@pytest.mark.parametrize(("values", "expected"), VALUES.values(), ids=VALUES)
def test_losses(values: list[float | int | None], expected: Losses):
    kind = pa.int64() if values and all(isinstance(one, int) for one in values) else pa.float64()
    assert losses_of(pa.array(values, kind)) == expected


def test_sums_keep_the_largest_example():
    assert Losses(1, 2, -5.0) + Losses(1, 1, 3.0) == Losses(2, 3, -5.0)
    assert NO_LOSSES + NO_LOSSES == NO_LOSSES


def test_cents_are_told_exactly_where_float32_does_not_print_them():
    cents = np.arange(0, 60_000_000, 997) / 100
    text = [f"{one:.2f}".rstrip("0").rstrip(".") for one in cents]
    decimals = [len(one.partition(".")[2]) for one in text]
    stored = [f"{float(np.float32(one)):.{n}f}" for one, n in zip(cents, decimals, strict=True)]
    expected = sum(one != other for one, other in zip(text, stored, strict=True))
    assert losses_of(pa.array(cents)).changed == expected > 0
