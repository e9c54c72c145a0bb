"""Keys in several splits: exact while all are known, else estimated, whatever the order and the parts of the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from beam_taxi.run.leakage import Leakage
from beam_taxi.run.validation import Offender
from beam_taxi.splits.leakage import SplitKeys

SPLITS, FILES = ("train", "eval", "test"), ("a.csv", "b.parquet")


def rows_of(keys: int, shared: int) -> tuple[pa.BinaryArray, np.ndarray, tuple[np.ndarray, ...]]:
    """Return rows of so many keys in two splits by turns, of which the first are in both; line n has key n - 2."""
    numbers = np.concatenate([np.arange(keys), np.arange(shared)])
    splits = np.concatenate([np.arange(keys) % 2, 1 - np.arange(shared) % 2]).astype(np.uint8)
    places = (np.zeros(len(numbers), np.int64), np.full(len(numbers), -1), np.arange(len(numbers)) + 2)
    return pa.array([b"%d" % number for number in numbers]), splits, places


def leakage(keys: int, shared: int, parts: Sequence[np.ndarray], most: int) -> Leakage:
    records, splits, places = rows_of(keys, shared)
    merged = SplitKeys(most)
    for part in parts:
        one = SplitKeys(most)
        for some in np.array_split(part, 5):
            one.add(records.take(pa.array(some)), splits[some], tuple(place[some] for place in places))
        merged.merge(one)
    return merged.leakage(("id",), SPLITS, FILES)


def order(rows: int, parts: int) -> list[np.ndarray]:
    return np.array_split(np.random.default_rng(parts).permutation(rows), parts)


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_all_keys_are_compared_while_they_fit(parts: int):
    found = leakage(1000, 3, order(1003, parts), most=1003)
    assert (found.keys, found.shared, found.compared, found.exact, found.error) == (1000, 3, 1000, True, 0.0)
    assert {tuple((one.number, one.split) for one in pair) for pair in found.examples} == {
        ((2, "train"), (1002, "eval")),
        ((1003, "train"), (3, "eval")),
        ((4, "train"), (1004, "eval")),
    }


@pytest.mark.parametrize("shared", [0, 500, 5000])
def test_estimates_do_not_depend_on_the_parts(shared: int):
    found = [leakage(20_000, shared, order(20_000 + shared, parts), most=2000) for parts in (1, 2, 7)]
    assert found[0] == found[1] == found[2]
    one = found[0]
    assert not one.exact
    assert 0 < one.compared <= 2000
    assert one.keys == pytest.approx(20_000, rel=0.1)
    assert (one.shared == 0) == (shared == 0)
    assert abs(one.shared - shared) <= 4 * one.error * shared


@pytest.mark.parametrize("seed", range(60))
def test_few_keys_are_kept_the_same_way(seed: int):
    rows = np.random.default_rng(seed).permutation(18)
    expected = leakage(12, 6, [np.arange(18)], most=4)
    assert leakage(12, 6, np.array_split(rows, 2 + seed % 4), most=4) == expected


def test_a_key_of_many_rows_and_splits():
    keys = SplitKeys()
    keys.add(
        pa.array([b"k"] * 4),
        np.array([2, 0, 0, 2], np.uint8),
        tuple(np.array([[1, 1, 1, 0], [0, 3, 2, -1], [9, 8, 7, 6]])),
    )
    found = keys.leakage((), SPLITS, FILES)
    assert (found.keys, found.shared) == (1, 1)
    assert found.examples == ((Offender("b.parquet", 7, "train", 2), Offender("a.csv", 6, "test")),)


def test_no_rows():
    assert SplitKeys().leakage((), SPLITS, FILES) == Leakage((), 0, 0, 0)


ROWS = (Offender("a.csv", 3, "train"), Offender("b.parquet", 1, "eval", 0))
TEXTS: dict[str, tuple[Leakage, str]] = {
    "none": (
        Leakage((), 15_002, 0, 15_002, without="part"),
        "none of the 15,002 distinct rows (without part) is in more than one split; all were compared",
    ),
    "one": (
        Leakage(("id", "day"), 90, 1, 90, examples=(ROWS,)),
        "1 of 90 keys (id, day) is in more than one split, such as a.csv:3 (train) and "
        "b.parquet: row group 0, row 1 (eval)",
    ),
    "some": (Leakage(("id",), 1200, 7, 1200), "7 of 1,200 keys (id) are in more than one split"),
    "estimate": (
        Leakage(("id",), 3_400_000, 1200, 200_000, False, 0.08),
        "about 1,200 (standard error 8%) of about 3,400,000 keys (id) are in more than one split",
    ),
    "none among some": (
        Leakage(("id",), 3_000_000, 0, 200_000, False),
        "none of 200,000 of about 3,000,000 keys (id) is in more than one split, so fewer than 45 of all are "
        "(95% confidence)",
    ),
}


@pytest.mark.parametrize(("found", "text"), TEXTS.values(), ids=TEXTS)
def test_in_words(found: Leakage, text: str):
    assert found.text == text
