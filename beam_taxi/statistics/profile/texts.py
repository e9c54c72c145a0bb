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

_OFFSET_BYTES = 4
"""Bytes that Arrow needs for a value beside those of the value itself."""

_PADDED = r"^[\s\pZ]|[\s\pZ]$|[\p{Cf}\x{00A0}\x{2007}\x{202F}]"
"""White space at an end, or a character that cannot be seen or told from a space."""


class TextCounts:
    """Counts of strings: by value while they are few and short, then of frequent ones alone.

    From then on `counts` are a summary after Misra and Gries: each may be too small by up to `error`, and a value that
    is not in it occurs `error` times at most. `error` is at most the number of values divided by one more than those
    that are kept, however parts are merged (Agarwal et al., Mergeable Summaries, PODS 2012).
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.values = pa.array([], pa.binary())
        self.counts: Counts = np.zeros(0, np.int64)
        self.total = 0
        self.bytes = 0
        self.lengths: tuple[int, int] | None = None
        self.error = 0
        # Once there are too many values, the hashes and looks of all are kept beside the frequent ones.
        self.distinct: DistinctHashes | None = None
        self.looks = Looks()

    def add(self, values: pa.Array, counts: Counts, hashes: Hashes) -> None:
        """Add distinct values, without nulls, with their counts and hashes."""
        if not len(values):
            return
        lengths = pc.binary_length(values).to_numpy().astype(np.int64)
        self.total += int(counts.sum())
        self.bytes += int(lengths @ counts)
        self._add_lengths((int(lengths.min()), int(lengths.max())))
        self._add_values(values.cast(pa.binary()), counts, hashes)

    def merge(self, other: TextCounts) -> None:
        """Add the values of another column."""
        self.total += other.total
        self.bytes += other.bytes
        if other.lengths is not None:
            self._add_lengths(other.lengths)
        if other.distinct is None:
            self._add_values(other.values, other.counts, hash_values(other.values))
            return
        self._exceed()
        assert self.distinct is not None
        self.distinct.merge(other.distinct)
        self.looks.merge(other.looks)
        self.error += other.error
        self._join(other.values, other.counts)
        self._cut()

    def _add_lengths(self, lengths: tuple[int, int]) -> None:
        known = self.lengths or lengths
        self.lengths = min(known[0], lengths[0]), max(known[1], lengths[1])

    def _add_values(self, values: pa.Array, counts: Counts, hashes: Hashes) -> None:
        if self.distinct is not None:
            self.distinct.add(hashes)
            self.looks.add(values, counts)
            values, counts = self._reduced(values, counts)
        self._join(values, counts)
        if self._is_full() or self.distinct is not None:
            self._exceed()
            self._cut()

    def limit(self, limits: Limits) -> None:
        """Keep no more than these limits allow."""
        self._limits = limits
        if self._is_full():
            self._exceed()
            self._cut()

    def _join(self, values: pa.Array, counts: Counts) -> None:
        if not len(values):
            return
        encoded = pa.concat_arrays([self.values, values]).dictionary_encode()
        self.values = encoded.dictionary
        added = np.concatenate([self.counts, counts])
        # The sums are of integers below 2**53, so floats hold them exactly.
        self.counts = np.bincount(encoded.indices.to_numpy(), added, len(self.values)).astype(np.int64)

    def _is_full(self) -> bool:
        most = self._limits.distinct
        return len(self.values) > most or self.values.nbytes > most * _MOST_BYTES

    def _exceed(self) -> None:
        """Stop counting all values."""
        if self.distinct is None:
            self.distinct = DistinctHashes()
            self.distinct.add(hash_values(self.values))
            self.looks.add(self.values, self.counts)

    def _cut(self) -> None:
        """Keep the frequent values alone."""
        if self._is_full():
            self.values, self.counts = self._reduced(self.values, self.counts)

    def _reduced(self, values: pa.Array, counts: Counts) -> tuple[pa.Array, Counts]:
        """Return the frequent ones of these values, all with their counts less the largest count of the others."""
        most = self._limits.distinct
        if len(values) <= most and values.nbytes <= most * _MOST_BYTES:
            return values, counts
        order = np.argsort(-counts, kind="stable")
        sizes = np.cumsum(pc.binary_length(values).to_numpy()[order] + _OFFSET_BYTES) + _OFFSET_BYTES
        kept = min(most, int(np.searchsorted(sizes, most * _MOST_BYTES, side="right")))
        if kept == len(values):
            return values, counts
        cut = int(counts[order[kept]])
        self.error += cut
        chosen = np.flatnonzero(counts > cut)
        return values.take(pa.array(chosen)), counts[chosen] - cut

    def frequent(self, most: int) -> Values:
        """Return the most frequent values, if not all are counted."""
        words = [printed(value) for value in self.values.to_pylist()]
        return Values(most_frequent(words, self.counts.tolist(), most), exact=False, error=self.error)

    def count_distinct(self) -> Distinct:
        """Return the number of distinct values."""
        return Distinct(len(self.values)) if self.distinct is None else self.distinct.estimate()

    def all_looks(self) -> Looks:
        """Return what the values look like."""
        if self.distinct is not None:
            return self.looks
        looks = Looks()
        looks.add(self.values, self.counts)
        return looks

    def profile(self, present: int, values: int) -> FeatureProfile:
        """Return what is known of the column, given the rows with a value and the number of values."""
        listed = Values()
        if self.distinct is None:
            most = self._limits.listed
            words = [printed(value) for value in self.values.to_pylist()]
            listed = Values(most_frequent(words, self.counts.tolist(), most), len(words) <= most)
        shortest, longest = self.lengths or (0, 0)
        return FeatureProfile(
            STRING,
            present,
            values,
            distinct=self.count_distinct(),
            counts=listed,
            length=Lengths(shortest, self.bytes / max(1, self.total), longest) if self.lengths else None,
            text=self.all_looks().text(),
        )


class Looks:
    """How many strings look like something or are no UTF-8, and the first of them in the order of their bytes."""

    def __init__(self) -> None:
        self.counts = {"padded": 0, "numbers": 0, "invalid": 0}
        self.examples: dict[str, bytes] = {}

    def add(self, values: pa.Array, counts: Counts) -> None:
        """Add distinct values with their counts; those that are not UTF-8 look like nothing."""
        try:
            text = values.cast(pa.string())
        except pa.ArrowInvalid:
            is_text = np.array([_is_text(value) for value in values.to_pylist()])
            self.counts["invalid"] += int(counts[~is_text].sum())
            values, counts = values.filter(pa.array(is_text)), counts[is_text]
            text = values.cast(pa.string())
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

    def merge(self, other: Looks) -> None:
        for name, count in other.counts.items():
            self.counts[name] += count
        for name, example in other.examples.items():
            self._keep(name, example)

    def text(self) -> Text:
        examples = {name: printed(value) for name, value in self.examples.items()}
        return Text(self.counts["padded"], self.counts["numbers"], examples)


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def printed(value: bytes) -> str:
    """Return bytes as text; those that are no UTF-8 become escapes."""
    return value.decode(errors="backslashreplace")
