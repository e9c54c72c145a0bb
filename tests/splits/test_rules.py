"""Which split a row gets, and why it gets none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from beam_taxi.columns import ColumnSettings
from beam_taxi.errors import UsageError
from beam_taxi.settings import Settings, Split, SplitSettings
from beam_taxi.sources.kinds import Kind
from beam_taxi.splits.conditions import faults_of_columns
from beam_taxi.splits.rules import REFUSED, SplitRule, split_rule
from beam_taxi.tfexample.batches import encode_rows

KINDS = {"id": Kind.INT, "part": Kind.STRING, "fold": Kind.INT, "x": Kind.FLOAT, "empty": Kind.MISSING}
ROWS = pa.RecordBatch.from_pydict(
    {
        "id": pa.array([1, 2, 3, 4, 5, 1], pa.int64()),
        "part": ["train", "eval", "Train", " eval", None, ""],
        "fold": pa.array([0, 1, 2, None, -1, 10], pa.int64()),
        "x": pa.array([0.5, 1.5, None, 2.5, float("nan"), 0.5], pa.float32()),
        "empty": pa.nulls(6, pa.string()),
    }
)


def settings(splitting: SplitSettings, splits: str = "train,eval", **others: Any) -> Settings:
    parts = [one.split(":") for one in splits.split(",")]
    named = tuple(Split(name, *map(int, weight)) for name, *weight in parts)
    return Settings(("a.csv",), "/out/r", "r", splits=named, splitting=splitting, **others)


def assigned(rule: SplitRule, rows: pa.RecordBatch = ROWS) -> list[int]:
    numbers = rule.assign(rows, encode_rows(rows).checksums if rule.needs_checksums else None)
    assert numbers.dtype == np.int16
    return np.maximum(numbers, REFUSED).tolist()


def reasons_of(rule: SplitRule, some: Iterable[int], rows: pa.RecordBatch = ROWS) -> dict[int, str]:
    numbers = rule.assign(rows, None).tolist()
    assert all(numbers[row] < 0 for row in some)
    return {row: rule.reason(rows, row, numbers[row]) for row in some}


HASHES: dict[str, tuple[SplitSettings, str, list[int]]] = {
    "one split": (SplitSettings(), "all:1", [0, 0, 0, 0, 0, 0]),
    "the row": (SplitSettings(), "a:1,b:1,c:1", [0, 2, 0, 1, 1, 0]),
    "a column": (SplitSettings(("id",)), "a:1,b:1,c:1", [1, 1, 0, 2, 0, 1]),
    "a column in a list": (SplitSettings(("part",)), "a:1,b:1,c:1", [2, 0, 0, 2, 0, 0]),
    "two columns": (SplitSettings(("id", "part")), "a:1,b:1,c:1", [2, 2, 1, 1, 0, 2]),
}


@pytest.mark.parametrize(("splitting", "splits", "expected"), HASHES.values(), ids=HASHES)
def test_golden_splits_by_a_hash(splitting: SplitSettings, splits: str, expected: list[int]):
    assert assigned(split_rule(settings(splitting, splits), KINDS)) == expected


BY_COLUMN: dict[str, tuple[str, str, list[int], dict[int, str]]] = {
    "text": (
        "part",
        "train,eval",
        [0, 1, -1, -1, -1, -1],
        {
            2: "--split_column: 'part': 'Train' is not a split; the splits are train, eval",
            3: "--split_column: 'part': ' eval' is not a split; the splits are train, eval",
            4: "--split_column: 'part' has no value, so the row has no split",
            5: "--split_column: 'part': '' is not a split; the splits are train, eval",
        },
    ),
    "whole numbers": (
        "fold",
        "2,0,1,01",
        [1, 2, 0, -1, -1, -1],
        {5: "--split_column: 'fold': '10' is not a split; the splits are 2, 0, 1, 01"},
    ),
    "no values": (
        "empty",
        "train,eval",
        [-1] * 6,
        {0: "--split_column: 'empty' has no value, so the row has no split"},
    ),
}


@pytest.mark.parametrize(("column", "splits", "expected", "reasons"), BY_COLUMN.values(), ids=BY_COLUMN)
def test_splits_by_a_column(column: str, splits: str, expected: list[int], reasons: dict[int, str]):
    rule = split_rule(settings(SplitSettings(column=column), splits), KINDS)
    assert assigned(rule) == expected
    assert reasons_of(rule, reasons) == reasons


def test_bytes_that_are_not_text_are_no_split():
    rows = pa.RecordBatch.from_pydict({"part": pa.array([b"train", b"\xff", None])})
    rule = split_rule(settings(SplitSettings(column="part")), KINDS)
    assert assigned(rule, rows) == [0, REFUSED, REFUSED]
    assert "'\\\\xff' is not a split" in reasons_of(rule, [1], rows)[1]


CONDITIONS: dict[str, tuple[tuple[str, ...], list[int], dict[int, str]]] = {
    "one": (("id < 3",), [0, 0, 1, 1, 1, 0], {}),
    "the first that holds": (("id < 3", "id < 5"), [0, 0, 1, 1, 2, 0], {}),
    "text": (("part = 'train' or part is null",), [0, 1, 1, 1, 0, 1], {}),
    "a missing value": (
        ("x < 1",),
        [0, 1, -1, 1, 1, 0],
        {2: "--split_by 'x < 1' is neither true nor false: 'x' has no value"},
    ),
    "a missing value after a condition that holds": (("id = 3", "x < 1"), [1, 2, 0, 2, 2, 1], {}),
    "a missing value before a condition that holds": (
        ("x < 1", "id = 3"),
        [0, 2, -1, 2, 2, 0],
        {2: "--split_by 'x < 1' is neither true nor false: 'x' has no value"},
    ),
    "missing and known": (
        ("x < 1 and fold >= 0",),
        [0, 1, -1, 1, 1, 0],
        {2: "--split_by 'x < 1 and fold >= 0' is neither true nor false: 'x' has no value, 'fold' is 2"},
    ),
    "the second condition": (
        ("id = 1", "x < 1"),
        [0, 2, -1, 2, 2, 0],
        {2: "--split_by 'x < 1' is neither true nor false: 'x' has no value"},
    ),
    "division by zero": (
        ("id / fold > 1",),
        [-1, 0, 0, -1, 1, 1],
        {0: "--split_by 'id / fold > 1' is neither true nor false: 'id' is 1, 'fold' is 0"},
    ),
    "no values": (
        ("empty > 1",),
        [-1] * 6,
        {0: "--split_by 'empty > 1' is neither true nor false: 'empty' has no value"},
    ),
    "a constant": (("true",), [0] * 6, {}),
}


@pytest.mark.parametrize(("conditions", "expected", "reasons"), CONDITIONS.values(), ids=CONDITIONS)
def test_splits_by_conditions(conditions: tuple[str, ...], expected: list[int], reasons: dict[int, str]):
    splits = ",".join("abc"[: len(conditions) + 1])
    rule = split_rule(settings(SplitSettings(conditions=conditions), splits), KINDS)
    assert assigned(rule) == expected
    assert reasons_of(rule, reasons) == reasons


def test_values_of_redacted_columns_are_not_shown():
    columns = ColumnSettings(redacted=("part", "id", "fold"))
    by_column = split_rule(settings(SplitSettings(column="part"), columns=columns), KINDS)
    assert (
        reasons_of(by_column, [2])[2] == "--split_column: 'part': its value is not a split; the splits are train, eval"
    )
    by_condition = split_rule(settings(SplitSettings(conditions=("id / fold > 1",)), columns=columns), KINDS)
    assert reasons_of(by_condition, [0])[0].endswith("neither true nor false: its values are not shown")


FAULTS: dict[str, tuple[SplitSettings, list[str]]] = {
    "no column": (SplitSettings(column="prat"), ["--split_column: no column 'prat'; did you mean 'part'?"]),
    "floats": (
        SplitSettings(column="x"),
        ["--split_column: column 'x' is FLOAT; the names of splits must be text or whole numbers"],
    ),
    "lists": (SplitSettings(column="fold"), ["--split_column: column 'fold' has lists, not one value in each row"]),
    "syntax": (
        SplitSettings(conditions=("id <",)),
        ["--split_by 'id <': character 5: expected a value, not the end of the rule"],
    ),
    "columns, types and lists": (
        SplitSettings(conditions=("prat = 'a'", "part < 1", "fold = 1")),
        [
            "--split_by \"prat = 'a'\": character 1: no column 'prat'; did you mean 'part'?",
            "--split_by 'part < 1': character 6: 'part' is text and 1 is a number; they cannot be compared",
            "--split_by 'fold = 1': column 'fold' has lists, not one value in each row",
        ],
    ),
    "no condition": (
        SplitSettings(conditions=("id",)),
        ["--split_by 'id': character 1: the rule needs a condition, not a column; write for example id = 1"],
    ),
}


@pytest.mark.parametrize(("splitting", "faults"), FAULTS.values(), ids=FAULTS)
def test_faults_of_columns(splitting: SplitSettings, faults: list[str]):
    splits = ",".join("abcd"[: max(2, len(splitting.conditions) + 1)])
    given = settings(splitting, splits)
    assert faults_of_columns(given, KINDS, {"fold"}) == faults
    if not any("lists" in fault for fault in faults):
        with pytest.raises(UsageError, match="--split_"):
            split_rule(given, KINDS)
