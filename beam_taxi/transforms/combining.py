"""Combining many elements that have few keys."""

from __future__ import annotations

from typing import Any

import apache_beam as beam

FANOUT = 128
"""The number of shares in which the elements of a key are merged first, if there are many; TFDV uses the same."""
_MANY = 512


def combine_per_key(combine: beam.CombineFn, count: int) -> beam.PTransform[Any, Any]:
    """Return a CombinePerKey for few keys and up to about `count` bundles, each of which has an accumulator for a key.

    One worker merges all accumulators of a key. If there are many, several workers merge shares of them first.
    """
    per_key = beam.CombinePerKey(combine)
    return per_key.with_hot_key_fanout(FANOUT) if count > _MANY else per_key


def combine_globally(combine: beam.CombineFn, count: int) -> beam.PTransform[Any, Any]:
    """Return a CombineGlobally for up to about `count` bundles; see `combine_per_key`."""
    combined = beam.CombineGlobally(combine)
    return combined.with_fanout(FANOUT) if count > _MANY else combined
