"""How well a column predicts the label on rows that it was not learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beam_taxi.statistics.encoding import Encoded

_BINS = 20
_FEW_CLASSES = 10
"""Number of classes up to which bins are cut where each class begins and ends."""

Codes = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Classes:
    """The label of the rows that have one, as classes from 0, and a random half of these rows."""

    rows: Codes
    labels: Codes
    counts: Codes
    half: npt.NDArray[np.bool_]

    @staticmethod
    def of(label: Encoded) -> Classes:
        """Return the classes of a label."""
        rows = np.flatnonzero(label.valid)
        _, labels, counts = np.unique(label.keys[rows], return_inverse=True, return_counts=True)
        # Rows in order may alternate.
        half = np.random.default_rng(0).permutation(len(rows)) % 2 == 0
        return Classes(rows, labels, counts, half)

    @property
    def errors_of_majority(self) -> int:
        """The number of rows that do not have the most frequent label."""
        return int(self.counts.sum() - self.counts.max())


def errors_of_prediction(one: Encoded, classes: Classes) -> int:
    """Return the number of rows whose label is not the most frequent one of their value in the other half of the rows.

    Values that the other half does not have, such as ids, are predicted by the most frequent label of all.
    """
    return sum(_errors(one, classes, learned) for learned in (classes.half, ~classes.half))


def _errors(one: Encoded, classes: Classes, learned: npt.NDArray[np.bool_]) -> int:
    codes, size = _codes(one, classes, learned), len(classes.counts)
    pairs = codes[learned] * size + classes.labels[learned]
    counts = np.bincount(pairs, minlength=(int(codes.max()) + 1) * size).reshape(-1, size)
    most_frequent = int(counts.sum(axis=0).argmax())
    predicted = np.where(counts.any(axis=1), counts.argmax(axis=1), most_frequent)
    return int(np.count_nonzero(predicted[codes[~learned]] != classes.labels[~learned]))


def _codes(one: Encoded, classes: Classes, learned: npt.NDArray[np.bool_]) -> Codes:
    """Return a code for each row: of its value, or of the bin of its number if there are many; missing has its own."""
    valid = one.valid[classes.rows]
    if one.numbers is None or not one.is_continuous:
        codes = np.unique(one.keys[classes.rows], return_inverse=True)[1].astype(np.int64)
    else:
        numbers = one.numbers[classes.rows]
        known = valid & learned & np.isfinite(numbers)
        # NaN is beyond the last edge.
        edges = _edges(numbers[known], classes.labels[known], len(classes.counts))
        codes = np.searchsorted(edges, numbers, "left").astype(np.int64)
    return np.where(valid, codes + 1, 0)


def _edges(numbers: Numbers, labels: Codes, classes: int) -> Numbers:
    """Return the edges of the bins: quantiles, and for few classes those of each class, from minimum to maximum."""
    if not len(numbers):
        return np.zeros(0)
    order = np.argsort(numbers)
    numbers, labels = numbers[order], labels[order]
    of_classes = [numbers[labels == k] for k in range(classes)] if classes <= _FEW_CLASSES else []
    parts = [_quantiles(numbers, _BINS), *(_quantiles(part, _BINS // 2) for part in of_classes if len(part))]
    edges: Numbers = np.unique(np.concatenate(parts))
    return edges


def _quantiles(ordered: Numbers, bins: int) -> Numbers:
    found: Numbers = ordered[np.arange(bins + 1) * (len(ordered) - 1) // bins]
    return found


def monotone(one: Encoded, label: Encoded) -> tuple[float, int]:
    """Return the absolute rank correlation of two columns of numbers, and the number of rows with both."""
    if one.numbers is None or label.numbers is None or not one.is_continuous:
        return 0.0, 0
    valid = one.finite & label.finite
    first, second = _ranks(one.numbers[valid]), _ranks(label.numbers[valid])
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0, len(first)
    return min(1.0, abs(float(np.corrcoef(first, second)[0, 1]))), len(first)


def _ranks(values: Numbers) -> Numbers:
    """Return the ranks, the mean one of equal values."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Numbers = (ends - (counts - 1) / 2)[places]
    return ranks
