"""TFDV's histograms, computed with NumPy.

TFDV compares each of a thousand quantiles in Python, with the next one and with each bucket of equal width:
https://github.com/tensorflow/data-validation/blob/v1.16.1/tensorflow_data_validation/utils/quantiles_util.py
No upstream issue is known. `tests/statistics/test_histograms.py` notices when TFDV no longer loops, or no longer calls
the functions by these names; `scripts/benchmarks/histograms.py` measures the speedup.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tensorflow_data_validation.utils import quantiles_util
from tensorflow_metadata.proto.v0 import statistics_pb2

Floats = NDArray[np.float64]

by_tfdv = quantiles_util.generate_equi_width_histogram
weights_by_tfdv = quantiles_util._get_bin_weights


def bin_weights(boundaries: Floats, cumulative_weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the lower bounds, upper bounds and weights of bins, bit for bit as TFDV's `_get_bin_weights`.

    Bins with the same upper bound share their weight equally. Those equal to the first bin also share the weight of the
    smallest value.
    """
    cumulative_weights = cumulative_weights.astype(np.float64)
    low, high, weights = boundaries[:-1], boundaries[1:], np.diff(cumulative_weights)
    if not len(weights):
        return low, high, weights
    edges = np.concatenate([[0], np.flatnonzero(high[1:] != high[:-1]) + 1, [len(high)]])
    sizes = np.diff(edges)
    for size in np.unique(sizes[sizes > 1]).tolist():
        shared = edges[:-1][sizes == size, None] + np.arange(size)
        # The sum of each row adds in TFDV's order; that of `reduceat` does not.
        weights[shared] = weights[shared].sum(axis=1, keepdims=True) / size
    is_first = (low == low[0]) & (high == high[0])
    first = len(low) if is_first.all() else int(np.argmin(is_first))
    if first:
        weights[:first] += cumulative_weights[0] / first
    return low, high, weights


@np.errstate(all="ignore")
def equi_width_histogram(
    quantiles: Floats,
    cumulative_counts: Floats,
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
    low, high, weights = bin_weights(quantiles, cumulative_counts)
    # Both are sorted, so the buckets that a bin may overlap are next to each other.
    first = np.searchsorted(edges[1:], low)
    sizes = np.maximum(np.searchsorted(edges[:-1], high, side="right") - first, 0)
    bins = np.repeat(np.arange(len(low)), sizes)
    buckets = np.arange(len(bins)) + np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
    low, high, lower, upper = low[bins], high[bins], edges[buckets], edges[buckets + 1]
    # A value on the edge of two buckets belongs to the first.
    is_inside = (lower <= low) & (high <= upper) & ((buckets == 0) | (low < high) | (low != lower))
    width, overlap = high - low, np.minimum(high, upper) - np.maximum(low, lower)
    shares = np.divide(np.maximum(overlap, 0.0), width, out=np.zeros_like(overlap), where=width > 0)
    # `bincount` adds in TFDV's order.
    counts = np.bincount(buckets, np.where(is_inside, 1.0, shares) * weights[bins], len(edges) - 1)
    histogram = statistics_pb2.Histogram(type=statistics_pb2.Histogram.STANDARD)
    for low_value, high_value, count in zip(edges[:-1], edges[1:], counts, strict=True):
        histogram.buckets.add(low_value=low_value, high_value=high_value, sample_count=count)
    return histogram


def replace_those_of_tfdv() -> None:
    """Make TFDV compute its histograms with `equi_width_histogram` and `bin_weights` in this process.

    TFDV's combiner has no hook for it, so workers call this when they set up to write. A worker that never writes
    computes the same histograms with TFDV's own function.
    """
    quantiles_util.generate_equi_width_histogram = equi_width_histogram
    quantiles_util._get_bin_weights = bin_weights
