"""What the first pass finds in the weights of rows."""

from __future__ import annotations

import pyarrow as pa
import pytest

from beam_taxi.sources.weights import Weights, weights_of

WEIGHTS: dict[str, tuple[list[float | None], tuple[int, str] | None]] = {
    "sound": ([1, 0, 2.5], None),
    "none at all": ([], None),
    "missing": ([1, None, None], (1, "is missing")),
    "negative": ([1, 2, -0.5], (2, "is -0.5; weights must be finite and at least 0")),
    "NaN": ([1, float("nan")], (1, "is nan; weights must be finite and at least 0")),
    "infinite": ([float("inf")], (0, "is inf; weights must be finite and at least 0")),
    "zero": ([0, 0], (0, "is 0 in all rows")),
}


@pytest.mark.parametrize(("values", "expected"), WEIGHTS.values(), ids=WEIGHTS)
def test_the_first_fault(values: list[float | None], expected: tuple[int, str] | None):
    assert weights_of(pa.array(values, pa.float64()), {}).first_fault() == expected


def test_a_slice_without_weight():
    column = pa.array(["a", "b", None, "b", "a"])
    found = weights_of(pa.array([1.0, 0, 0, 0, 1]), {"g": column})
    assert found.first_fault() == (1, "is 0 in all rows in which 'g' is 'b'")


def test_parts_together_are_what_counts():
    zeros = weights_of(pa.array([0.0, 0.0]), {"g": pa.array(["a", "b"])}).at(lambda row: row + 10)
    ones = weights_of(pa.array([1.0]), {"g": pa.array(["a"])})
    assert (ones + zeros).first_fault() == (zeros + ones).first_fault() == (11, "is 0 in all rows in which 'g' is 'b'")
    assert (Weights[int]() + zeros).first_fault() == (10, "is 0 in all rows")
