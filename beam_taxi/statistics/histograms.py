"""TFDV's equi-width histograms, computed with NumPy.

TFDV compares each of a thousand quantiles with each bucket in Python:
https://github.com/tensorflow/data-validation/blob/v1.16.1/tensorflow_data_validation/utils/quantiles_util.py
No upstream issue is known. `tests/statistics/test_histograms.py` notices when TFDV no longer loops, or no longer calls
the function by this name; `scripts/benchmarks/histograms.py` measures the speedup.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tensorflow_data_validation.utils import quantiles_util
from tensorflow_metadata.proto.v0 import statistics_pb2

by_tfdv = quantiles_util.generate_equi_width_histogram


@np.errstate(all="ignore")
def equi_width_histogram(
    quantiles: NDArray[np.float64],
    cumulative_counts: NDArray[np.float64],
    finite_min: float,
    finite_max: float,
    num_buckets: int,
    num_pos_inf: float,
) -> statistics_pb2.Histogram:
    """Return, bit for bit, what TFDV's `generate_equi_width_histogram` returns; non-finite input is left to it."""
    edges = np.array([finite_min, finite_max])
    if finite_min != finite_max:
        edges = np.linspace(finite_min, finite_max, num_buckets + 1)
    if num_pos_inf or not (np.isfinite(edges).all() and np.isfinite(quantiles).all()):
        return by_tfdv(quantiles, cumulative_counts, finite_min, finite_max, num_buckets, num_pos_inf)
    low, high, weights = quantiles_util._get_bin_weights(quantiles, cumulative_counts)
    lower, upper = edges[:-1, None], edges[1:, None]
    is_inside = (lower <= low) & (high <= upper)
    # A value on the edge of two buckets belongs to the first.
    is_inside[1:] &= (low < high) | (low != lower[1:])
    width, overlap = high - low, np.minimum(high, upper) - np.maximum(low, lower)
    shares = np.divide(np.maximum(overlap, 0.0), width, out=np.zeros_like(overlap), where=width > 0)
    # `cumsum` adds in TFDV's order; `sum` does not.
    counts = (np.where(is_inside, 1.0, shares) * weights).cumsum(axis=1)[:, -1]
    histogram = statistics_pb2.Histogram(type=statistics_pb2.Histogram.STANDARD)
    for low_value, high_value, count in zip(edges[:-1], edges[1:], counts, strict=True):
        histogram.buckets.add(low_value=low_value, high_value=high_value, sample_count=count)
    return histogram


def replace_those_of_tfdv() -> None:
    """Make TFDV compute its histograms with `equi_width_histogram` in this process.

    TFDV's combiner has no hook for it, so workers call this when they set up to write. A worker that never writes
    computes the same histograms with TFDV's own function.
    """
    quantiles_util.generate_equi_width_histogram = equi_width_histogram
