"""How much is merged that has few keys."""

from __future__ import annotations

from typing import Any

import apache_beam as beam

FANOUT = 128
"""The number of shares in which much of one key is merged first; that of TFDV."""
_MANY = 512


def combine_per_key(combine: beam.CombineFn, count: int) -> beam.PTransform[Any, Any]:
    """Return CombinePerKey for few keys and about `count` accumulators.

    One worker merges all that has one key. If that is much, several merge shares of it first.
    """
    per_key = beam.CombinePerKey(combine)
    return per_key.with_hot_key_fanout(FANOUT) if count > _MANY else per_key
