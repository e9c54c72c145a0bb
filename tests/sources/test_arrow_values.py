"""The kinds of Arrow columns, and their values as those of a tf.Example."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_taxi.errors import DataError
from beam_taxi.sources.arrow.columns import Column, columns_of
from beam_taxi.sources.arrow.decimals import text_of_decimals
from beam_taxi.sources.arrow.values import examine, to_kind
from beam_taxi.sources.kinds import Kind

INT, FLOAT, STRING, MISSING = Kind.INT, Kind.FLOAT, Kind.STRING, Kind.MISSING
HALVES = pa.array(np.array([0.5, 1.5], np.float16))


def column_of(array: pa.Array) -> Column:
    return columns_of("x", pa.schema([("a", array.type)])).usable["a"]


def read(array: pa.Array, declared: Kind | None = None) -> tuple[Kind, list[Any]]:
    """Return the kind of a column and its values, as the two passes do."""
    column = column_of(array)
    kind = declared or examine(column, array).evidence.kind
    return kind, to_kind(column, array, kind).to_pylist()


D = Decimal
CASES = {
    "decimal of scale 0": (pa.array([D(10**17), None, D(10**17 + 1)], pa.decimal128(18, 0)), INT),
    "wide decimal of scale 0": (pa.array([D(2**63 - 1), D(-(2**63))], pa.decimal128(38, 0)), INT),
    "decimal256 of scale 0": (pa.array([D(5), None], pa.decimal256(60, 0)), INT),
    "uint64 within int64": (pa.array([2**63 - 1, None], pa.uint64()), INT),
    "half floats": (HALVES, FLOAT),
    "part of half floats": (HALVES[1:], FLOAT),
}


@pytest.mark.parametrize(("array", "kind"), CASES.values(), ids=CASES)
def test_numbers_are_exact(array: pa.Array, kind: Kind):
    assert read(array) == (kind, array.to_pylist())


BEYOND = {
    "uint64": (pa.array([1, None, 2**63, 2**64 - 1], pa.uint64()), 2, ["1", None, str(2**63), str(2**64 - 1)]),
    "decimal128": (pa.array([D(-(2**63)), D(2**63)], pa.decimal128(38, 0)), 1, [str(-(2**63)), str(2**63)]),
    "decimal256": (pa.array([None, D(10**60)], pa.decimal256(76, 0)), 1, [None, str(10**60)]),
    "negative scale": (pa.array([D("1E20"), D("2E2")], pa.decimal128(20, -2)), 0, [str(10**20), "200"]),
}


@pytest.mark.parametrize(("array", "row", "text"), BEYOND.values(), ids=BEYOND)
def test_whole_numbers_beyond_int64_make_a_column_text(array: pa.Array, row: int, text: list[str | None]):
    found = examine(column_of(array), array)
    assert found.beyond is not None
    assert (found.evidence.kind, found.beyond.row) == (STRING, row)
    assert read(array) == (STRING, text)
    assert examine(column_of(array), array, FLOAT).evidence.kind is FLOAT


DECLARED_INT = {
    "whole double": (pa.array([3.0, None, -(2.0**63)]), [3, None, -(2**63)]),
    "whole float32": (pa.array([3.0, 2.0**62], pa.float32()), [3, 2**62]),
    "whole half": (pa.array(np.array([3, 4], np.float16)), [3, 4]),
    "whole decimal": (pa.array([D("12345678901234567.00"), None], pa.decimal128(38, 2)), [12345678901234567, None]),
    "boolean": (pa.array([True, None]), [1, None]),
    "whole doubles in lists": (pa.array([[3.0], None, []]), [[3], None, []]),
}


@pytest.mark.parametrize(("array", "values"), DECLARED_INT.values(), ids=DECLARED_INT)
def test_whole_numbers_can_be_declared_int(array: pa.Array, values: list[int | None]):
    assert column_of(array).can_be(INT)
    assert examine(column_of(array), array, INT).beyond is None
    assert read(array, INT)[1] == values


NOT_INT = {
    "fraction": (pa.array([1.0, 1.5]), 1, "1.5"),
    "2^63": (pa.array([2.0**63]), 0, "9.223372036854775807e+18"),
    "NaN": (pa.array([1.0, None, float("nan")]), 2, "nan"),
    "infinity": (pa.array([float("-inf")], pa.float32()), 0, "-inf"),
    "decimal": (pa.array([D("1.00"), D("1.01")], pa.decimal128(5, 2)), 1, "1.01"),
    "uint64": (pa.array([2**64 - 1], pa.uint64()), 0, str(2**64 - 1)),
    "in lists": (pa.array([[], [1.0, 2.0], None, [3.0, 0.5]]), 3, "0.5"),
}


@pytest.mark.parametrize(("array", "row", "value"), NOT_INT.values(), ids=NOT_INT)
def test_other_numbers_cannot(array: pa.Array, row: int, value: str):
    found = examine(column_of(array), array, INT).beyond
    assert found is not None
    assert found.row == row
    assert found.value == value if value.count(".") + value.count("e") < 2 else float(found.value) == float(value)


TEXTS = {
    "int": (pa.array([1, None]), ["1", None]),
    "boolean": (pa.array([True, False]), ["true", "false"]),
    "double": (pa.array([0.1, 3.0, float("nan"), float("inf")]), ["0.1", "3", "nan", "inf"]),
    "half": (HALVES, ["0.5", "1.5"]),
    "decimal": (pa.array([D("1.50"), None, D("-0.05")], pa.decimal128(9, 2)), ["1.50", None, "-0.05"]),
    "decimal of 38 digits": (pa.array([D(1).scaleb(-38)], pa.decimal256(76, 38)), ["0." + "0" * 37 + "1"]),
    "timestamp": (pa.array([0], pa.timestamp("us", "+05:30")), ["1970-01-01T00:00:00Z"]),
    "duration": (pa.array([datetime.timedelta(minutes=1)]), ["PT60S"]),
    "text": (pa.array(["a", None], pa.large_string()), ["a", None]),
    "bytes": (pa.array([b"\xff", None], pa.large_binary()), [b"\xff", None]),
    "fixed bytes": (pa.array([b"ab", None], pa.binary(2)), [b"ab", None]),
    "dictionary": (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
    "dictionary of numbers": (pa.array([1.5, None]).dictionary_encode(), ["1.5", None]),
    "null": (pa.nulls(2), [None, None]),
    "list of decimals": (pa.array([[D("1.50")], [], None], pa.list_(pa.decimal128(9, 2))), [["1.50"], [], None]),
    "list of times": (
        pa.array([[0, 1]], pa.list_(pa.timestamp("s"))),
        [["1970-01-01T00:00:00", "1970-01-01T00:00:01"]],
    ),
}


@pytest.mark.parametrize(("array", "text"), TEXTS.values(), ids=TEXTS)
def test_every_column_that_can_be_read_can_be_text(array: pa.Array, text: list[str | None]):
    assert column_of(array).can_be(STRING)
    assert read(array, STRING)[1] == text
    if len(array) > 1:
        assert to_kind(column_of(array), array[1:], STRING).to_pylist() == text[1:]


@given(
    st.lists(st.none() | st.decimals(-(10**15), 10**15, places=4, allow_nan=False)),
    st.sampled_from([pa.decimal128(20, 4), pa.decimal128(38, 4), pa.decimal256(76, 4)]),
)
def test_text_of_decimals_equals_that_of_python(values: list[Decimal | None], type_: pa.DataType):
    array = pa.array(values, type_)
    assert text_of_decimals(array).to_pylist() == [
        None if one is None else f"{one if one else abs(one):.4f}" for one in values
    ]
    trimmed = [None if one is None else Decimal(one) for one in text_of_decimals(array, trim=True).to_pylist()]
    assert trimmed == values
    assert not any(
        one.endswith(("0", ".")) and "." in one for one in text_of_decimals(array, trim=True).drop_null().to_pylist()
    )


LISTS = {
    "list": pa.list_(pa.int64()),
    "large list": pa.large_list(pa.int64()),
    "of int8": pa.list_(pa.int8()),
    "of booleans": pa.list_(pa.bool_()),
    "of float64": pa.list_(pa.float64()),
    "of half floats": pa.list_(pa.float16()),
    "of text": pa.list_(pa.string()),
    "of large text": pa.list_(pa.large_string()),
    "of bytes": pa.list_(pa.binary()),
    "of nothing": pa.list_(pa.null()),
}
ROWS = [[1, 2, 3], None, [], [0], None, [1, 1]]


@pytest.mark.parametrize("type_", LISTS.values(), ids=LISTS)
def test_lists_keep_their_lengths(type_: pa.DataType):
    values = type_.value_type
    convert: Any = {pa.string(): str, pa.large_string(): str, pa.binary(): lambda one: b"%d" % one}.get(values)
    if pa.types.is_null(values):
        convert = lambda _: None  # noqa: E731
    if pa.types.is_float16(values):
        convert = np.float16
    if pa.types.is_boolean(values):
        convert = bool
    rows = [None if row is None else [convert(one) if convert else one for one in row] for row in ROWS]
    array = pa.array(rows, type_)
    for part, expected in ((array, rows), (array[1:4], rows[1:4])):
        if pa.types.is_null(values):
            expected = [None if row is None else [] for row in expected]
        assert read(part)[1] == expected


def test_lists_of_a_fixed_size():
    array = pa.array([[1, 2], None, [3, None]], pa.list_(pa.int64(), 2))
    assert read(array) == (INT, [[1, 2], None, [3]])
    assert read(array[1:]) == (INT, [None, [3]])


def test_parts_of_fixed_bytes():
    rows = [b"%04d" % number for number in range(1000)]
    array = pa.array(rows, pa.binary(4))
    assert read(array[500:]) == (STRING, rows[500:])
    lists = pa.array([rows[:500], rows[500:]], pa.list_(pa.binary(4)))
    assert read(lists[1:]) == (STRING, [rows[500:]])


def test_nulls_in_lists_are_left_out_and_counted():
    array = pa.array([[1], None, [None, 2, None], [None]], pa.list_(pa.int32()))
    nulls = examine(column_of(array), array).nulls
    assert nulls is not None
    assert (nulls.count, nulls.row) == (3, 2)
    assert read(array) == (INT, [[1], None, [2], []])


def test_the_row_of_an_overflow_in_a_list():
    array = pa.array([[1.0, 2.0], None, [], [1.5, 1e39]])
    assert examine(column_of(array), array).evidence.overflow == 3


def test_decimals_that_lose_digits_are_told():
    exact = pa.array([D("16777216.00"), D("0.10")], pa.decimal128(38, 2))
    assert not examine(column_of(exact), exact).evidence.losses.changed
    for value in ("16777217.00", "1152921504606846977.00"):
        array = pa.array([D(value)], pa.decimal128(38, 2))
        assert examine(column_of(array), array).evidence.losses.changed


STRUCT = pa.struct(
    [("x", pa.int64()), ("y", pa.struct([("z", pa.list_(pa.string()))])), ("m", pa.map_(pa.string(), pa.int64()))]
)
UNUSABLE = {
    "map": (pa.map_(pa.string(), pa.int64()), "of type map<string, int64> has no place in a tf.Example"),
    "lists of lists": (pa.list_(pa.list_(pa.int64())), "of type list<item: list<item: int64>> has no place"),
    "lists of structs": (pa.list_(pa.struct([("x", pa.int64())])), "of type list<item: struct<x: int64>> has no place"),
    "interval": (pa.month_day_nano_interval(), "of type month_day_nano_interval has no place in a tf.Example"),
    "struct": (
        pa.struct([("x", pa.int64())]),
        "of type struct<x: int64> has no place in a tf.Example; --flatten makes columns of its",
    ),
}


@pytest.mark.parametrize(("type_", "told"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_column_that_cannot_be_used_stops_nothing_unless_it_is_wanted(type_: pa.DataType, told: str):
    columns = columns_of("x", pa.schema([("id", pa.int64()), ("a", type_)]))
    assert list(columns.usable) == ["id"]
    for names in (None, ["a"]):
        with pytest.raises(DataError) as error:
            columns.wanted("x", names)
        # Newer versions of Arrow name the entries of a map.
        assert f"x: column 'a' {told}" in str(error.value).replace(" ('a')", "")
    assert list(columns.wanted("x", ["id"])) == ["id"]
    chosen = columns.chosen("x", {"id": INT})
    assert (list(chosen.usable), list(chosen.unusable)) == (["id"], ["a"])
    for declared in ({}, {"a": STRING}):
        with pytest.raises(DataError):
            columns.chosen("x", declared)
    with pytest.raises(DataError, match="x: has no usable columns"):
        columns_of("x", pa.schema([("a", type_)])).chosen("x", {"id": INT})


def test_structs_become_columns():
    columns = columns_of("x", pa.schema([("s", STRUCT), ("t", pa.int64())]), flatten=True)
    assert {name: (one.kind, one.has_lists) for name, one in columns.usable.items()} == {
        "s.x": (INT, False),
        "s.y.z": (STRING, True),
        "t": (INT, False),
    }
    assert list(columns.unusable) == ["s.m"]
    rows = [
        {"x": 1, "y": {"z": ["a"]}, "m": []},
        None,
        {"x": None, "y": None, "m": None},
        {"x": 2, "y": {"z": []}, "m": []},
    ]
    batch = pa.RecordBatch.from_arrays([pa.array(rows, STRUCT)], ["s"])
    for part in (batch, batch[1:]):
        start = len(batch) - len(part)
        assert columns.usable["s.x"].of(part).to_pylist() == [1, None, None, 2][start:]
        assert columns.usable["s.y.z"].of(part).to_pylist() == [["a"], None, None, []][start:]


def test_names_of_fields_must_differ_from_those_of_columns():
    schema = pa.schema([("a.b", pa.int64()), ("a", pa.struct([("b", pa.int64())]))])
    with pytest.raises(DataError, match="duplicate column name 'a.b'"):
        columns_of("x", schema, flatten=True)
