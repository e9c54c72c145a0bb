"""How exact TFDV's sketches are."""

from __future__ import annotations

import math

SKETCH = 0.01
"""Maximum error of a share at a bucket's boundary in TFDV's quantile sketches: `StatsOptions.epsilon`."""

INTERPOLATED = 0.001
"""Share of the values that may be on the wrong side of a boundary in an equi-width histogram, beside that error."""

DISTINCT = 0.09
"""Relative standard error of the number of distinct values in TFDV's sketches: the k minimum values, of which it has
128 (Beyer et al., On Synopses for Distinct-Value Estimation Under Multiset Operations, SIGMOD 2007)."""

_BLOCK = 2101
"""Number of values in a compressed block of tfx_bsl's sketch, from its `eps` of 0.01 and `max_num_elements` of 2^32."""


def sketch_error(n: float) -> float:
    """Return by how much a share at a boundary of quantiles of n values may be off, at most `SKETCH`.

    Values are compressed in blocks, blocks in pairs, and so on. Each time the error grows by the inverse of the size of
    a block (Zhang and Wang, A Fast Algorithm for Approximate Quantiles in High Speed Data Streams, SSDBM 2007).
    """
    return min(SKETCH, (1 + math.ceil(math.log2(max(1.0, n / _BLOCK)))) / _BLOCK)
