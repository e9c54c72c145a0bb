"""Features of schemas, and files of Parquet, without a run."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0.schema_pb2 import Schema

from beam_taxi.schemas.features import Feature, Type, features_of
from beam_taxi.tfexample.formats import format_of
from beam_taxi.tfexample.formats.parquet import GROUP_BYTES, GROUP_ROWS

ALWAYS = "presence { min_fraction: 1 }"
FEATURES = {
    "one value": (f"type: INT {ALWAYS} value_count {{ min: 1 max: 1 }}", (), True),
    "shape of TFDV": (f"type: INT {ALWAYS} shape {{ dim {{ size: 1 }} }}", (), True),
    "scalar shape": (f"type: INT {ALWAYS} shape {{ }}", (), True),
    "may be missing": ("type: INT value_count { min: 1 max: 1 }", (), False),
    "often there": ("type: INT presence { min_fraction: 0.9 } value_count { min: 1 max: 1 }", (), False),
    "vector": (f"type: INT {ALWAYS} value_count {{ min: 3 max: 3 }}", (3,), True),
    "matrix": (f"type: INT {ALWAYS} shape {{ dim {{ size: 2 }} dim {{ size: 3 }} }}", (2, 3), True),
    "unknown size": (f"type: INT {ALWAYS} shape {{ dim {{ }} }}", None, True),
    "up to one value": (f"type: INT {ALWAYS} value_count {{ max: 1 }}", None, True),
    "several": (f"type: INT {ALWAYS} value_count {{ min: 1 max: 9 }}", None, True),
    "any number": ("type: INT", None, False),
}


@pytest.mark.parametrize(("text", "shape", "required"), FEATURES.values(), ids=FEATURES)
def test_shapes(text: str, shape: tuple[int, ...] | None, required: bool):
    schema = text_format.Parse(f"feature {{ name: 'x' {text} }}", Schema())
    assert features_of(schema, ["x"]) == (Feature("x", Type.INT, shape, required),)


def test_features_that_are_left_out():
    texts = ["type: INT deprecated: true", "type: INT lifecycle_stage: PLANNED", "", "type: STRUCT", "type: BYTES"]
    features = "".join(f"feature {{ name: 'f{number}' {text} }}" for number, text in enumerate(texts))
    schema = text_format.Parse(features + "feature { name: 'not stored' type: INT }", Schema())
    assert features_of(schema, [f"f{number}" for number in range(5)]) == (Feature("f4", Type.BYTES, None, False),)


def parquet_of(sizes: list[int], rows: pa.RecordBatch) -> bytes:
    """Return the file of rows that are written in batches of these sizes, again and again."""
    file, start, number = io.BytesIO(), 0, 0
    writer = format_of("parquet").open(file, rows.schema, 1)
    while start < len(rows):
        writer.write(rows.slice(start, sizes[number % len(sizes)]))
        start, number = start + sizes[number % len(sizes)], number + 1
    writer.close()
    assert (writer.records, writer.bytes_written) == (len(rows), len(file.getvalue()))
    return file.getvalue()


def test_parquet_files_depend_on_the_rows_alone():
    count = 2 * GROUP_ROWS + 17
    texts = pa.array([None if number % 7 == 0 else f"text {number} " * 9 for number in range(count)])
    rows = pa.RecordBatch.from_arrays([pa.array(range(count)), texts], ["id", "text"])
    files = {parquet_of(sizes, rows) for sizes in ([count], [1000], [GROUP_ROWS], [3, 50_000, 0, 12_345])}
    (content,) = files
    metadata = pq.ParquetFile(io.BytesIO(content)).metadata
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert groups == [GROUP_ROWS, GROUP_ROWS, 17]
    reads = format_of("parquet").batches(io.BytesIO(content), GROUP_ROWS - 1, count - 1, lambda records: records)
    found = [number for batch in reads for number in batch.column(0).to_pylist()]
    assert found == list(range(GROUP_ROWS - 1, count - 1))


def test_a_parquet_file_without_rows_has_columns():
    schema = pa.schema({"id": pa.int64(), "tags": pa.list_(pa.string())})
    file = io.BytesIO()
    format_of("parquet").open(file, schema, 1).close()
    assert pq.read_schema(io.BytesIO(file.getvalue())).equals(schema)


def test_row_groups_of_large_rows_have_few_of_them():
    lists = [[b"x" * (i << 18), b""] if i % 3 else None for i in range(40)]
    columns = [pa.array(range(40)), pa.array(lists, pa.list_(pa.binary()))]
    rows = pa.RecordBatch.from_arrays(columns, ["numbers", "lists"])
    sizes = [8 + sum(map(len, one or ())) for one in lists]
    groups, waiting = [0], 0
    for size in sizes:
        groups[-1], waiting = groups[-1] + 1, waiting + size
        if waiting >= GROUP_BYTES:
            groups, waiting = [*groups, 0], 0
    files = {parquet_of(cuts, rows) for cuts in ([40], [1, 7, 0, 30], [20])}
    assert len(files) == 1
    metadata = pq.ParquetFile(io.BytesIO(*files)).metadata
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == groups
    assert len(groups) > 1
