"""Counts of a string column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.numerals import DIGIT, NUMBER
from beam_taxi.run.profile import STRING, Distinct, FeatureProfile, Lengths, Text, Values
from beam_taxi.statistics.profile.distinct import DistinctHashes
from beam_taxi.statistics.profile.hashes import Hashes, hash_values
from beam_taxi.statistics.profile.limits import Limits
from beam_taxi.statistics.profile.values import most_frequent

Counts = npt.NDArray[np.int64]

_MOST_BYTES = 64
"""Bytes of a value on average up to which values are counted."""

_PADDED = r"^[\s\pZ]|[\s\pZ]$|[\p{Cf}\x{00A0}\x{2007}\x{202F}]"
"""White space at an end, or a character that cannot be seen or told from a space."""


class TextCounts:
    """Counts of strings: by value while they are few and short."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._values = pa.array([], pa.binary())
        self._counts: Counts = np.zeros(0, np.int64)
        self._total = 0
        self._bytes = 0
        self._lengths: tuple[int, int] | None = None
        # Once there are too many values, their hashes and looks are all that is kept.
        self._distinct: DistinctHashes | None = None
        self._looks = _Looks()

    def add(self, values: pa.Array, counts: Counts, hashes: Hashes) -> None:
        """Add distinct values, without nulls, with their counts and hashes."""
        if not len(values):
            return
        lengths = pc.binary_length(values).to_numpy().astype(np.int64)
        self._total += int(counts.sum())
        self._bytes += int(lengths @ counts)
        self._add_lengths((int(lengths.min()), int(lengths.max())))
        self._add_values(values.cast(pa.binary()), counts, hashes)

    def merge(self, other: TextCounts) -> None:
        """Add the values of another column."""
        self._total += other._total
        self._bytes += other._bytes
        if other._lengths is not None:
            self._add_lengths(other._lengths)
        if other._distinct is None:
            self._add_values(other._values, other._counts, hash_values(other._values))
            return
        self._forget_values()
        assert self._distinct is not None
        self._distinct.merge(other._distinct)
        self._looks.merge(other._looks)

    def _add_lengths(self, lengths: tuple[int, int]) -> None:
        known = self._lengths or lengths
        self._lengths = min(known[0], lengths[0]), max(known[1], lengths[1])

    def _add_values(self, values: pa.Array, counts: Counts, hashes: Hashes) -> None:
        if self._distinct is not None:
            self._distinct.add(hashes)
            self._looks.add(values, counts)
            return
        encoded = pa.concat_arrays([self._values, values]).dictionary_encode()
        self._values = encoded.dictionary
        added = np.concatenate([self._counts, counts])
        # The sums are of integers below 2**53, so floats hold them exactly.
        self._counts = np.bincount(encoded.indices.to_numpy(), added, len(self._values)).astype(np.int64)
        most = self._limits.distinct
        if len(self._values) > most or self._values.nbytes > most * _MOST_BYTES:
            self._forget_values()

    def _forget_values(self) -> None:
        if self._distinct is None:
            self._distinct = DistinctHashes()
            self._distinct.add(hash_values(self._values))
            self._looks.add(self._values, self._counts)
            self._values, self._counts = self._values[:0], self._counts[:0]

    def profile(self, present: int, values: int) -> FeatureProfile:
        """Return what is known of the column, given the rows with a value and the number of values."""
        looks, listed = self._looks, Values()
        if self._distinct is None:
            looks = _Looks()
            looks.add(self._values, self._counts)
            most = self._limits.listed
            words = [printed(value) for value in self._values.to_pylist()]
            listed = Values(most_frequent(words, self._counts.tolist(), most), len(words) <= most)
        shortest, longest = self._lengths or (0, 0)
        return FeatureProfile(
            STRING,
            present,
            values,
            distinct=Distinct(len(self._values)) if self._distinct is None else self._distinct.estimate(),
            counts=listed,
            length=Lengths(shortest, self._bytes / max(1, self._total), longest) if self._lengths else None,
            text=looks.text(),
        )


class _Looks:
    """How many strings look like something, and the first of them in the order of their bytes."""

    def __init__(self) -> None:
        self.counts = {"padded": 0, "numbers": 0}
        self.examples: dict[str, bytes] = {}

    def add(self, values: pa.Array, counts: Counts) -> None:
        try:
            text = values.cast(pa.string())
        except pa.ArrowInvalid:
            # Bytes that are not text.
            return
        has_digit = pc.match_substring_regex(text, DIGIT).to_numpy(zero_copy_only=False)
        self._count("padded", pc.match_substring_regex(text, _PADDED).to_numpy(zero_copy_only=False), values, counts)
        if has_digit.any():
            is_number = pc.match_substring_regex(text, NUMBER).to_numpy(zero_copy_only=False)
            self._count("numbers", is_number & has_digit, values, counts)

    def _count(self, name: str, found: npt.NDArray[np.bool_], values: pa.Array, counts: Counts) -> None:
        if found.any():
            self.counts[name] += int(counts[found].sum())
            self._keep(name, pc.min_max(values.filter(pa.array(found)))["min"].as_py())

    def _keep(self, name: str, example: bytes) -> None:
        self.examples[name] = min(self.examples.get(name, example), example)

    def merge(self, other: _Looks) -> None:
        for name, count in other.counts.items():
            self.counts[name] += count
        for name, example in other.examples.items():
            self._keep(name, example)

    def text(self) -> Text:
        examples = {name: printed(value) for name, value in self.examples.items()}
        return Text(self.counts["padded"], self.counts["numbers"], examples)


def printed(value: bytes) -> str:
    """Return bytes as text; those that are no UTF-8 become escapes."""
    return value.decode(errors="backslashreplace")
