"""The encoder against tfx_bsl's on the same batches, as protos and, for its own promises, as bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.example import example_pb2, feature_pb2
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from beam_taxi.tfexample.encode import encode_examples

FLOAT_BITS = [0, 1 << 31, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7FC00001, 0xFFFFFFFF, 1, 0x7F7FFFFF, 0x00800000]
INT_BORDERS = [0, -1, 2**63 - 1, -(2**63), *(2 ** (7 * i) + d for i in range(1, 9) for d in (-1, 0, 1))]

VALUES = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.sampled_from(INT_BORDERS),
    pa.float32(): st.integers(0, 2**32 - 1) | st.sampled_from(FLOAT_BITS),
    pa.string(): st.text(max_size=200) | st.sampled_from(["", "é", "日本", "\0", "x" * 127, "x" * 128]),
    pa.binary(): st.binary(max_size=200),
}
# tfx_bsl cuts names at NUL.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | st.integers(
    100, 130
).map("n".__mul__)


def make_column(values: list, column_type: pa.DataType) -> pa.Array:
    """Return a column; the values of a float column are given as bits."""
    if column_type == pa.float32():
        return pa.array(values, pa.uint32()).view(pa.float32())
    return pa.array(values, column_type)


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Draw a batch of any types with nulls, a slice of a longer one."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    rows = draw(st.integers(0, 20))
    start, length = draw(st.tuples(st.integers(0, rows), st.integers(0, rows)))
    columns = []
    for _ in names:
        column_type = draw(st.sampled_from(list(VALUES)))
        values = draw(st.lists(st.none() | VALUES[column_type], min_size=rows, max_size=rows))
        columns.append(make_column(values, column_type))
    return pa.RecordBatch.from_arrays(columns, names).slice(start, length)


def reference_examples(batch: pa.RecordBatch) -> list[bytes]:
    """Return tfx_bsl's Examples without the empty features it writes for nulls, in protobuf's deterministic form."""
    lists = []
    for column in batch.columns:
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        values = column.drop_null()
        flat = values.cast(pa.binary()) if column.type == pa.string() else values
        offsets = pa.array(np.concatenate([[0], np.cumsum(valid)]), pa.int32())
        lists.append(pa.ListArray.from_arrays(offsets, flat))
    records = []
    for serialized in RecordBatchToExamplesEncoder().encode(pa.RecordBatch.from_arrays(lists, batch.schema.names)):
        example = example_pb2.Example.FromString(serialized)
        kept = example_pb2.Example(features=feature_pb2.Features())
        for name, feature in example.features.feature.items():
            kind = feature.WhichOneof("kind")
            if kind is not None and getattr(feature, kind).value:
                kept.features.feature[name].CopyFrom(feature)
        records.append(kept.SerializeToString(deterministic=True))
    return records


def assert_same_protos(batch: pa.RecordBatch) -> None:
    """Compare our protos with tfx_bsl's; serialized again, so that floats are compared by their bits."""
    ours = [example_pb2.Example.FromString(record) for record in encode_examples(batch).to_pylist()]
    assert [example.SerializeToString(deterministic=True) for example in ours] == reference_examples(batch)


@settings(max_examples=300, deadline=None)
@given(batches())
def test_protos_equal_those_of_tfx_bsl(batch: pa.RecordBatch) -> None:
    assert_same_protos(batch)


@settings(max_examples=200, deadline=None)
@given(batches())
def test_no_byte_more_than_protobuf_needs(batch: pa.RecordBatch) -> None:
    for record in encode_examples(batch).to_pylist():
        example = example_pb2.Example.FromString(record)
        assert example.HasField("features")
        assert example.ByteSize() == len(record)


@settings(max_examples=100, deadline=None)
@given(batches(), st.data())
def test_pieces_of_a_batch_give_the_bytes_of_the_whole(batch: pa.RecordBatch, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, batch.num_rows))
    pieces = encode_examples(batch.slice(0, cut)).to_pylist() + encode_examples(batch.slice(cut)).to_pylist()
    assert pieces == encode_examples(batch).to_pylist() == encode_examples(batch).to_pylist()


@pytest.mark.parametrize("lengths", [range(0, 140), range(16340, 16400), range(2097120, 2097160)])
def test_string_lengths_around_every_varint_border(lengths: range) -> None:
    for part in (lengths[i : i + 20] for i in range(0, len(lengths), 20)):
        column = pa.array(["s" * length for length in part])
        assert_same_protos(pa.RecordBatch.from_arrays([column], ["name"]))


@pytest.mark.parametrize("length", [2**28 - 30, 2**28])
def test_lengths_of_five_bytes(length: int) -> None:
    text = b"s" * length
    (record,) = encode_examples(pa.RecordBatch.from_arrays([pa.array([text])], ["n"])).to_pylist()
    assert example_pb2.Example.FromString(record).features.feature["n"].bytes_list.value[0] == text


@pytest.mark.parametrize("length", [127, 128, 16383, 16384])
@pytest.mark.parametrize("column_type", list(VALUES))
def test_long_feature_names(length: int, column_type: pa.DataType) -> None:
    column = make_column([1, 2] if column_type in (pa.int64(), pa.float32()) else ["a", None], column_type)
    assert_same_protos(pa.RecordBatch.from_arrays([column], ["é" + "n" * (length - 2)]))


def test_golden_bytes() -> None:
    batch = pa.RecordBatch.from_arrays(
        [pa.array(["x", None]), pa.array([-0.0, None], pa.float32()), pa.array([300, None])], ["c", "b", "a"]
    )
    entries = ["0a0b 0a0161 1206 1a04 0a02ac02", "0a0d 0a0162 1208 1206 0a0400000080", "0a0a 0a0163 1205 0a03 0a0178"]
    assert encode_examples(batch).to_pylist() == [bytes.fromhex("0a28" + "".join(entries)), bytes.fromhex("0a00")]


def test_features_are_sorted_by_utf8() -> None:
    names = ["\U00010000", "\uffff", "b", "B", ""]
    batch = pa.RecordBatch.from_arrays([pa.array([1])] * len(names), names)
    (record,) = encode_examples(batch).to_pylist()
    positions = [
        record.index(b"\x0a" + bytes([len(name.encode())]) + name.encode() + b"\x12") for name in sorted(names)
    ]
    assert positions == sorted(positions)


def test_no_rows_and_no_columns() -> None:
    schema = pa.schema([("i", pa.int64()), ("f", pa.float32()), ("s", pa.string())])
    empty = pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
    assert encode_examples(empty).to_pylist() == []
    assert encode_examples(pa.RecordBatch.from_arrays([], names=[])).to_pylist() == []


def test_other_processes_give_the_same_bytes() -> None:
    code = (
        "import hashlib, pyarrow as pa; from beam_taxi.tfexample.encode import encode_examples;"
        "b = pa.RecordBatch.from_pydict({n: [n, None, n * 3] for n in 'zyxabc'});"
        "print(hashlib.sha256(b''.join(encode_examples(b).to_pylist())).hexdigest())"
    )
    batch = pa.RecordBatch.from_pydict({n: [n, None, n * 3] for n in "zyxabc"})
    expected = hashlib.sha256(b"".join(encode_examples(batch).to_pylist())).hexdigest()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert run.stdout.strip() == expected


@pytest.mark.parametrize("column_type", [pa.float64(), pa.int32(), pa.large_string()])
def test_other_types_are_refused(column_type: pa.DataType) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([None], column_type)], ["odd"])
    with pytest.raises(TypeError, match=r"'odd'.*(double|int32|large_string)"):
        encode_examples(batch)


def test_repeated_names_are_refused() -> None:
    with pytest.raises(ValueError, match="not unique"):
        encode_examples(pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]))


def test_a_batch_over_the_limit_is_refused() -> None:
    column = pa.array(["x" * 2**20] * 64)
    batch = pa.RecordBatch.from_arrays([column] * 32, [f"c{i}" for i in range(32)])
    with pytest.raises(OverflowError, match=str(2**31 - 1)):
        encode_examples(batch)
