"""Findings of units: merged in any order, with the first rows in the order of the input."""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_taxi.run.validation import Offender, Offenders
from beam_taxi.sources.source import Place
from beam_taxi.transforms.validate_statistics import MergeFindings
from beam_taxi.validation.checks_file import parse_checks
from beam_taxi.validation.findings import Found, RowFindings, text_of, values_of
from beam_taxi.validation.freshness import Newest
from beam_taxi.validation.schema_rules import InDomain, InRange, Present
from tests.validation.places import Lines, unit_batch

RULES = (
    InRange("n", "SMALL", 0, None),
    InDomain("s", "OTHER", ("x",), is_strict=False),
    Present("n", "MISSING"),
)


def batch_of(n: list[Any], s: list[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(n, pa.int64()), pa.array(s, pa.string())], ["n", "s"])


def found_in(batch: pa.RecordBatch, splits: list[int], first: int, most: int = 20, source: int = 0) -> RowFindings:
    found = RowFindings(most)
    rows = unit_batch(batch, (source, len(batch), Lines(first)))
    found.add_batch(RULES, batch, np.array(splits, np.uint8), rows.places_of)
    return found


def test_counts_and_first_rows_by_rule_and_split():
    found = found_in(batch_of([-1, None, -2, -3], ["x", "y", None, "z"]), [0, 0, 1, 0], 2)
    assert found.counts == {(0, 0): 2, (0, 1): 1, (1, 0): 2, (2, 0): 1}
    assert found.first[0, 0] == [Found(0, Place(None, 2), (("n", "-1"),)), Found(0, Place(None, 5), (("n", "-3"),))]
    assert found.offenders(0, ["train", "eval"], ["a.csv"]) == {
        "train": Offenders(
            2, (Offender("a.csv", 2, "train", None, {"n": "-1"}), Offender("a.csv", 5, "train", None, {"n": "-3"}))
        ),
        "eval": Offenders(1, (Offender("a.csv", 4, "eval", None, {"n": "-2"}),)),
    }
    assert found.offenders(2, ["train", "eval"], ["a.csv"]) == {
        "train": Offenders(1, (Offender("a.csv", 3, "train", None, {"n": None}),))
    }
    every = found.offenders_of_all(0, ["train", "eval"], ["a.csv"])
    assert (every.count, [one.number for one in every.first]) == (3, [2, 4, 5])


def test_the_first_strict_rule_of_each_row():
    batch = batch_of([-1, None, 3, -9], ["y", "y", "y", "x"])
    found = RowFindings(1)
    rows = unit_batch(batch, (0, 4, Lines(1)))
    rules = (*RULES, InRange("n", "VERY_SMALL", -5, None))
    violated = found.add_batch(rules, batch, np.zeros(4, np.uint8), rows.places_of)
    assert violated is not None
    assert violated.tolist() == [0, 2, -1, 0]
    assert found.counts == {(0, 0): 2, (1, 0): 3, (2, 0): 1, (3, 0): 1}
    sound = batch_of([1], ["y"])
    assert found.add_batch(RULES, sound, np.zeros(1, np.uint8), rows.places_of) is None


def test_no_more_rows_are_kept_than_wanted():
    for most in (0, 1, 3):
        found = found_in(batch_of([-1] * 5, ["x"] * 5), [0] * 5, 2, most)
        assert found.counts == {(0, 0): 5}
        assert [one.place.number for one in found.first[0, 0]] == [2, 3, 4][:most]


def test_a_batch_of_several_sources():
    batch = batch_of([-1, 2, -3, -4], ["x"] * 4)
    rows = unit_batch(batch, (3, 2, Lines(9)), (4, 2, Lines(1, group=0)))
    found = RowFindings(20)
    found.add_batch(RULES, batch, np.zeros(4, np.uint8), rows.places_of)
    assert [(one.source, one.place.group, one.place.number) for one in found.first[0, 0]] == [
        (3, None, 9),
        (4, 0, 1),
        (4, 0, 2),
    ]


NUMBERS = st.lists(st.tuples(st.sampled_from([-2, -1, 0, None]), st.sampled_from(["x", "y", None]), st.integers(0, 1)))


@given(NUMBERS, st.lists(st.integers(0, 30), max_size=4), st.integers(0, 4), st.randoms(use_true_random=False))
@settings(max_examples=100)
def test_merging_in_any_order_gives_what_one_unit_finds(rows: list[Any], cuts: list[int], most: int, random: Any):
    def findings(start: int, end: int) -> RowFindings:
        numbers, texts, splits = (
            (list(column) for column in zip(*rows[start:end], strict=True)) if rows[start:end] else ([], [], [])
        )
        return found_in(batch_of(numbers, texts), splits, start + 1, most)

    whole = findings(0, len(rows))
    edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts = [findings(start, end) for start, end in pairwise(edges)]
    random.shuffle(parts)
    merge = MergeFindings(most)
    accumulators = [merge.create_accumulator() for _ in range(2)]
    for number, part in enumerate(parts):
        accumulators[number % 2] = merge.add_input(accumulators[number % 2], part)
    merged = merge.extract_output(merge.merge_accumulators(accumulators))
    assert (merged.counts, merged.first) == (whole.counts, whole.first)


def test_sources_and_groups_are_in_the_order_of_the_input():
    rows = [(0, None, 7), (0, None, 12), (1, 0, 3), (1, 1, 1), (1, 10, 1), (2, None, 1)]
    for order in permutations(rows):
        merged = RowFindings(4)
        for source, group, number in order:
            found = [Found(source, Place(group, number), (("n", None),))]
            merged.merge(RowFindings(4, {(0, 0): 1}, {(0, 0): found}))
        assert merged.counts == {(0, 0): 6}
        assert [(one.source, *one.place[:2]) for one in merged.first[0, 0]] == rows[:4]


def test_newest_times_merge():
    (check,) = parse_checks("version: 1\nfreshness: [{column: n, within: 1d}]", "checks.yaml", str).freshness
    merged = RowFindings(1)
    for numbers in ([5], [None], [9, 7]):
        found = RowFindings(1)
        found.add_times([check], batch_of(numbers, ["x"] * len(numbers)))
        assert not found.are_empty
        merged.merge(found)
    assert merged.newest == {0: Newest(9_000_000)}
    assert RowFindings(1).are_empty


TEXTS: list[tuple[Any, str | None]] = [
    (None, None),
    (1, "1"),
    (0.10000000149011612, "0.1"),
    (float("nan"), "nan"),
    ("", ""),
    (b"a\xff", "a\\xff"),
    ("é" * 200, "é" * 200),
    ("é" * 201, "é" * 199 + "…"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_values_as_text(value: Any, text: str | None):
    assert text_of(value) == text


def test_values_of_float32_are_the_shortest_texts():
    batch = pa.RecordBatch.from_arrays([pa.array([0.1, 16777216.0, None], pa.float32())], ["n"])
    assert [values_of(RULES[0], batch, row) for row in range(3)] == [
        (("n", "0.1"),),
        (("n", "16777216.0"),),
        (("n", None),),
    ]
