"""Every format returns the rows of the table bit for bit, through TensorFlow and through Arrow."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import google.cloud.storage
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import beam_taxi
from beam_taxi.example_formats import FORMATS
from beam_taxi.metadata.manifests import verify_files
from beam_taxi.metadata.nodes import outputs
from beam_taxi.readers import Run
from beam_taxi.readers.shards import Shard, Share, parts_of, shuffled
from beam_taxi.run.folder import read_manifest
from tests.readers.conftest import ROWS, TABLE, make_run

SHARES = [1, 2, 3, 7, ROWS + 5]
"""Numbers of workers: fewer than shards, more, and more than rows."""


def as_bits(value: Any) -> Any:
    """Return a value so that equal ones have equal bits."""
    if isinstance(value, (float, np.floating)):
        return np.float32(value).tobytes()
    if isinstance(value, (list, np.ndarray)):
        return [as_bits(one) for one in value]
    if isinstance(value, str):
        return value.encode()
    return int(value) if isinstance(value, (int, np.integer)) else value


BINARY = ["data", "text", "tags", "maybe_text"]
EXPECTED = {row["id"]: {name: as_bits(value) for name, value in row.items()} for row in TABLE}


def arrow_rows(run: Run, split: str, **options: Any) -> list[dict[str, Any]]:
    rows = run.arrow(split, binary=BINARY, **options).read_all().to_pylist()
    return [{name: as_bits(value) for name, value in row.items()} for row in rows]


def tf_rows(dataset: tf.data.Dataset) -> list[dict[str, Any]]:
    return [{name: as_bits(value.numpy()) for name, value in row.items()} for row in dataset]


def ids(batches: Iterable[Any]) -> list[int]:
    return [int(one) for batch in batches for one in np.ravel(batch["id"])]


def test_arrow_returns_the_table(run: Path):
    opened = beam_taxi.open_run(str(run))
    rows = [row for split in opened.splits for row in arrow_rows(opened, split)]
    assert {row["id"]: row for row in rows} == EXPECTED
    assert len(rows) == ROWS
    assert list(opened.splits) == ["train", "eval", "none"]
    assert opened.splits["none"] == 0


def test_tensorflow_returns_the_rows_in_the_order_of_arrow(run: Path):
    opened = beam_taxi.open_run(str(run))
    for split, count in opened.splits.items():
        dataset = opened.tf(split)
        rows = tf_rows(dataset)
        # In TensorFlow a missing feature is an empty list, and so is an empty one.
        expected = [
            {
                name: [] if value is None else [value] if name.startswith("maybe") else value
                for name, value in row.items()
            }
            for row in arrow_rows(opened, split)
        ]
        assert rows == expected
        assert dataset.cardinality().numpy() == count


def test_types_of_columns(run: Path):
    opened = beam_taxi.open_run(str(run))
    for split in opened.splits:
        types = dict(zip(opened.arrow(split).schema.names, opened.arrow(split).schema.types, strict=True))
        assert types == {
            **{name: pa.int64() for name in ("id", "number", "maybe")},
            **{name: pa.string() for name in ("text", "maybe_text", "data")},
            "float": pa.float32(),
            "tags": pa.list_(pa.string()),
            "numbers": pa.list_(pa.int64()),
            "vector": pa.list_(pa.float32()),
        }
    spec = opened.feature_spec
    assert spec["id"] == tf.io.FixedLenFeature([], tf.int64)
    assert spec["vector"] == tf.io.FixedLenFeature([3], tf.float32)
    assert spec["maybe"] == tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)


def test_batches_and_defaults(run: Path):
    opened = beam_taxi.open_run(str(run))
    count = opened.splits["train"]
    dataset = opened.tf("train", 7, defaults={"maybe": -1, "maybe_text": "none"})
    batches = list(dataset)
    assert [len(batch["id"]) for batch in batches] == [7] * (count // 7) + [count % 7] * (count % 7 > 0)
    assert dataset.cardinality().numpy() == math.ceil(count / 7)
    for batch in batches:
        for number, maybe, text in zip(*(batch[name].numpy() for name in ("id", "maybe", "maybe_text")), strict=True):
            assert (maybe, text) == (
                -1 if number % 3 else number,
                f"t{number}".encode() if number % 4 == 0 else b"none",
            )
    assert len(list(opened.tf("train", 7, drop_remainder=True))) == count // 7
    assert batches[0]["vector"].shape == (7, 3)


def test_shuffled_rows_depend_on_the_seed_alone(run: Path):
    opened = beam_taxi.open_run(str(run))
    plain = ids(opened.tf("train"))
    first, again = (ids(opened.tf("train", 16, shuffle=50, seed=1).repeat(2)) for _ in range(2))
    count = len(plain)
    assert first == again
    assert sorted(first[:count]) == sorted(first[count:]) == sorted(plain)
    assert first[:count] != first[count:]
    assert first[:count] != plain
    assert ids(opened.tf("train", 16, shuffle=50, seed=2)) != first[:count]


@pytest.mark.parametrize("count", SHARES)
def test_workers_share_the_rows(run: Path, count: int):
    opened = beam_taxi.open_run(str(run))
    plain = ids(opened.tf("train", 64))
    workers = range(count) if count < 10 else [*range(0, count, 100), count - 1]
    shares = [ids(opened.tf("train", 64, shard=(index, count))) for index in workers]
    assert [ids(opened.arrow("train", shard=(index, count), binary=BINARY)) for index in workers] == shares
    assert {len(share) for share in shares} <= {len(plain) // count, -(-len(plain) // count)}
    if count < 10:
        assert [row for share in shares for row in share] == plain
        mixed = [ids(opened.tf("train", 8, shard=(index, count), shuffle=9, seed=4)) for index in workers]
        assert sorted(row for share in mixed for row in share) == sorted(plain)


def test_every_row_is_in_one_share():
    for rows in ([5], [3, 0, 1, 9], [1] * 20, [100, 1]):
        shards = shuffled([Shard(str(number), count, 0) for number, count in enumerate(rows)], 3)
        for count in range(1, 30):
            parts = [parts_of(shards, Share(index, count)) for index in range(count)]
            found = [(part.uri, row) for share in parts for part in share for row in range(part.start, part.stop)]
            assert found == [(shard.uri, row) for shard in shards for row in range(shard.rows)]


def test_shares_within_shares_are_shares():
    inner = [Share(rank, 3).within(worker, 2) for rank in range(3) for worker in range(2)]
    assert inner == [Share(index, 6) for index in range(6)]


def as_bytes(statistics: Mapping[str, Any]) -> dict[str, bytes]:
    return {split: one.SerializeToString(deterministic=True) for split, one in statistics.items()}


def test_rows_in_cloud_storage(run: Path, cloud_storage: google.cloud.storage.Bucket):
    for path in filter(Path.is_file, run.rglob("*")):
        cloud_storage.blob(f"{run.name}/{path.relative_to(run)}").upload_from_filename(str(path))
    local, remote = beam_taxi.open_run(str(run)), beam_taxi.open_run(f"gs://bucket/{run.name}/manifest.json")
    assert remote.schema == local.schema
    assert as_bytes(remote.statistics) == as_bytes(local.statistics)
    for split in local.splits:
        assert arrow_rows(remote, split) == arrow_rows(local, split)
        assert tf_rows(remote.tf(split)) == tf_rows(local.tf(split))
    shuffled_rows = [ids(one.tf("train", 8, shuffle=20, shard=(1, 2))) for one in (local, remote)]
    assert shuffled_rows[0] == shuffled_rows[1]


FILES = {
    "tfrecord_gzip": ("data_tfrecord-00000-of-00003.gz", "FORMAT_TF_EXAMPLE", "tfrecords_gzip"),
    "tfrecord": ("data_tfrecord-00000-of-00003", "FORMAT_TF_EXAMPLE", "tfrecords"),
    "parquet": ("data_parquet-00000-of-00003.parquet", "FORMAT_PARQUET", "parquet"),
    "array_record": ("data_array_record-00000-of-00003.array_record", "FORMAT_TF_EXAMPLE", "array_record"),
}


def test_files_manifest_and_record(run: Path):
    name, payload, file_format = FILES[run.name]
    manifest = read_manifest(str(run))
    assert (run / "examples" / "Split-train" / name).is_file()
    assert list(verify_files(manifest)) == []
    described = (run / "examples" / "dataset_info.json").is_file()
    assert described == (FORMATS[run.name].tfds is not None)
    (examples,) = (node for node in outputs(manifest) if node.key == "examples")
    assert (examples.custom["payload_format"], examples.custom["file_format"]) == (payload, file_format)
    assert FILES.keys() == FORMATS.keys()


def test_equal_records_have_equal_hashes(run_in: Callable[[str], Path]):
    def hashes(example_format: str) -> list[str]:
        files = read_manifest(str(run_in(example_format))).artifacts["examples"].files
        return [file.content_sha256 or file.sha256 for file in files if file.split]

    assert hashes("tfrecord") == hashes("tfrecord_gzip") == hashes("array_record")


def test_bytes_depend_on_the_rows_alone(run: Path, table: Path, tmp_path: Path):
    again = make_run(tmp_path, run.name, table, "--batch_bytes", "999")
    files = [path.relative_to(run) for path in sorted(run.glob("examples/**/*")) if path.is_file()]
    assert files
    assert all((run / path).read_bytes() == (again / path).read_bytes() for path in files)


def test_records_of_array_record_can_be_read_alone(run_in: Callable[[str], Path]):
    folder = run_in("array_record")
    from array_record.python.array_record_module import ArrayRecordReader

    reader = ArrayRecordReader(str(next(folder.glob("examples/Split-train/*"))))
    assert "group_size:1," in reader.writer_options_string()
    reader.close()


@pytest.mark.parametrize("example_format", ["tfrecord_gzip", "tfrecord", "parquet"])
def test_examples_are_an_input(run_in: Callable[[str], Path], example_format: str, tmp_path: Path):
    folder = run_in(example_format)
    again = make_run(tmp_path, example_format, f"{folder}/examples/Split-train/*")
    first, second = beam_taxi.open_run(str(folder)), beam_taxi.open_run(str(again))
    rows = [row for split in second.splits for row in arrow_rows(second, split)]
    by_id = {row["id"]: row for row in arrow_rows(first, "train")}
    assert {row["id"]: row for row in rows} == by_id
    assert len(rows) == len(by_id)


def test_a_run_may_be_moved(run_in: Callable[[str], Path], tmp_path: Path):
    moved = shutil.copytree(run_in("tfrecord_gzip"), tmp_path / "a [b] c")
    assert len(arrow_rows(beam_taxi.open_run(str(moved)), "train")) == beam_taxi.open_run(str(moved)).splits["train"]


def test_opening_a_run_imports_little(run_in: Callable[[str], Path]):
    script = (
        "import sys, beam_taxi; assert 'beam_taxi.readers' not in sys.modules; "
        f"run = beam_taxi.open_run({str(run_in('tfrecord_gzip'))!r}); run.splits, run.schema, run.statistics; "
        "assert not {'tensorflow', 'torch', 'apache_beam', 'tensorflow_data_validation'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
