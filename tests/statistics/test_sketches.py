"""The error of TFDV's quantiles is within its bound."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tfx_bsl.sketches import QuantilesSketch

from beam_taxi.statistics.sketches import SKETCH, sketch_error
from tests.validation.tables import random

BATCH = 5_000


def sketch(values: np.ndarray) -> QuantilesSketch:
    """Return the sketch that TFDV makes of values in batches; every fourth batch has an accumulator of its own."""
    made = None
    for i in range(0, len(values), 4 * BATCH):
        part = QuantilesSketch(SKETCH, 1 << 32, 1)
        for j in range(i, min(i + 4 * BATCH, len(values)), BATCH):
            part.AddValues(pa.array(values[j : j + BATCH]))
        if made is None:
            made = part
        else:
            made.Compact()
            made.Merge(part)
    return made


@pytest.mark.parametrize("n", [300, 3_000, 15_000, 200_000])
def test_quantiles_are_as_exact_as_is_said(n: int):
    values = random(n).random(n)
    ends, cumulative = sketch(values).GetQuantilesAndCumulativeWeights(1000)
    found, shares = (np.array(one.to_pylist()).ravel() for one in (ends, cumulative))
    error = np.abs(np.searchsorted(np.sort(values), found, side="right") / n - shares / n).max()
    assert error <= sketch_error(n)


def test_the_error_grows_with_the_values_up_to_that_of_the_sketch():
    errors = [sketch_error(n) for n in (1, 10**4, 10**6, 10**8, 10**12)]
    assert errors == sorted(set(errors))
    assert errors[-1] == SKETCH
