"""The same table as CSV, JSON Lines and Examples through the whole job: the same Examples, statistics and schema."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.main import main
from beam_taxi.run.folder import read_manifest

COLUMNS = ("id", "fare", "company", "day")


def some_rows() -> list[dict[str, Any]]:
    """Return rows with missing values."""
    choose = random.Random(1)
    rows = list[dict[str, Any]]()
    for number in range(500):
        fare = choose.choice([None, number / 4, 0.1, 1e-9])
        row = {
            "id": number,
            "fare": fare,
            "company": choose.choice([None, "Yellow, é", 'a"b']),
            "day": choose.randrange(7),
        }
        rows.append({name: value for name, value in row.items() if value is not None})
    return rows


ROWS = some_rows()


def write_csv(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(ROWS)


def write_json(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def write_examples(path: Path) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in ROWS:
            example = tf.train.Example()
            for name, value in row.items():
                feature = example.features.feature[name]
                if isinstance(value, str):
                    feature.bytes_list.value.append(value.encode())
                elif name == "fare":
                    feature.float_list.value.append(value)
                else:
                    feature.int64_list.value.append(value)
            writer.write(example.SerializeToString())


WRITERS = {"csv": write_csv, "jsonlines": write_json, "tfrecord": write_examples}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run the job on each file; return the folders of the runs by format."""
    found = {}
    for format_, write in WRITERS.items():
        folder = tmp_path_factory.mktemp(format_)
        write(folder / "x")
        arguments = ["--input", str(folder / "x"), "--output", str(folder), "--run_id", "r", "--num_shards", "1"]
        assert main([*arguments, "--metadata_store", "none"]) == 0
        found[format_] = folder / "r"
    return found


def records_of(run: Path) -> list[bytes]:
    files = sorted(run.glob("examples/*/*.gz"))
    return [record for file in files for record in tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator()]


def statistics_of(run: Path, split: str) -> statistics_pb2.DatasetFeatureStatistics:
    return tfdv.load_stats_binary(str(run / "statistics" / f"Split-{split}" / "FeatureStats.pb")).datasets[0]


@pytest.mark.parametrize("format_", [one for one in WRITERS if one != "csv"])
def test_the_run_is_the_same(runs: dict[str, Path], format_: str):
    expected, found = runs["csv"], runs[format_]
    (entry,) = read_manifest(str(found)).inputs
    assert (entry.format, entry.rows) == (format_, len(ROWS))
    assert sorted(records_of(found)) == sorted(records_of(expected))
    assert (found / "schema" / "schema.pbtxt").read_text() == (expected / "schema" / "schema.pbtxt").read_text()
    for split in ("train", "eval"):
        assert statistics_of(found, split) == statistics_of(expected, split)
