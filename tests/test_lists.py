"""Columns of lists through the whole job: Examples, statistics, schema, judgement; read back by TensorFlow and TFX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder
from tfx_bsl.tfxio import tensor_adapter, tensor_representation_util

from beam_taxi.main import main
from beam_taxi.run.profile import Profile

ROWS = 400
IDS = range(ROWS)
TAGS = [None if i % 7 == 0 else [f"t{j}" for j in range(i % 4)] for i in IDS]
NUMBERS = [[i * j for j in range(1 + i % 5)] for i in IDS]
VECTORS = [[i / 4, 1.5, -2.0] for i in IDS]
PLACES = [None if i % 5 == 0 else {"x": i, "ys": [i / 2] * (i % 3)} for i in IDS]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lists") / "x.parquet"
    columns = {
        "id": pa.array(IDS),
        "tags": pa.array(TAGS, pa.list_(pa.string())),
        "numbers": pa.array(NUMBERS, pa.large_list(pa.int32())),
        "vector": pa.array(VECTORS, pa.list_(pa.float64(), 3)),
        "place": pa.array(PLACES, pa.struct([("x", pa.int64()), ("ys", pa.list_(pa.float32()))])),
    }
    pq.write_table(pa.table(columns), path, row_group_size=150)
    return path


def run(table: Path, out: Path, *options: str) -> int:
    arguments = ["--input", str(table), "--output", str(out), "--run_id", "r", "--metadata_store", "none", "--flatten"]
    return main([*arguments, *options])


@pytest.fixture(scope="module")
def done(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    assert run(table, out, "--num_shards", "3", "--slice_features", "tags") == 0
    return out / "r"


def records_of(done: Path) -> list[bytes]:
    files = sorted(str(path) for path in done.glob("examples/*/*.gz"))
    return list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())


def expected(number: int) -> dict[str, list[Any]]:
    """Return the features of a row; those that are missing are not among them."""
    row: dict[str, Any] = {"id": [number], "numbers": NUMBERS[number], "vector": VECTORS[number]}
    if TAGS[number] is not None:
        row["tags"] = [one.encode() for one in TAGS[number] or []]
    place = PLACES[number]
    return row if place is None else row | {"place.x": [place["x"]], "place.ys": place["ys"]}


def test_every_row_is_an_example(done: Path):
    found = {}
    for record in records_of(done):
        features = tf.train.Example.FromString(record).features.feature
        row = {name: list(getattr(one, one.WhichOneof("kind")).value) for name, one in features.items()}
        found[row["id"][0]] = row
    assert found == {number: expected(number) for number in IDS}


def test_tensorflow_parses_the_examples_by_the_inferred_schema(done: Path):
    schema = tfdv.load_schema_text(str(done / "schema" / "schema.pbtxt"))
    spec = {
        name: tensor_representation_util.CreateTfExampleParserConfig(
            representation, next(one.type for one in schema.feature if one.name == name)
        )
        for name, representation in tensor_representation_util.InferTensorRepresentationsFromSchema(schema).items()
    }
    parsed = tf.io.parse_example(records_of(done), spec)
    ids = parsed["id"].numpy()[:, 0].tolist()
    assert sorted(ids) == list(IDS)
    assert parsed["vector"].numpy().tolist() == [VECTORS[number] for number in ids]
    for name in ("tags", "numbers", "place.x", "place.ys"):
        ragged = tf.RaggedTensor.from_sparse(parsed[name]).to_list()
        assert ragged == [expected(number).get(name, []) for number in ids]
    ragged = tf.io.parse_example(records_of(done), {"tags": tf.io.RaggedFeature(tf.string)})["tags"]
    assert ragged.to_list() == [expected(number).get("tags", []) for number in ids]


def test_tfxio_reads_ragged_tensors(done: Path):
    schema = tfdv.load_schema_text(str(done / "schema" / "schema.pbtxt"))
    schema.represent_variable_length_as_ragged = True
    batch = ExamplesToRecordBatchDecoder(schema.SerializeToString()).DecodeBatch(records_of(done))
    representations = tensor_representation_util.InferTensorRepresentationsFromSchema(schema)
    adapter = tensor_adapter.TensorAdapter(tensor_adapter.TensorAdapterConfig(batch.schema, representations))
    tensors = adapter.ToBatchTensors(batch)
    ids = [row[0] for row in batch.column(batch.schema.get_field_index("id")).to_pylist()]
    assert isinstance(tensors["numbers"], tf.RaggedTensor)
    assert tensors["numbers"].to_list() == [NUMBERS[number] for number in ids]
    assert batch.column(batch.schema.get_field_index("tags")).to_pylist() == [
        expected(number).get("tags") for number in ids
    ]


def test_statistics_count_the_values(done: Path):
    present = rows = values = 0
    for split in ("train", "eval"):
        path = done / "statistics" / f"Split-{split}" / "FeatureStats.pb"
        everything = tfdv.load_stats_binary(str(path)).datasets[0]
        stats = next(one for one in everything.features if one.path.step == ["tags"]).string_stats.common_stats
        rows += everything.num_examples
        present += stats.num_non_missing
        values += stats.tot_num_values
    assert rows == ROWS
    assert present == sum(tags is not None for tags in TAGS)
    assert values == sum(len(tags or []) for tags in TAGS)
    profile = Profile.from_json(json.loads((done / "profile.json").read_text()))
    assert sum(one.features["tags"].values for one in profile.splits().values()) == values
    assert sum(one.features["tags"].present for one in profile.splits().values()) == sum(bool(tags) for tags in TAGS)
    assert {one.slice for one in profile.datasets} == {"", "tags_t0", "tags_t1", "tags_t2"}


def test_its_own_schema_accepts_the_data(table: Path, done: Path, tmp_path: Path):
    assert run(table, tmp_path, "--schema", str(done), "--splits", "all:1") == 0


def test_a_value_in_a_list_may_violate_the_schema(table: Path, tmp_path: Path):
    domain = 'string_domain { value: "t0" value: "t1" }'
    bounds = "int_domain { max: 1000 }"
    (tmp_path / "s.pbtxt").write_text(
        f'feature {{ name: "tags" type: BYTES {domain} }} feature {{ name: "numbers" type: INT {bounds} }}'
    )
    options = ("--quarantine", "--max_rejects", "400", "--schema", str(tmp_path / "s.pbtxt"), "--num_shards", "1")
    assert run(table, tmp_path, *options) == 4
    wrong = [i for i in IDS if "t2" in (TAGS[i] or []) or max(NUMBERS[i]) > 1000]
    lines = [json.loads(line) for line in next((tmp_path / "r" / "rejects").iterdir()).read_text().splitlines()]
    assert [150 * line["row_group"] + line["line"] - 1 for line in lines] == wrong
    (first, *_) = [line for line in lines if "ENUM_TYPE" in line["reason"]]
    assert "tags is [t0, t1, t2]" in first["reason"]
    assert '"[""t0"", ""t1"", ""t2""]"' in first["text"]


REFUSED = {
    "split key": (["--split_key", "tags"], "--split_key: column 'tags' has lists, not one value in each row"),
    "weight": (
        ["--weight_feature", "vector"],
        "--weight_feature: column 'vector' has lists, not one value in each row",
    ),
    "row rule": (["--checks", "numbers > 0"], "checks.yaml: line 3: column 'numbers' has lists, which only rules for"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_options_that_need_one_value(
    table: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    if options[0] == "--checks":
        (tmp_path / "checks.yaml").write_text(f"version: 1\nrows:\n  - rule: {options[1]}\n")
        options = ["--checks", str(tmp_path / "checks.yaml")]
    assert run(table, tmp_path, *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
