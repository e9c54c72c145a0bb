"""Shares of the splits within each class of a label, by counting the hashes of each class first.

The rows of a class are ordered by their hash, mixed over 32 bits, and the splits are ranges of hashes whose ends depend
on the class. Of a small class every hash is counted, of a large one buckets of neighbouring hashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.errors import DataError
from beam_taxi.tfexample.split import BYTES_TYPES, mix
from beam_taxi.validation.keys import with_one_form

MOST_CLASSES = 1000
MOST_BUCKETS = 4096
"""The buckets of a class: while it has no more distinct hashes, each is a bucket."""
_BITS = 32
_MOST_WAITING = 1 << 20
"""Rows that are counted at once."""

Class = bytes | None
"""A class by the bytes of its value; rows without a value are a class of their own."""
Hashes = npt.NDArray[np.uint32]


@dataclass
class Histogram:
    """The rows of a class by the first `bits` of their mixed hashes: as many as leave `MOST_BUCKETS` buckets.

    Merging is commutative: the bits depend on the hashes alone.
    """

    bits: int = _BITS
    buckets: Hashes = field(default_factory=lambda: np.zeros(0, np.uint32))
    rows: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, mixed: Hashes) -> None:
        """Add rows by their mixed hashes."""
        self.merge(Histogram(_BITS, mixed, np.ones(len(mixed), np.int64)))

    def merge(self, other: Histogram) -> None:
        """Add the rows of another, whose buckets may be unordered."""
        bits = min(self.bits, other.bits)
        buckets = np.concatenate([one.buckets >> np.uint32(one.bits - bits) for one in (self, other)])
        order = np.argsort(buckets, kind="stable")
        self.buckets, self.rows, self.bits = buckets[order], np.concatenate([self.rows, other.rows])[order], bits
        self._join_equal()
        while len(self.buckets) > MOST_BUCKETS:
            self.buckets, self.bits = self.buckets >> np.uint32(1), self.bits - 1
            self._join_equal()

    def _join_equal(self) -> None:
        if len(self.buckets):
            starts = np.flatnonzero(np.concatenate([[True], self.buckets[1:] != self.buckets[:-1]]))
            self.buckets, self.rows = self.buckets[starts], np.add.reduceat(self.rows, starts)

    def ends(self, weights: Sequence[int]) -> npt.NDArray[np.uint64]:
        """Return the mixed hash before which each split but the last ends, so that its share is as near as can be."""
        total, whole = int(self.rows.sum()), sum(weights)
        before = np.concatenate([[0], np.cumsum(self.rows)])
        width = np.uint64(_BITS - self.bits)
        edges = np.concatenate([[np.uint64(0)], (self.buckets.astype(np.uint64) + np.uint64(1)) << width])
        # In whole numbers, so that no machine rounds another way; halves go to the earlier split.
        wanted = [(2 * total * int(part) + whole) // (2 * whole) for part in np.cumsum(weights)[:-1]]
        found: npt.NDArray[np.uint64] = edges[[int(np.argmin(np.abs(before - rows))) for rows in wanted]]
        return found


@dataclass
class ClassCounts:
    """A histogram of each class of a label. Raises DataError if there are too many classes."""

    label: str
    classes: dict[Class, Histogram] = field(default_factory=dict)
    _waiting: list[tuple[npt.NDArray[np.int64], Hashes]] = field(default_factory=list)

    def add(self, column: pa.Array, checksums: Hashes) -> None:
        """Add rows by their label and the checksum of their tf.Example."""
        codes, values = classes_of(column)
        for value in values:
            self.classes.setdefault(value, Histogram())
        self._check()
        numbers = {value: number for number, value in enumerate(self.classes)}
        known = np.array([numbers[value] for value in values], np.int64)
        self._waiting.append((known[codes], mix(checksums)))
        if sum(len(mixed) for _, mixed in self._waiting) >= _MOST_WAITING:
            self.count()

    def count(self) -> None:
        """Count the rows that were added; call it after the last one."""
        if not self._waiting:
            return
        numbers, mixed = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting = []
        order = np.argsort(numbers, kind="stable")
        edges = np.searchsorted(numbers[order], np.arange(len(self.classes) + 1))
        for number, histogram in enumerate(self.classes.values()):
            mine = order[edges[number] : edges[number + 1]]
            if len(mine):
                histogram.add(mixed[mine])

    def merge(self, other: ClassCounts) -> None:
        """Add the rows of another."""
        for value, histogram in other.classes.items():
            self.classes.setdefault(value, Histogram()).merge(histogram)
        self._check()

    def _check(self) -> None:
        if len(self.classes) > MOST_CLASSES:
            raise DataError(
                f"--stratify: column {self.label!r}, the --label, has more than {MOST_CLASSES:,} distinct values; "
                "name a column of classes as --label, or leave --stratify out"
            )

    def strata(self, weights: Sequence[int]) -> Strata:
        """Return where the splits end in each class."""
        return Strata(self.label, {value: one.ends(weights) for value, one in self.classes.items()})


@dataclass(frozen=True)
class Strata:
    """The mixed hashes before which the splits end, but for the last, by class of a label."""

    label: str
    ends: Mapping[Class, npt.NDArray[np.uint64]]

    def assign(self, column: pa.Array, checksums: Hashes) -> npt.NDArray[np.int16]:
        """Return the numbers of the splits of rows. Raises DataError for a class that was not counted."""
        codes, values = classes_of(column)
        if not values:
            return np.zeros(0, np.int16)
        if any(value not in self.ends for value in values):
            raise DataError(f"column {self.label!r} has a value that it did not have before: the input has changed")
        mixed, numbers = mix(checksums), np.zeros(len(codes), np.int16)
        for ends in np.stack([self.ends[value] for value in values]).T:
            numbers += mixed >= ends[codes]
        return numbers


def classes_of(column: pa.Array) -> tuple[npt.NDArray[np.int64], list[Class]]:
    """Return the number of the class of each row, and the classes; 0.0 and -0.0 are one, and so are all NaNs."""
    encoded = with_one_form(column).view(BYTES_TYPES[column.type]).dictionary_encode()
    values: list[Class] = encoded.dictionary.cast(pa.binary()).to_pylist()
    codes = encoded.indices.fill_null(len(values)).to_numpy().astype(np.int64)
    return codes, [*values, None] if column.null_count else values
