"""Distributions from buckets."""

from __future__ import annotations

import pytest

from beam_taxi.statistics.distribution import Bucket, Distribution

SHARES = {
    "below all": (-1.0, True, 0.0),
    "in a bucket": (0.5, True, 0.25),
    "before a jump": (1.0, False, 0.5),
    "after a jump": (1.0, True, 0.75),
    "in the next bucket": (2.0, True, 0.875),
    "above all": (9.0, False, 1.0),
}


@pytest.mark.parametrize(("x", "inclusive", "share"), SHARES.values(), ids=SHARES)
def test_share(x: float, inclusive: bool, share: float):
    one = Distribution([Bucket(0, 1, 2), Bucket(1, 1, 1), Bucket(1, 3, 1)])
    assert one.share(x, inclusive) == pytest.approx(share)
    assert one.quantile(0.25) == pytest.approx(0.5)
    assert one.quantile(0.6) == 1
