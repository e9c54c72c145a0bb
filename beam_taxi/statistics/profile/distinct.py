"""Estimate the number of distinct values from the smallest of their hashes."""

from __future__ import annotations

import numpy as np

from beam_taxi.run.profile import Distinct
from beam_taxi.statistics.profile.hashes import Hashes

KEPT = 4096

_HASHES = 2.0**64


class DistinctHashes:
    """The smallest hashes of a set of values (Bar-Yossef et al., Counting Distinct Elements in a Data Stream, 2002)."""

    def __init__(self) -> None:
        self._hashes = np.zeros(0, np.uint64)

    @staticmethod
    def of(hashes: Hashes) -> DistinctHashes:
        """Return what has these hashes, ascending."""
        found = DistinctHashes()
        found._hashes = hashes
        return found

    @property
    def hashes(self) -> Hashes:
        """The hashes that are kept, ascending."""
        return self._hashes

    def add(self, hashes: Hashes) -> None:
        """Add the hashes of values, also of values that were added before."""
        if len(self._hashes) == KEPT:
            hashes = hashes[hashes < self._hashes[-1]]
        if len(hashes):
            # A copy, since a view would keep all.
            self._hashes = np.unique(np.concatenate([self._hashes, hashes]))[:KEPT].copy()

    def merge(self, other: DistinctHashes) -> None:
        """Add the values of another."""
        self.add(other._hashes)

    def estimate(self) -> Distinct:
        """Return the number of values, exact if fewer than `KEPT` hashes are known."""
        if len(self._hashes) < KEPT:
            return Distinct(len(self._hashes))
        return Distinct(round((KEPT - 1) / (float(self._hashes[-1]) / _HASHES)), False, (KEPT - 2) ** -0.5)
