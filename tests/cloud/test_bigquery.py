"""BigQuery's two services, spoken to by Google's own clients, on a stand-in in this process."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from tests.cloud.bigquery_service import ROWS, Tables, serving
from tests.command import call
from tests.lineage.specification import events_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables()


@pytest.fixture(scope="module")
def bigquery(tables: Tables) -> Iterator[dict[str, str]]:
    """Yield the environment variables under which BigQuery is here."""
    with serving(tables) as variables:
        yield variables


def run(bigquery: dict[str, str], out: Path, *args: str) -> subprocess.CompletedProcess[str]:
    words = ["--output", str(out), "--run_id", "r", "--project", "payer", "--metadata_store", "none", *args]
    return call("run", *words, **bigquery)


def test_a_table_becomes_examples(bigquery: dict[str, str], tmp_path: Path):
    done = run(bigquery, tmp_path, "--input", "bq://data.d.trips", "--num_shards", "3")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text())
    (source,) = manifest["inputs"]
    assert (source["format"], source["rows"]) == ("bigquery", ROWS)
    assert source["content_hash"].startswith("bigquery-table:2025-11-24T16:00:00.123+00:00,1000 rows,")
    kinds = {feature["name"]: feature["type"] for feature in manifest["features"]}
    assert kinds == {"company": "STRING", "fare": "FLOAT", "id": "INT", "start": "STRING"}
    assert sum(split["rows"] for split in manifest["splits"]) == ROWS
    _, complete = events_of((tmp_path / "r" / "openlineage.ndjson").read_text())
    (table,) = complete["inputs"]
    assert (table["namespace"], table["name"]) == ("bigquery", "data.d.trips")
    assert table["facets"]["datasetType"]["datasetType"] == "TABLE"


def test_a_query_becomes_examples(bigquery: dict[str, str], tmp_path: Path):
    done = run(bigquery, tmp_path, "--query", "SELECT * FROM d.trips LIMIT 10")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "r" / "manifest.json").read_text())["inputs"][0]["rows"] == 10
    start, complete = events_of((tmp_path / "r" / "openlineage.ndjson").read_text())
    assert start["job"]["facets"]["sql"]["query"] == "SELECT * FROM d.trips LIMIT 10"
    (source,) = complete["inputs"]
    assert (source["namespace"], source["name"].partition("/")[0]) == ("bigquery", "query")
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == 10


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["--input", "bq://data.d"], 2, "--input bq://data.d: give bq://PROJECT.DATASET.TABLE"),
        (["--input", "bq://data.d.none"], 2, "bq://data.d.none: BigQuery refused: 404 Not found: Table"),
        (["--query", "SELECT FORM x"], 2, "--query: BigQuery refused: 400 "),
        (
            ["--query", "INSERT d.t SELECT 1"],
            2,
            "--query: must be one SELECT statement, not INSERT",
        ),
        (["--input", "bq://data.d.view"], 2, "use --query 'SELECT * FROM `data.d.view`'"),
        (
            ["--input", "bq://data.d.weights", "--weight_feature", "w"],
            3,
            "bq://data.d.weights: stream 3, row 26: column 'w', the --weight_feature, is -1; weights must be finite",
        ),
        (["--input", "bq://data.d.nested"], 3, "bq://data.d.nested: column 'a' of type struct<x: int64> has no place"),
        (
            ["--input", "bq://data.d.ids"],
            3,
            "column 'a' of type decimal128(38, 9) has values above 16,777,216 that lose",
        ),
        (["--input", "bq://data.d.empty"], 3, "bq://data.d.empty: has no rows"),
        (["--input", "bq://data.d.large"], 3, "bq://data.d.large: column 'a' overflows float32"),
    ],
)
def test_refused_in_one_line(bigquery: dict[str, str], tmp_path: Path, args: list[str], status: int, message: str):
    done = run(bigquery, tmp_path, *args)
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "r").exists()


def rows_of(out: Path) -> list[dict[str, list[Any]]]:
    """Return the rows of a run; features that are missing are not among them."""
    files = [str(path) for path in out.glob("r/examples/*/*.gz")]
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
    return [
        {name: list(getattr(one, one.WhichOneof("kind")).value) for name, one in example.features.feature.items()}
        for example in map(tf.train.Example.FromString, records)
    ]


def test_repeated_fields_and_records_become_features(bigquery: dict[str, str], tmp_path: Path):
    done = run(bigquery, tmp_path, "--input", "bq://data.d.typed", "--flatten")
    assert done.returncode == 0, done.stderr
    found = sorted(rows_of(tmp_path), key=lambda row: int(row["id"][0]))
    assert found[2] == {
        "id": [10**17 + 2],
        "amount": [-12.5],
        "tags": [b"c"],
        "place.x": [2],
        "place.ys": [],
        "start": [b"1970-01-01T00:00:00.000001Z"],
    }
    assert found[1] == {"id": [10**17 + 1], "tags": []}


NUMERIC = {
    "text": ("BYTES", [str(10**17 + i).encode() for i in range(60)]),
    "whole numbers": ("INT", [10**17 + i for i in range(60)]),
    "floats": ("FLOAT", [99999998430674944.0] * 60),
}


@pytest.mark.parametrize(("kind", "values"), NUMERIC.values(), ids=NUMERIC)
def test_numeric_is_what_it_is_declared(bigquery: dict[str, str], tmp_path: Path, kind: str, values: list[object]):
    (tmp_path / "s.pbtxt").write_text(f'feature {{ name: "a" type: {kind} }}')
    done = run(bigquery, tmp_path, "--input", "bq://data.d.ids", "--schema", str(tmp_path / "s.pbtxt"))
    assert done.returncode == 0, done.stderr
    assert sorted(row["a"][0] for row in rows_of(tmp_path)) == values


def test_fractions_are_not_int(bigquery: dict[str, str], tmp_path: Path):
    (tmp_path / "s.pbtxt").write_text('feature { name: "amount" type: INT }')
    options = ("--flatten", "--schema", str(tmp_path / "s.pbtxt"))
    done = run(bigquery, tmp_path, "--input", "bq://data.d.typed", *options)
    assert done.returncode == 3
    assert "bq://data.d.typed: column 'amount': 0.100000000 is not INT as declared" in done.stderr


@pytest.mark.parametrize("args", [["--input", "bq://data.d.trips"], ["--query", "SELECT 1"]], ids=["read", "query"])
def test_bigquery_that_cannot_be_reached_is_reported_within_seconds(tmp_path: Path, args: list[str]):
    away = {"BIGQUERY_STORAGE_EMULATOR_HOST": "127.0.0.1:1", "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1"}
    started = time.monotonic()
    done = run(away, tmp_path, *args)
    assert done.returncode == 2
    assert ": BigQuery cannot be reached: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert time.monotonic() - started < 120


@pytest.mark.parametrize("args", [["--input", "bq://data.d.trips"], ["--query", "SELECT 1"]], ids=["read", "query"])
def test_without_credentials(tmp_path: Path, args: list[str]):
    nobody = {
        "CLOUDSDK_CONFIG": str(tmp_path),
        "GCE_METADATA_HOST": "127.0.0.1:1",
        "GOOGLE_APPLICATION_CREDENTIALS": "",
    }
    done = run(nobody, tmp_path, *args)
    assert done.returncode == 2
    assert "no credentials for BigQuery: none were found (run `gcloud auth application-default login`)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


CACHED = {
    "table": ["--input", "bq://data.d.trips", "--columns", "id,company", "--rename", "company:firm"],
    "query": ["--query", "SELECT * FROM d.trips"],
}


@pytest.mark.parametrize("args", CACHED.values(), ids=CACHED)
def test_a_run_of_the_same_rows_is_reused(
    bigquery: dict[str, str], tables: Tables, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, args: list[str]
):
    options = (*args, "--cache", "--no_examples", "--metadata_store", f"sqlite:///{tmp_path}/m.db")
    first = run(bigquery, tmp_path, *options)
    assert first.returncode == 0, first.stderr
    paid = tables.paid
    again = run(bigquery, tmp_path, *options, "--run_id", "again", "--explain_cache")
    assert ("cache      hit: run r" in again.stdout, tables.paid) == (True, paid)
    assert (again.returncode, (tmp_path / "again").exists()) == (0, False), again.stderr
    monkeypatch.setattr(tables, "modified", tables.modified + 1)
    changed = run(bigquery, tmp_path, *options, "--run_id", "changed", "--explain_cache")
    assert (changed.returncode, (tmp_path / "changed").exists()) == (0, True), changed.stderr
    assert "inputs.bq://" in changed.stdout


def test_a_plan_tells_what_a_query_would_process(bigquery: dict[str, str], tmp_path: Path):
    done = run(bigquery, tmp_path, "--query", "SELECT 1", "--plan")
    assert (done.returncode, done.stderr) == (0, "")
    assert "would process 1,234,567 bytes" in done.stdout
