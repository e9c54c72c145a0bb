"""Features with several values against protobuf itself, row by row, and as TensorFlow parses them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.example import example_pb2

from beam_taxi.tfexample.batches import encode_rows, filter_rows, to_list_columns
from beam_taxi.tfexample.encode import encode_examples

VALUES = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 127, 128, -1]),
    pa.float32(): st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0]),
    pa.string(): st.text(st.characters(exclude_categories=["Cs"]), max_size=200) | st.just("x" * 128),
    pa.binary(): st.binary(max_size=200),
}
FIELDS = {pa.int64(): "int64_list", pa.float32(): "float_list", pa.string(): "bytes_list", pa.binary(): "bytes_list"}


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Draw a batch of lists and single values with nulls, a slice of a longer one."""
    rows = draw(st.integers(0, 12))
    start, length = draw(st.tuples(st.integers(0, rows), st.integers(0, rows)))
    columns = []
    for _ in range(draw(st.integers(1, 4))):
        type_ = draw(st.sampled_from(list(VALUES)))
        has_lists = draw(st.sampled_from([True, True, False]))
        one = st.lists(VALUES[type_], max_size=5) if has_lists else VALUES[type_]
        values = draw(st.lists(st.none() | one, min_size=rows, max_size=rows))
        columns.append(pa.array(values, pa.list_(type_) if has_lists else type_))
    return pa.RecordBatch.from_arrays(columns, [f"c{number}" for number in range(len(columns))]).slice(start, length)


def reference(batch: pa.RecordBatch) -> list[bytes]:
    """Return the Examples that protobuf makes of each row."""
    records = []
    for number in range(len(batch)):
        example = example_pb2.Example()
        example.features.SetInParent()
        for field, column in zip(batch.schema, batch.columns, strict=True):
            value = column[number].as_py()
            if value is None:
                continue
            has_lists = pa.types.is_list(field.type)
            values = value if has_lists else [value]
            one = getattr(
                example.features.feature[field.name], FIELDS[field.type.value_type if has_lists else field.type]
            )
            one.SetInParent()
            one.value.extend([item.encode() if isinstance(item, str) else item for item in values])
        records.append(example.SerializeToString(deterministic=True))
    return records


@settings(max_examples=300, deadline=None)
@given(batches())
def test_records_are_those_of_protobuf(batch: pa.RecordBatch):
    assert encode_examples(batch).to_pylist() == reference(batch)


@pytest.mark.parametrize("length", [31, 32, 127, 128, 5000])
@pytest.mark.parametrize("type_", VALUES, ids=str)
def test_long_lists(type_: pa.DataType, length: int):
    values: list[Any] = ["é" if type_ == pa.string() else b"" if type_ == pa.binary() else 7] * length
    batch = pa.RecordBatch.from_arrays([pa.array([values, None, [], values[:1]], pa.list_(type_))], ["c"])
    assert encode_examples(batch).to_pylist() == reference(batch)


@pytest.mark.parametrize("type_", VALUES, ids=str)
def test_a_list_of_one_has_the_bytes_of_its_value(type_: pa.DataType):
    values = pa.array(["a", None, ""] if FIELDS[type_] == "bytes_list" else [1, None, 0], type_)
    flat = pa.RecordBatch.from_arrays([values], ["c"])
    records = encode_examples(flat)
    lists = to_list_columns(flat)
    assert encode_examples(lists) == records
    assert to_list_columns(lists) == lists
    assert encode_rows(flat).checksums.tolist() == encode_rows(lists).checksums.tolist()


def test_an_empty_list_is_not_a_missing_one():
    batch = pa.RecordBatch.from_arrays([pa.array([[], None, [1]], pa.list_(pa.int64()))], ["c"])
    empty, missing, one = (example_pb2.Example.FromString(record) for record in encode_examples(batch).to_pylist())
    assert empty.features.feature["c"].WhichOneof("kind") == "int64_list"
    assert not missing.features.feature
    assert one.features.feature["c"].int64_list.value == [1]


def test_nulls_in_lists_are_refused():
    with pytest.raises(ValueError, match="a list has a null"):
        encode_examples(pa.RecordBatch.from_arrays([pa.array([[None]], pa.list_(pa.int64()))], ["c"]))


@pytest.mark.parametrize(
    "type_", [pa.list_(pa.float64()), pa.large_list(pa.int64()), pa.list_(pa.list_(pa.int64()))], ids=str
)
def test_other_lists_are_refused(type_: pa.DataType):
    with pytest.raises(TypeError, match="'odd'"):
        encode_examples(pa.RecordBatch.from_arrays([pa.array([None], type_)], ["odd"]))


def test_tensorflow_parses_ragged_features():
    rows = {"i": [[1, 2], None, [], [3]], "f": [[0.5], [], [1.5, 2.5], None], "s": [["a", ""], ["b"], None, []]}
    types = {"i": pa.int64(), "f": pa.float32(), "s": pa.string()}
    batch = pa.RecordBatch.from_arrays([pa.array(rows[name], pa.list_(types[name])) for name in rows], list(rows))
    spec = {
        name: tf.io.RaggedFeature(tf.as_dtype(types[name].to_pandas_dtype() if name != "s" else "string"))
        for name in rows
    }
    parsed = tf.io.parse_example(encode_examples(batch).to_pylist(), spec)
    for name, expected in rows.items():
        found = parsed[name].to_list()
        assert found == [[item.encode() if name == "s" else item for item in row or []] for row in expected]


def test_chosen_rows_of_lists():
    batch = pa.RecordBatch.from_arrays([pa.array([[1], None, [2, 3], []], pa.list_(pa.int64()))], ["c"])
    chosen = filter_rows(batch, pa.array([False, True, True, True]).to_numpy(zero_copy_only=False))
    assert chosen.column(0).to_pylist() == [None, [2, 3], []]
