"""The schema of several splits is that of all rows, byte for byte."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.main import main
from beam_taxi.schemas.infer import infer_schema
from beam_taxi.tfexample.batches import filter_rows
from tests.schemas.tables import ARROW, Cell, statistics, table

KINDS: dict[str, tuple[type, Callable[[random.Random, int], Cell]]] = {
    "int": (int, lambda r, i: r.randint(-5, 10**12)),
    "bool_int": (int, lambda r, i: r.randint(0, 1)),
    "almost_bool": (int, lambda r, i: r.choice([0, 1, 1, 1, 2])),
    "constant": (int, lambda r, i: 7),
    "zero": (int, lambda r, i: 0),
    "float": (float, lambda r, i: r.gauss(0, 100)),
    "nan": (float, lambda r, i: r.choice([float("nan"), float("nan"), 0.0, 1.0])),
    "few": (str, lambda r, i: r.choice(["a", "b", "ä", ""])),
    "bool_text": (str, lambda r, i: r.choice(["true", "false"])),
    "digits": (str, lambda r, i: str(r.randint(0, 150))),
    "mixed": (str, lambda r, i: r.choice([*"123456789", "x"])),
    "hundred": (str, lambda r, i: f"v{i % 100}"),
    "hundred_and_one": (str, lambda r, i: f"v{i % 101}"),
    "many": (str, lambda r, i: f"{i}"),
    "long": (str, lambda r, i: r.choice("xyz") * 2000),
    "not_utf8": (bytes, lambda r, i: r.choice([b"\xff", b"a", b"a", b"a"])),
}
"""Columns by name: the type, and a value of row i."""


def random_table(r: random.Random) -> pa.RecordBatch:
    """Return some of the columns, with missing values, down to none at all."""
    rows = r.choice([r.randint(1, 8), r.randint(95, 110), r.randint(200, 300)])
    names = r.sample(sorted(KINDS), r.randint(1, len(KINDS)))
    arrays = []
    for name in names:
        kind, value_of = KINDS[name]
        density = r.choice([0, 0.02, 0.9, 1, 1])
        values = [value_of(r, i) if r.random() < density else None for i in range(rows)]
        arrays.append(pa.array(values, ARROW[kind]))
    return pa.RecordBatch.from_arrays(arrays, names)


def untyped(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch whose columns without values have no type."""
    arrays = [pa.nulls(len(batch)) if one.null_count == len(batch) else one for one in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, batch.schema.names)


def without_empty(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch without the columns that have no values, but the first."""
    kept = [i for i, one in enumerate(batch.columns) if one.null_count < len(batch) or i == 0]
    return pa.RecordBatch.from_arrays([batch.column(i) for i in kept], [batch.schema.names[i] for i in kept])


def text_of(*parts: statistics_pb2.DatasetFeatureStatisticsList) -> str:
    return text_format.MessageToString(infer_schema(parts))


def present(schema: schema_pb2.Schema) -> dict[str, schema_pb2.Feature]:
    return {one.name: one for one in schema.feature if one.presence.min_count}


@pytest.mark.parametrize("seed", range(24))
def test_the_splits_together_give_the_schema_of_all_rows(seed: int):
    r = random.Random(seed)
    batch = random_table(r)
    count = r.randint(1, 4)
    split_of = pa.array([r.randrange(count) for _ in range(len(batch))]).to_numpy()
    parts = [filter_rows(batch, split_of == split) for split in range(count)]
    whole = statistics(batch)
    nothing = statistics_pb2.DatasetFeatureStatisticsList(datasets=[{}])
    assert text_of(nothing, *(statistics(part) if len(part) else nothing for part in parts)) == text_of(whole)
    for change in (untyped, without_empty):
        found = infer_schema(statistics(change(part)) for part in parts if len(part))
        assert present(found) == present(infer_schema([whole]))


@pytest.mark.parametrize("seed", range(8))
def test_so_do_weighted_ones(seed: int):
    r = random.Random(seed)
    batch = random_table(r)
    weights = pa.array([r.choice([0.1, 0.3, 1.0]) for _ in range(len(batch))], pa.float32())
    batch = pa.RecordBatch.from_arrays([*batch.columns, weights], [*batch.schema.names, "w"])
    split_of = pa.array([r.randrange(3) for _ in range(len(batch))]).to_numpy()
    parts = [filter_rows(batch, split_of == split) for split in range(3)]
    found = [statistics(part, weight_feature="w") for part in parts if len(part)]
    assert text_of(*found) == text_of(statistics(batch, weight_feature="w"))


def test_a_value_of_little_weight_in_each_split_is_in_the_domain():
    columns = {"s": ["light", "heavy"], "w": [0.6, 2.0]}
    half = statistics(table(columns), weight_feature="w")
    whole = statistics(table({name: values * 2 for name, values in columns.items()}), weight_feature="w")
    assert 'value: "light"' in text_of(whole)
    assert text_of(half, half) == text_of(whole)


def test_without_rows_there_are_no_features():
    assert text_of() == text_of(statistics_pb2.DatasetFeatureStatisticsList(datasets=[{}])) == ""


def test_a_column_without_values_in_a_split_of_a_run(tmp_path: Path):
    lines = ["id,fare,note,refund", *(f"{i},{i * 1.25},{'late' if i % 37 == 0 else ''}," for i in range(150))]
    lines[5] += "3"
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
    words = ["--input", str(tmp_path / "x.csv"), "--output", str(tmp_path), "--metadata_store", "none"]
    assert main([*words, "--run_id", "two", "--splits", "train:9,eval:1"]) == 0
    assert main([*words, "--run_id", "one", "--splits", "all:1"]) == 0
    text = (tmp_path / "two" / "schema" / "schema.pbtxt").read_text()
    assert text == (tmp_path / "one" / "schema" / "schema.pbtxt").read_text()
    assert "DEPRECATED" not in text
