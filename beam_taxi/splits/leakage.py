"""Find keys that are in more than one split, in bounded memory: from the keys with the smallest hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.run.leakage import Leakage
from beam_taxi.run.validation import Offender
from beam_taxi.sources.source import NO_GROUP
from beam_taxi.statistics.profile.hashes import hash_values

MOST_PAIRS = 1 << 17
"""Pairs of a key and a split up to which all are known."""
MOST_EXAMPLES = 3
_ROWS_OF_EXAMPLE = 4
_HASHES = 2.0**64

_PAIR = np.dtype([("hash", "<u8"), ("split", "u1"), ("source", "<i4"), ("group", "<i4"), ("number", "<i8")])
"""A 64-bit hash of a key, a split that has it, and the place of the first row that does."""
RowNumbers = npt.NDArray[np.int64]


class SplitKeys:
    """The pairs of a key and a split with the smallest hashes of keys: all below a limit, no more than `most`.

    The limit is the smallest hash that does not fit, so merging is commutative, and what is kept depends on the rows
    alone (Dasgupta et al., A Framework for Estimating Stream Expression Cardinalities, 2016).
    """

    def __init__(self, most: int = MOST_PAIRS) -> None:
        self._most = most
        self._pairs = np.zeros(0, _PAIR)
        self._waiting = list[npt.NDArray[np.void]]()
        self._limit: np.uint64 | None = None

    def add(
        self,
        records: pa.BinaryArray,
        splits: npt.NDArray[np.uint8],
        places: tuple[RowNumbers, RowNumbers, RowNumbers],
    ) -> None:
        """Add rows by their encoded keys; `places` has their sources, groups and numbers."""
        rows = np.zeros(len(records), _PAIR)
        rows["hash"], rows["split"] = hash_values(records), splits
        rows["source"], rows["group"], rows["number"] = places
        self._add(rows)

    def merge(self, other: SplitKeys) -> None:
        """Add the keys of another."""
        if other._limit is not None:
            self._limit = other._limit if self._limit is None else min(self._limit, other._limit)
        for rows in (other._pairs, *other._waiting):
            self._add(rows)

    def _add(self, rows: npt.NDArray[np.void]) -> None:
        if self._limit is not None:
            rows = rows[rows["hash"] < self._limit]
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) > self._most:
            self.compact()

    def compact(self) -> None:
        """Keep only what is needed; call it before the keys are sent anywhere."""
        rows = np.concatenate([self._pairs, *self._waiting])
        self._waiting = []
        if self._limit is not None:
            rows = rows[rows["hash"] < self._limit]
        rows = rows[np.lexsort([rows[name] for name in reversed(_PAIR.names or ())])]
        is_first = np.ones(len(rows), np.bool_)
        is_first[1:] = (rows["hash"][1:] != rows["hash"][:-1]) | (rows["split"][1:] != rows["split"][:-1])
        rows = rows[is_first]
        if len(rows) > self._most:
            self._limit = rows["hash"][self._most]
            rows = rows[rows["hash"] < self._limit]
        self._pairs = rows

    def leakage(self, key: Sequence[str], splits: Sequence[str], files: Sequence[str]) -> Leakage:
        """Return what the keys show; `splits` are their names, and `files` the URIs of the sources."""
        self.compact()
        hashes, starts, counts = np.unique(self._pairs["hash"], return_index=True, return_counts=True)
        shared = np.flatnonzero(counts > 1)
        examples = []
        for start, count in zip(starts[shared][:MOST_EXAMPLES], counts[shared], strict=False):
            pairs = self._pairs[start : start + min(count, _ROWS_OF_EXAMPLE)]
            examples.append(tuple(_row(pair, splits, files) for pair in pairs))
        found = Leakage(tuple(key), len(hashes), len(shared), len(hashes), examples=tuple(examples))
        return found if self._limit is None else _estimated(found, float(self._limit) / _HASHES)


def _row(pair: np.void, splits: Sequence[str], files: Sequence[str]) -> Offender:
    group = int(pair["group"])
    return Offender(
        files[pair["source"]], int(pair["number"]), splits[pair["split"]], None if group == NO_GROUP else group
    )


def _estimated(found: Leakage, share: float) -> Leakage:
    """Return estimates from a `share` of the hashes, which is also that of the keys up to chance."""
    keys, shared = round(found.keys / share), round(found.shared / share)
    error = float(np.sqrt((1 - share) / found.shared)) if found.shared else 0.0
    return replace(found, keys=keys, shared=shared, exact=False, error=error)
