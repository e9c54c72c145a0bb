"""Shares within classes: exact up to a bucket, whatever the order and the parts of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from beam_taxi.errors import DataError
from beam_taxi.splits.strata import MOST_BUCKETS, MOST_CLASSES, ClassCounts, Histogram, Strata, classes_of


def table(classes: dict[Any, int], type_: pa.DataType) -> tuple[pa.Array, np.ndarray]:
    """Return a column with so many rows of each class, and a checksum for each."""
    values = [value for value, count in classes.items() for _ in range(count)]
    return pa.array(values, type_), np.random.default_rng(3).integers(0, 2**32, len(values), np.uint32)


def count(column: pa.Array, checksums: np.ndarray, parts: Iterable[np.ndarray]) -> ClassCounts:
    """Return the counts of parts of the rows, merged."""
    merged = ClassCounts("y")
    for rows in parts:
        counts = ClassCounts("y")
        for some in np.array_split(rows, 3):
            counts.add(column.take(pa.array(some, pa.int64())), checksums[some])
        counts.count()
        merged.merge(counts)
    return merged


def equal(one: Strata, other: Strata) -> bool:
    return one.ends.keys() == other.ends.keys() and all(
        (one.ends[value] == other.ends[value]).all() for value in one.ends
    )


SKEWED = {"a": 50_000, "b": 3, "c": 1, "d": 700, None: 30}
TABLES: dict[str, tuple[dict[Any, int], pa.DataType, list[int]]] = {
    "skewed": (SKEWED, pa.string(), [2, 1]),
    "three splits": (SKEWED, pa.string(), [8, 1, 1]),
    "uneven": ({b"a": 50_000, b"\xff": 3}, pa.binary(), [1, 999]),
    "whole numbers": ({0: 20_000, 1: 30, -5: 2}, pa.int64(), [2, 1]),
    "numbers": ({0.5: 4_000, 2.0**40: 30, None: 1}, pa.float32(), [9, 1]),
    "many classes": (dict.fromkeys(range(MOST_CLASSES), 20), pa.int64(), [3, 1]),
}


@pytest.mark.parametrize(("classes", "type_", "weights"), TABLES.values(), ids=TABLES)
def test_shares_are_held_in_each_class(classes: dict[Any, int], type_: pa.DataType, weights: list[int]):
    column, checksums = table(classes, type_)
    strata = count(column, checksums, [np.arange(len(column))]).strata(weights)
    numbers = strata.assign(column, checksums)
    values = np.array(column.to_pylist(), object)
    for value, rows in classes.items():
        found = np.bincount(numbers[[one == value for one in values]], minlength=len(weights))
        ends = np.cumsum(found)[:-1] - rows * np.cumsum(weights)[:-1] / sum(weights)
        # Half a row, or half of the largest bucket of a class with more hashes than buckets.
        most = 0.5 if rows <= MOST_BUCKETS else 4 * rows / MOST_BUCKETS
        assert np.abs(ends).max() <= most, (value, found)


def shuffled(rows: int, parts: int) -> Sequence[np.ndarray]:
    return np.array_split(np.random.default_rng(parts).permutation(rows), parts)


def test_neither_order_nor_parts_matter():
    column, checksums = table(SKEWED, pa.string())
    expected = count(column, checksums, [np.arange(len(column))]).strata([2, 1])
    for parts in (1, 2, 7, 40):
        assert equal(count(column, checksums, shuffled(len(column), parts)).strata([2, 1]), expected)


def test_a_class_of_many_hashes_has_few_buckets():
    column, checksums = table({"a": 50_000, "b": MOST_BUCKETS}, pa.string())
    counts = count(column, checksums, shuffled(len(column), 2))
    large, small = counts.classes[b"a"], counts.classes[b"b"]
    assert MOST_BUCKETS / 2 < len(large.buckets) <= MOST_BUCKETS
    assert (len(small.buckets), small.bits) == (MOST_BUCKETS, 32)
    assert int(large.rows.sum()) == 50_000


def test_equal_rows_share_a_split():
    column, checksums = table({"a": 10}, pa.string())
    column, checksums = pa.concat_arrays([column] * 100), np.tile(checksums, 100)
    strata = count(column, checksums, shuffled(1000, 3)).strata([2, 1])
    numbers = strata.assign(column, checksums).reshape(100, 10)
    assert (numbers == numbers[0]).all()
    assert np.bincount(numbers[0]).tolist() == [7, 3]


ENDS = {
    "nothing": ([], [1, 1], [0]),
    "one row": ([5], [2, 1], [6]),
    "one row, the smaller share first": ([5], [1, 2], [0]),
    "halves go to the earlier split": ([5], [1, 1], [6]),
    "the largest hash": ([2**32 - 1], [2, 1], [2**32]),
    "three rows": ([1, 7, 9], [2, 1], [8]),
    "equal rows": ([7, 7, 7, 9], [1, 1], [8]),
    "an empty split": ([1, 2], [1, 1000, 1], [0, 3]),
}


@pytest.mark.parametrize(("mixed", "weights", "ends"), ENDS.values(), ids=ENDS)
def test_where_splits_end(mixed: list[int], weights: list[int], ends: list[int]):
    histogram = Histogram()
    histogram.add(np.array(mixed, np.uint32))
    assert histogram.ends(weights).tolist() == ends


def test_classes_are_told_apart_by_their_values():
    codes, values = classes_of(pa.array([0.0, -0.0, None, float("nan"), -float("nan"), 1.0], pa.float32()))
    assert codes.tolist() == [0, 0, 3, 1, 1, 2]
    assert values[3] is None
    assert classes_of(pa.array(["", None]))[0].tolist() == [0, 1]


def test_too_many_classes():
    message = r"--stratify: column 'y', the --label, has more than 1,000 distinct values; name a column of classes"
    columns = [pa.array(range(start, start + MOST_CLASSES - 100)) for start in (0, MOST_CLASSES)]
    counts = [ClassCounts("y") for _ in columns]
    for one, column in zip(counts, columns, strict=True):
        one.add(column, np.zeros(len(column), np.uint32))
        one.count()
    with pytest.raises(DataError, match=message):
        counts[0].merge(counts[1])
    with pytest.raises(DataError, match=message):
        counts[1].add(columns[0], np.zeros(len(columns[0]), np.uint32))


def test_a_class_that_was_not_counted():
    with pytest.raises(DataError, match="column 'y' has a value that it did not have before: the input has changed"):
        Strata("y", {b"a": np.array([1], np.uint64)}).assign(pa.array(["a", "b"]), np.zeros(2, np.uint32))
