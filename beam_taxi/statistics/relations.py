"""Relations of columns in sampled rows: copies, linear functions, what predicts the label, what is missing together.

A relation is reported only if it could not be chance, given the number of pairs of columns. A column has at most one
relation to a column before it, so that n copies make n - 1 relations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from math import log

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.run.profile import COPY, LABEL, LINEAR, MISSING_TOGETHER, Relation
from beam_taxi.statistics.encoding import Encoded, encode
from beam_taxi.statistics.prediction import Classes, errors_of_prediction, monotone

COPIED = 0.98
"""Minimum share of equal values in a copy."""

CORRELATED = 0.9999
"""Minimum absolute correlation in a linear relation."""

REMOVED = 0.95
"""Minimum share of the errors of the most frequent label that a column removes if it gives the label away."""

_FEWEST_ROWS = 30
_FEWEST_MISSING = 5
_CHANCE = log(1e-6)
"""Logarithm of the probability, for a whole table, of a relation by chance."""

_OUTER = 0.02
"""Share of the values at each end without which a linear relation must hold, too."""

_ORDER = (COPY, LINEAR, LABEL, MISSING_TOGETHER)

Array = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.int64]


def relations(rows: pa.RecordBatch, label: str | None = None) -> tuple[Relation, ...]:
    """Return the relations of columns of numbers and strings, by kind and in the order of the columns.

    `rows` are sampled rows, where null means missing. At most some thousand cells per column are meant.
    """
    columns = [encode(name, column) for name, column in zip(rows.schema.names, _joint(rows), strict=True)]
    places = {column.name: i for i, column in enumerate(columns)}
    # The arrangements of some rows are no more than those of all: what such columns have in common may be chance.
    varied = [one for one in columns if _pairs(len(columns)) - _multinomial(one.keys[one.valid])[1] < _CHANCE]
    copies, copied = _copies(varied, len(columns))
    found = [*copies, *_linear(varied, copied, len(columns)), *_missing_together(columns)]
    target = places.get(label) if label is not None else None
    if target is not None:
        found += _of_label(columns, columns[target])
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.kind), [places[name] for name in one.features])))


def _joint(rows: pa.RecordBatch) -> list[pa.Array]:
    """Return the columns, with those of strings encoded by one dictionary, so that equal strings have equal codes."""
    columns = list(rows.columns)
    texts = [
        i for i, one in enumerate(columns) if not (pa.types.is_integer(one.type) or pa.types.is_floating(one.type))
    ]
    if texts:
        joined = pa.chunked_array([columns[i].cast(pa.binary()) for i in texts]).combine_chunks().dictionary_encode()
        if isinstance(joined, pa.ChunkedArray):
            joined = joined.combine_chunks()
        for k, i in enumerate(texts):
            columns[i] = joined.slice(k * len(rows), len(rows))
    return columns


def _copies(columns: Sequence[Encoded], of: int) -> tuple[list[Relation], set[int]]:
    """Return the copies, and which columns they are, given the number of all columns."""
    found: dict[int, tuple[int, float, int]] = {}
    for family in _families(columns):
        for i, j, equal, both, either in _nearly_equal(columns, *family):
            if (j not in found or i < found[j][0]) and _is_copy(columns[i], columns[j], equal, both, of):
                found[j] = i, equal / either, either
    result = [
        Relation(COPY, (columns[i].name, columns[j].name), share, rows) for j, (i, share, rows) in sorted(found.items())
    ]
    return result, set(found)


def _families(columns: Sequence[Encoded]) -> Iterator[tuple[list[int], list[int], Matrix]]:
    """Yield columns that can be compared with others, those others, which include them, and keys of all their values.

    Integers are compared exactly with each other, and with other numbers as the float32 that these are.
    """
    members = {kind: [i for i, one in enumerate(columns) if one.kind == kind] for kind in ("int", "float", "text")}
    for kind in ("int", "text"):
        if len(members[kind]) > 1:
            yield members[kind], members[kind], np.stack([columns[i].keys for i in members[kind]])
    mixed = members["float"] + members["int"]
    if members["float"] and len(mixed) > 1:
        yield members["float"], mixed, np.stack([columns[i].float_keys for i in mixed])


def _nearly_equal(
    columns: Sequence[Encoded], some: Sequence[int], others: Sequence[int], keys: Matrix
) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield pairs of columns that are equal in nearly all rows: how many rows are equal, have both, and either.

    `some` are the first of `others`; of each pair, the column that comes first is first.
    """
    valid = np.stack([columns[i].valid for i in others])
    sizes = valid.sum(axis=1)
    for a in range(len(some)):
        both = (valid[a + 1 :] & valid[a]).sum(axis=1)
        equal = ((keys[a + 1 :] == keys[a]) & valid[a + 1 :] & valid[a]).sum(axis=1)
        either = sizes[a] + sizes[a + 1 :] - both
        for b in np.flatnonzero((equal >= COPIED * either) & (both > 1)).tolist():
            first, second = sorted((others[a], others[a + 1 + b]))
            yield first, second, int(equal[b]), int(both[b]), int(either[b])


def _is_copy(one: Encoded, two: Encoded, equal: int, both: int, columns: int) -> bool:
    """Return whether two nearly equal columns agree by more than their frequent values alone, and not by chance.

    The first is Cohen's kappa. For the second, the values of a column in random order are equal to another with a
    probability of one divided by the number of their arrangements; d differences multiply it by (n k)^d at most, with n
    rows and k values.
    """
    if one.kind == two.kind == "int" or one.kind == "text":
        first, second = one.keys, two.keys
    else:
        first, second = one.float_keys, two.float_keys
    valid = one.valid & two.valid
    counts, arrangements = _arrangements(first[valid], second[valid])
    if len(counts) < 2:
        return False
    chance = float(((counts / both) ** 2).sum())
    kappa = (equal / both - chance) / (1 - chance) if chance < 1 else 0.0
    slack = (both - equal) * log(both * len(counts))
    return kappa >= 0.9 and slack - arrangements + _pairs(columns) < _CHANCE


def _arrangements(one: Matrix, two: Matrix) -> tuple[npt.NDArray[np.int64], float]:
    """Return the counts of the values of the column with fewer arrangements, and the logarithm of their number."""
    return min((_multinomial(one), _multinomial(two)), key=lambda pair: pair[1])


def _multinomial(keys: Matrix) -> tuple[npt.NDArray[np.int64], float]:
    counts = np.unique(keys, return_counts=True)[1].astype(np.int64)
    table = _log_factorials(len(keys).bit_length())
    return counts, float(table[len(keys)] - table[counts].sum())


@cache
def _log_factorials(bits: int) -> Array:
    """Return the logarithms of the factorials of the numbers of so many bits."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, 1 << bits)))])


def _pairs(columns: int) -> float:
    """Return the logarithm of the number of pairs of columns."""
    return log(max(1.0, columns * (columns - 1) / 2))


def _linear(columns: Sequence[Encoded], copied: set[int], of: int) -> list[Relation]:
    """Return the linear relations of columns that are not copies."""
    numbers = [
        i for i, one in enumerate(columns) if one.numbers is not None and i not in copied and not one.is_constant
    ]
    if len(numbers) < 2:
        return []
    correlations, rows = _correlations([columns[i] for i in numbers])
    found: dict[int, Relation] = {}
    for a, b in np.argwhere(np.triu((np.abs(correlations) >= CORRELATED) & (rows >= _FEWEST_ROWS), 1)).tolist():
        one, two = columns[numbers[a]], columns[numbers[b]]
        if b not in found and _is_linear(one, two, of):
            share = min(1.0, abs(float(correlations[a, b])))
            found[b] = Relation(LINEAR, (one.name, two.name), share, int(rows[a, b]))
    return list(found.values())


def _correlations(columns: Sequence[Encoded]) -> tuple[Array, Array]:
    """Return Pearson's correlations, each over the rows with both values, and the numbers of these rows."""
    valid = np.stack([one.finite for one in columns]).astype(np.float64)
    values = np.stack([one.standardized() for one in columns])
    rows = valid @ valid.T
    sums, squares, products = values @ valid.T, values**2 @ valid.T, values @ values.T
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = rows * squares - sums**2
        found = (rows * products - sums * sums.T) / np.sqrt(variances * variances.T)
    return np.nan_to_num(found), rows


def _is_linear(one: Encoded, two: Encoded, columns: int) -> bool:
    """Return whether a correlation is due neither to a few extreme values nor to chance."""
    assert one.numbers is not None
    assert two.numbers is not None
    valid = one.finite & two.finite
    x, y = one.numbers[valid], two.numbers[valid]
    counts, arrangements = _arrangements(one.keys[valid], two.keys[valid])
    if len(counts) < 2 or _pairs(columns) - arrangements >= _CHANCE:
        return False
    if len(counts) == 2:
        return True
    low, high = np.quantile(x, [_OUTER, 1 - _OUTER])
    inner = (x >= low) & (x <= high)
    if inner.sum() < 3 or np.ptp(x[inner]) == 0 or np.ptp(y[inner]) == 0:
        return False
    return bool(abs(np.corrcoef(x[inner], y[inner])[0, 1]) >= 1 - 10 * (1 - CORRELATED))


def _of_label(columns: Sequence[Encoded], label: Encoded) -> Iterator[Relation]:
    """Yield what gives the label away."""
    rows = int(label.valid.sum())
    if rows < _FEWEST_ROWS or label.is_constant:
        return
    others = [one for one in columns if one is not label and not one.is_constant]
    if label.is_continuous:
        for one in others:
            share, both = monotone(one, label)
            if share >= CORRELATED and both >= _FEWEST_ROWS:
                yield Relation(LABEL, (one.name, label.name), share, both)
        return
    classes, (counts, arrangements) = Classes.of(label), _multinomial(label.keys[label.valid])
    guessed = classes.errors_of_majority
    if len(counts) > rows / 5 or not guessed:
        return
    for one in others:
        wrong = errors_of_prediction(one, classes)
        by_chance = wrong * log(rows * len(counts)) - arrangements + log(len(columns))
        # Where a class begins and ends is known from the other half but for a row.
        if wrong <= min((1 - REMOVED) * guessed + 2, 2 * (1 - REMOVED) * guessed) and by_chance < _CHANCE:
            yield Relation(LABEL, (one.name, label.name), 1 - wrong / rows, rows, 1 - guessed / rows)


def _missing_together(columns: Sequence[Encoded]) -> Iterator[Relation]:
    """Yield the groups of columns that are missing in the same rows."""
    groups: dict[bytes, list[Encoded]] = {}
    for one in columns:
        groups.setdefault(np.packbits(one.valid).tobytes(), []).append(one)
    for members in groups.values():
        rows = len(members[0].valid)
        missing = rows - int(members[0].valid.sum())
        if len(members) > 1 and _FEWEST_MISSING <= missing < rows:
            yield Relation(MISSING_TOGETHER, tuple(one.name for one in members), missing / rows, rows)
