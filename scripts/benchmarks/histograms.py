"""Time TFDV's equi-width histogram and ours on the quantiles of one numeric feature: `histograms.py [REPEAT]`."""

from __future__ import annotations

import sys
import timeit

import numpy as np

from beam_taxi.statistics.histograms import by_tfdv, equi_width_histogram

repeat = int(sys.argv[1]) if len(sys.argv) > 1 else 20
quantiles = np.sort(np.random.default_rng(1).lognormal(size=1001))
arguments = quantiles, np.arange(1, 1002.0), float(quantiles[0]), float(quantiles[-1]), 10, 0.0
theirs, ours = (
    timeit.timeit(lambda function=function: function(*arguments), number=repeat) / repeat * 1000
    for function in (by_tfdv, equi_width_histogram)
)
print(f"TFDV {theirs:.2f} ms, ours {ours:.2f} ms for each numeric feature and split: {theirs / ours:.1f} times as long")
