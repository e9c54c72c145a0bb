"""Parquet files through the same plan as CSV files."""

from __future__ import annotations

import datetime
import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_taxi.errors import DataError
from beam_taxi.settings import ColumnSettings, Settings
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import plan_input
from beam_taxi.sources.reading import TableReader
from beam_taxi.sources.units import DataPlan, tasks


def read(pattern: Path, declared: dict[str, Kind] | None = None, **options: Any) -> tuple[list[pa.Table], DataPlan]:
    """Return the rows of each unit, and the data's plan."""
    settings = Settings((str(pattern),), "unused", "run", **options)
    plan = plan_input(settings, declared or {})
    data, units = plan_table(plan, settings)
    reader = TableReader(plan, data)
    found = []
    for unit in (unit for task in tasks(plan, units) for unit in task):
        batches = [batch.rows for batch in reader.read(unit)]
        found.append(pa.Table.from_batches(batches) if batches else pa.table({}))
    return found, data


VALUES = {
    "bool": ([True, None, False], pa.bool_(), Kind.INT, [1, None, 0]),
    "int8": ([1, None, -1], pa.int8(), Kind.INT, [1, None, -1]),
    "uint64": ([1, None, 2], pa.uint64(), Kind.INT, [1, None, 2]),
    "float64": ([0.5, None, float("inf")], pa.float64(), Kind.FLOAT, [0.5, None, float("inf")]),
    "float32": ([0.5, None, 0.25], pa.float32(), Kind.FLOAT, [0.5, None, 0.25]),
    "decimal": ([Decimal("1.50"), None, Decimal("2")], pa.decimal128(9, 2), Kind.FLOAT, [1.5, None, 2.0]),
    "string": (["a", None, ""], pa.string(), Kind.STRING, ["a", None, ""]),
    "bytes": ([b"\xff", None, b""], pa.binary(), Kind.STRING, [b"\xff", None, b""]),
    "dictionary": (["a", None, "b"], pa.dictionary(pa.int8(), pa.string()), Kind.STRING, ["a", None, "b"]),
    "date": ([datetime.date(2024, 1, 5), None, None], pa.date32(), Kind.STRING, ["2024-01-05", None, None]),
    "time": (
        [datetime.datetime(2024, 1, 5, 10), None, None],
        pa.timestamp("s"),
        Kind.STRING,
        ["2024-01-05T10:00:00", None, None],
    ),
    "null": ([None, None, None], pa.null(), Kind.MISSING, [None, None, None]),
}


def test_every_flat_type_has_a_kind(tmp_path: Path):
    table = pa.table({name: pa.array(values, type_) for name, (values, type_, _, _) in VALUES.items()})
    pq.write_table(table, tmp_path / "x.parquet")
    (found,), data = read(tmp_path / "x.parquet")
    assert data.kinds == {name: VALUES[name][2] for name in sorted(VALUES)}
    assert found.to_pydict() == {name: VALUES[name][3] for name in sorted(VALUES)}
    assert data.totals[0].content_hash == "sha256:" + hashlib.sha256((tmp_path / "x.parquet").read_bytes()).hexdigest()


def test_units_are_cut_between_row_groups_and_keep_every_row(tmp_path: Path):
    for number in range(2):
        table = pa.table({"id": pa.array(np.arange(1000) + 1000 * number), "x": pa.array(np.arange(1000) / 4)})
        pq.write_table(
            table.select(["x", "id"] if number else ["id", "x"]), tmp_path / f"{number}.pq", row_group_size=50
        )
    for num_shards in (1, 3, 8, 100):
        units, data = read(tmp_path / "*.pq", num_shards=num_shards)
        assert len(units) == num_shards
        assert [row for unit in units for row in unit.to_pydict().get("id", [])] == list(range(2000))
        assert [total.rows for total in data.totals] == [1000, 1000]
    assert sorted({len(unit) for unit in read(tmp_path / "*.pq", num_shards=8)[0]}) == [250]


def test_parquet_and_csv_together(tmp_path: Path):
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), tmp_path / "1.data")
    (tmp_path / "2.data").write_text("b,a\nz,2.5\n")
    (found,), data = read(tmp_path / "*.data")
    assert data.kinds == {"a": Kind.FLOAT, "b": Kind.STRING}
    assert found.to_pydict() == {"a": [1.0, 2.0, 2.5], "b": ["x", "y", "z"]}


def test_lost_digits_are_told(tmp_path: Path):
    pq.write_table(pa.table({"a": [16777217.0]}), tmp_path / "x.pq")
    assert "float32" in read(tmp_path / "x.pq")[1].warnings[0]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        # Arrow names the field of a list itself, `item` or `element` by its version, unless it is given.
        (
            pa.array([[[1]]], pa.list_(pa.field("element", pa.list_(pa.field("element", pa.int64()))))),
            "column 'a' of type list<element: list<element: int64>> has no place in a tf.Example",
        ),
        (
            pa.array([{"x": 1}]),
            "column 'a' of type struct<x: int64> has no place in a tf.Example; --flatten makes columns of",
        ),
        (pa.array([[1.5], [1e39]]), "row 2: column 'a' overflows float32"),
        (pa.array([1.0, 1e39]), "row 2: column 'a' overflows float32"),
        (pa.array(["x"]), "column 'a' is string, not INT as declared"),
        (pa.array([], pa.int64()), "has no rows"),
    ],
)
def test_refused(tmp_path: Path, column: pa.Array, message: str):
    pq.write_table(pa.table({"a": column}), tmp_path / "x.pq")
    with pytest.raises(DataError) as error:
        read(tmp_path / "x.pq", {"a": Kind.INT} if pa.types.is_string(column.type) else {})
    assert f"x.pq: {message}" in str(error.value)


@pytest.mark.parametrize("kept", [100, -20])
def test_a_damaged_file_is_refused(tmp_path: Path, kept: int):
    pq.write_table(pa.table({"a": list(range(10_000))}), tmp_path / "x.pq")
    (tmp_path / "x.pq").write_bytes((tmp_path / "x.pq").read_bytes()[:kept])
    with pytest.raises(DataError, match="x.pq: is a Parquet file that cannot be read"):
        read(tmp_path / "x.pq")


INT96 = {
    "far future": (datetime.datetime(9999, 12, 31), "9999-12-31T00:00:00"),
    "far past": (datetime.datetime(1, 1, 1), "0001-01-01T00:00:00"),
    "now": (datetime.datetime(2024, 1, 5, 10, 0, 0, 250000), "2024-01-05T10:00:00.25"),
    "before 1970": (datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), "1969-12-31T23:59:59.999999"),
    "missing": (None, None),
}


def test_int96_is_the_right_instant(tmp_path: Path):
    times = [time for time, _ in INT96.values()]
    columns = {
        "id": pa.array(range(len(times))),
        "ts": pa.array(times, pa.timestamp("us")),
        "all": pa.array([times[:2], times[2:], None, [], times], pa.list_(pa.timestamp("us"))),
        "s": pa.array([{"at": time} for time in times], pa.struct([("at", pa.timestamp("us"))])),
    }
    pq.write_table(pa.table(columns), tmp_path / "x.pq", use_deprecated_int96_timestamps=True, row_group_size=2)
    (found,), _ = read(tmp_path / "x.pq", num_shards=1, flatten=True)
    texts = [text for _, text in INT96.values()]
    assert found.column("ts").to_pylist() == found.column("s.at").to_pylist() == texts
    # The null of a list is left out.
    assert found.column("all").to_pylist() == [texts[:2], texts[2:4], None, [], texts[:4]]


def test_int96_has_nanoseconds(tmp_path: Path):
    table = pa.table({"ts": pa.array([1, 2**62 + 1], pa.timestamp("ns"))})
    pq.write_table(table, tmp_path / "x.pq", use_deprecated_int96_timestamps=True)
    (found,), _ = read(tmp_path / "x.pq")
    assert found.column("ts").to_pylist() == [
        "1970-01-01T00:00:00.000000001",
        "2116-02-20T23:53:38.427387905",
    ]


def test_lists_are_read_in_batches_and_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("beam_taxi.sources.parquet_rows._BATCH_CELLS", 64)
    rows = [None if row % 7 == 0 else list(range(row % 5)) for row in range(500)]
    table = pa.table({"id": list(range(500)), "a": pa.array(rows, pa.list_(pa.int16()))})
    pq.write_table(table, tmp_path / "x.pq", row_group_size=100)
    for num_shards in (1, 3):
        units, data = read(tmp_path / "x.pq", num_shards=num_shards)
        assert data.with_lists == {"a"}
        assert [row for unit in units for row in unit.column("a").to_pylist()] == rows


def test_a_column_may_have_lists_in_one_file_alone(tmp_path: Path):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "1.data")
    pq.write_table(pa.table({"a": [[1.5], []]}), tmp_path / "2.data")
    (tmp_path / "3.data").write_text("a\n3\n")
    settings = Settings((str(tmp_path / "*.data"),), "unused", "run")
    plan = plan_input(settings, {})
    data, units = plan_table(plan, settings)
    assert (data.kinds, data.with_lists) == ({"a": Kind.FLOAT}, {"a"})
    batches = [batch.rows.column(0).to_pylist() for unit in units for batch in TableReader(plan, data).read(unit)]
    assert batches == [[1.0, 2.0], [[1.5], []], [3.0]]


WARNINGS = {
    "uint64": (
        pa.array([1, 2**63, 2**64 - 1], pa.uint64()),
        "column 'a' is STRING because of {}: row 2; 2 of its whole",
    ),
    "decimal": (
        pa.array([Decimal(2**63)], pa.decimal128(38, 0)),
        "column 'a' is STRING because of {}: row 1; 1 of its",
    ),
    "nulls in lists": (
        pa.array([[1], [None, None], [None]]),
        "column 'a': 3 nulls in lists left out, the first in {}: row 2",
    ),
    "lost digits": (
        pa.array([Decimal("16777217.5")], pa.decimal128(38, 9)),
        "column 'a': 1 value loses digits in float32",
    ),
}


@pytest.mark.parametrize(("column", "told"), WARNINGS.values(), ids=WARNINGS)
def test_what_is_decided_is_told(tmp_path: Path, column: pa.Array, told: str):
    pq.write_table(pa.table({"a": column}), tmp_path / "x.pq")
    (warning,) = read(tmp_path / "x.pq")[1].warnings
    assert warning.startswith(told.format(tmp_path / "x.pq"))


DECLARED = {
    "double as INT": (pa.array([1.0, None, 3.0]), Kind.INT, [1, None, 3]),
    "decimal as INT": (pa.array([Decimal("1.00")], pa.decimal128(9, 2)), Kind.INT, [1]),
    "decimal as STRING": (pa.array([Decimal("1.50")], pa.decimal128(9, 2)), Kind.STRING, ["1.50"]),
    "uint64 as FLOAT": (pa.array([2**63], pa.uint64()), Kind.FLOAT, [2.0**63]),
    "uint64 as STRING": (pa.array([5], pa.uint64()), Kind.STRING, ["5"]),
    "boolean as FLOAT": (pa.array([True]), Kind.FLOAT, [1.0]),
    "lists of doubles as INT": (pa.array([[1.0], []]), Kind.INT, [[1], []]),
    "offset as STRING": (pa.array([0], pa.timestamp("ns", "+05:30")), Kind.STRING, ["1970-01-01T00:00:00Z"]),
}


@pytest.mark.parametrize(("column", "kind", "values"), DECLARED.values(), ids=DECLARED)
def test_declared_types(tmp_path: Path, column: pa.Array, kind: Kind, values: list[object]):
    pq.write_table(pa.table({"a": column}), tmp_path / "x.pq")
    (found,), data = read(tmp_path / "x.pq", {"a": kind})
    assert data.kinds == {"a": kind}
    assert found.column("a").to_pylist() == values


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1.0, None, 1.5]), "row 3: column 'a': 1.5 is not INT as declared: a whole number within int64"),
        (pa.array([float("nan")]), "row 1: column 'a': nan is not INT as declared"),
        (pa.array([2**64 - 1], pa.uint64()), "row 1: column 'a': 18446744073709551615 is not INT as declared"),
        (pa.array([1], pa.timestamp("us")), "column 'a' is timestamp[us], not INT as declared"),
    ],
)
def test_what_is_declared_int_must_be_whole(tmp_path: Path, column: pa.Array, message: str):
    pq.write_table(pa.table({"a": column}), tmp_path / "x.pq")
    with pytest.raises(DataError) as error:
        read(tmp_path / "x.pq", {"a": Kind.INT})
    assert f"x.pq: {message}" in str(error.value)


def test_only_columns_that_are_wanted_are_read(tmp_path: Path):
    maps = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"m": maps, "id": [1], "b": ["x"]}), tmp_path / "x.pq")
    (found,), data = read(tmp_path / "x.pq", {"id": Kind.INT}, schema="")
    assert found.to_pydict() == {"b": ["x"], "id": [1]}
    assert "column 'm' of type map<string, int64" in data.warnings[0]
    for options in ({}, {"columns": ColumnSettings(types={"id": "INT"})}):
        with pytest.raises(DataError, match="column 'm' of type map<string, int64"):
            read(tmp_path / "x.pq", **options)
    for chosen in (ColumnSettings(keep=("id", "b")), ColumnSettings(drop=("m",))):
        assert read(tmp_path / "x.pq", columns=chosen)[0][0].to_pydict() == {"b": ["x"], "id": [1]}
    renamed = ColumnSettings(drop=("m",), names={"id": "key"})
    assert read(tmp_path / "x.pq", columns=renamed)[0][0].to_pydict() == {"b": ["x"], "key": [1]}
