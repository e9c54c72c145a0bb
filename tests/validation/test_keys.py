"""Rows with equal keys, against plain Python."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_taxi.validation.checks import UniqueCheck
from beam_taxi.validation.findings import RowFindings
from beam_taxi.validation.keys import KeysOfUnit, duplicates
from tests.validation.places import Lines, unit_batch

TYPES = {"i": pa.int64(), "f": pa.float32(), "s": pa.string(), "b": pa.binary()}
NAN = float("nan")


def batch_of(rows: list[tuple[Any, ...]], names: str) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, TYPES[name]) for name, column in zip(names, columns, strict=True)], list(names)
    )


def found_in(units: list[list[tuple[Any, ...]]], names: str, count: int = 3, most: int = 20) -> RowFindings:
    """Return the duplicates of rows: the key, the number of the split, whether the row is kept; one source per unit."""
    partitions = defaultdict(list)
    for number, unit in enumerate(units):
        keys = KeysOfUnit(UniqueCheck(name="u", line=1, key=tuple(names)))
        # Two batches, the second of which continues the first.
        for start, end in ((0, len(unit) // 2), (len(unit) // 2, len(unit))):
            rows = unit[start:end]
            batch = batch_of([row[0] for row in rows], names)
            splits, kept = np.array([row[1] for row in rows], np.uint8), np.array([row[2] for row in rows], bool)
            keys.add(unit_batch(batch, (number, len(rows), Lines(start + 1))), splits, kept)
        for partition, batch in keys.partitions(count):
            assert len(batch)
            assert 0 <= partition < count
            partitions[partition].append(batch)
    merged = RowFindings(most)
    for batches in partitions.values():
        merged.merge(duplicates(batches[::-1], 5, most))
    return merged


def places(found: RowFindings) -> dict[int, list[tuple[int, int]]]:
    """Return unit and line of the first rows, by split."""
    return {split: [(one.source, one.place.number) for one in rows] for (_, split), rows in found.first.items()}


def identity(value: Any) -> Any:
    """Return what a value is compared by: NaN equals NaN, and -0.0 equals 0.0, as in a database."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value + 0.0
    return value


def expected(units: list[list[tuple[Any, ...]]], most: int) -> tuple[Counter[int], dict[int, list[tuple[int, int]]]]:
    rows = [
        (tuple(map(identity, key)), split, (number, line))
        for number, unit in enumerate(units)
        for line, (key, split, kept) in enumerate(unit, 1)
        if kept and None not in key
    ]
    counts = Counter(key for key, _, _ in rows)
    repeated = [(split, place) for key, split, place in rows if counts[key] > 1]
    by_split = {split: [place for one, place in repeated if one == split][:most] for split, _ in repeated}
    return Counter(split for split, _ in repeated), by_split


VALUES = {
    "i": st.sampled_from([0, 1, -1, 2**63 - 1, None]),
    "f": st.sampled_from([0.0, -0.0, 1.5, NAN, float("inf"), None]),
    "s": st.sampled_from(["", "a", "ab", "b", "é", None]),
    "b": st.sampled_from([b"", b"a", b"\xff", None]),
}


def rows_of(names: str) -> st.SearchStrategy[list[Any]]:
    row = st.tuples(st.tuples(*(VALUES[name] for name in names)), st.integers(0, 1), st.booleans() | st.just(True))
    return st.lists(st.lists(row, max_size=8), min_size=1, max_size=4)


@pytest.mark.parametrize("names", ["i", "f", "s", "b", "is", "sf", "isf", "sbi"])
@given(st.data())
@settings(max_examples=25)
def test_duplicates_are_those_of_plain_python(names: str, data: st.DataObject):
    units, count, most = data.draw(rows_of(names)), data.draw(st.integers(1, 5)), data.draw(st.integers(0, 4))
    found = found_in(units, names, count, most)
    counts, firsts = expected(units, most)
    assert {split: number for (_, split), number in found.counts.items()} == counts
    assert places(found) == firsts


CASES: dict[str, tuple[str, list[tuple[Any, ...]], list[int]]] = {
    "once": ("i", [(1,), (2,), (3,)], []),
    "twice": ("i", [(1,), (2,), (1,)], [1, 3]),
    "three times": ("i", [(1,), (1,), (1,)], [1, 2, 3]),
    "missing": ("i", [(None,), (None,)], []),
    "a missing part": ("is", [(1, None), (1, None), (None, "a"), (None, "a")], []),
    "parts that join to the same text": ("sb", [("a", b"bc"), ("ab", b"c")], []),
    "an empty text is a value": ("s", [("",), ("",)], [1, 2]),
    "NaN is equal to NaN": ("f", [(NAN,), (NAN,)], [1, 2]),
    "minus zero is zero": ("f", [(0.0,), (-0.0,)], [1, 2]),
    "equal in float32": ("f", [(0.1,), (0.1 + 1e-12,)], [1, 2]),
}


@pytest.mark.parametrize(("names", "keys", "lines"), CASES.values(), ids=CASES)
def test_keys(names: str, keys: list[tuple[Any, ...]], lines: list[int]):
    found = found_in([[(key, 0, True) for key in keys]], names)
    assert places(found) == ({0: [(0, line) for line in lines]} if lines else {})


def test_rows_that_are_set_aside_are_no_duplicates():
    assert found_in([[((1,), 0, True), ((1,), 0, False)]], "i").are_empty


def test_equal_keys_of_several_units_and_splits():
    found = found_in([[((1,), 0, True)], [((2,), 1, True), ((1,), 1, True)]], "i")
    assert places(found) == {0: [(0, 1)], 1: [(1, 2)]}
    every = found.offenders_of_all(5, ["train", "eval"], ["a.csv", "b.csv"])
    assert every.text() == "2 rows, first a.csv:1"
    assert [(one.file, one.number, one.split, one.values) for one in every.first] == [
        ("a.csv", 1, "train", {"i": "1"}),
        ("b.csv", 2, "eval", {"i": "1"}),
    ]


def test_other_bits_of_nan():
    bits = np.array([0x7FC00000, 0x7FC00001, 0xFFC00000], np.uint32).view(np.float32)
    keys = KeysOfUnit(UniqueCheck(name="u", line=1, key=("f",)))
    batch = pa.RecordBatch.from_arrays([pa.array(bits)], ["f"])
    keys.add(unit_batch(batch, (0, 3, Lines(1))), np.zeros(3, np.uint8), np.ones(3, bool))
    ((_, partition),) = keys.partitions(7)
    assert duplicates([partition], 0, 20).counts == {(0, 0): 3}


def test_columns_with_the_names_of_places():
    names = ["source", "split", "number"]
    keys = KeysOfUnit(UniqueCheck(name="u", line=1, key=tuple(names)))
    batch = pa.RecordBatch.from_arrays([pa.array(one) for one in ([1, 1, 2], ["a", "a", "b"], [3, 3, 3])], names)
    keys.add(unit_batch(batch, (4, 3, Lines(8, group=2))), np.zeros(3, np.uint8), np.ones(3, bool))
    found = RowFindings(20)
    for _, partition in keys.partitions(2):
        found.merge(duplicates([partition], 0, 20))
    assert [(one.source, one.place.group, one.place.number, dict(one.values)) for one in found.first[0, 0]] == [
        (4, 2, 8, {"source": "1", "split": "a", "number": "3"}),
        (4, 2, 9, {"source": "1", "split": "a", "number": "3"}),
    ]


def test_no_rows():
    assert list(KeysOfUnit(UniqueCheck(name="u", line=1, key=("i",))).partitions(3)) == []
    assert duplicates([], 0, 20).are_empty
    assert found_in([[]], "i").are_empty
