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
from beam_taxi.settings import Settings
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
        ["2024-01-05 10:00:00.000", None, None],
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
            pa.array([[1]], pa.list_(pa.field("element", pa.int64()))),
            "column 'a' of type list<element: int64> has no place in a tf.Example",
        ),
        (pa.array([1.0, 1e39]), "row 2: column 'a' overflows float32"),
        (pa.array([2**63], pa.uint64()), "column 'a': Integer value 9223372036854775808 not in range"),
        (pa.array(["x"]), "column 'a' is string, not INT as in --schema"),
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
