"""BigQuery's two services, spoken to by Google's own clients, on a stand-in in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest
import tensorflow as tf
from google.cloud.bigquery_storage_v1 import types

from beam_taxi.errors import BeamTaxiError
from beam_taxi.settings import Settings
from beam_taxi.sources import bigquery as bigquery_source
from tests.cloud.answers import JsonHandler

ROWS = 1000
TABLE = pa.table(
    {
        "id": pa.array(range(ROWS)),
        "fare": pa.array([None if i % 10 == 0 else i / 4 for i in range(ROWS)]),
        "company": pa.array([f"company {i % 7}" for i in range(ROWS)]),
        "start": pa.array([1357000000 + i for i in range(ROWS)], pa.timestamp("us", "UTC")),
    }
)
TABLES = {
    "projects/data/datasets/d/tables/trips": TABLE,
    "projects/data/datasets/_temp/tables/result": TABLE.slice(0, 10),
    "projects/data/datasets/d/tables/nested": pa.table({"a": pa.array([{"x": 1}])}),
    "projects/data/datasets/d/tables/typed": pa.table(
        {
            "id": pa.array([10**17 + i for i in range(60)]),
            "amount": pa.array([Decimal("0.1"), None, Decimal("-12.50")] * 20, pa.decimal128(38, 9)),
            "tags": pa.array([["a", "b"], [], ["c"]] * 20),
            "place": pa.array([{"x": 1, "ys": [1.5]}, None, {"x": 2, "ys": []}] * 20),
            "start": pa.array([0, None, 1] * 20, pa.timestamp("us", "UTC")),
        }
    ),
    "projects/data/datasets/d/tables/ids": pa.table(
        {"a": pa.array([Decimal(10**17 + i) for i in range(60)], pa.decimal128(38, 9))}
    ),
    "projects/data/datasets/d/tables/large": pa.table({"a": [1.5, 1e39]}),
    "projects/data/datasets/d/tables/empty": pa.table({"a": [1]}).slice(1),
}
STREAMS = 4


class _ReadApi(grpc.GenericRpcHandler):
    """CreateReadSession and ReadRows of google.cloud.bigquery.storage.v1.BigQueryRead."""

    def service(self, call: Any) -> Any:
        return {
            "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                self.create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
            ),
            "ReadRows": grpc.unary_stream_rpc_method_handler(
                self.read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
            ),
        }[call.method.rsplit("/", 1)[1]]

    def create(self, request: types.CreateReadSessionRequest, context: grpc.ServicerContext) -> types.ReadSession:
        name = request.read_session.table
        if name not in TABLES:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: Table {name}")
        assert request.parent == "projects/payer"
        assert request.read_session.table_modifiers.snapshot_time is not None
        table = TABLES[name]
        count = min(request.max_stream_count or STREAMS, STREAMS) if len(table) else 0
        return types.ReadSession(
            arrow_schema=types.ArrowSchema(serialized_schema=table.schema.serialize().to_pybytes()),
            streams=[types.ReadStream(name=f"{name}#{number}#{count}") for number in range(count)],
            estimated_total_bytes_scanned=table.nbytes,
        )

    def read(self, request: types.ReadRowsRequest, context: grpc.ServicerContext) -> Iterator[types.ReadRowsResponse]:
        name, number, count = request.read_stream.split("#")
        table = TABLES[name]
        share = -(-len(table) // int(count))
        part = table.slice(int(number) * share + request.offset, share - request.offset).combine_chunks()
        for batch in part.to_batches(max_chunksize=100):
            yield types.ReadRowsResponse(
                arrow_schema=types.ArrowSchema(serialized_schema=table.schema.serialize().to_pybytes()),
                arrow_record_batch=types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes()),
                row_count=len(batch),
            )


REFERENCE = {"projectId": "payer", "jobId": "job", "location": "US"}


class _Jobs(JsonHandler):
    """jobs.insert, jobs.get and jobs.getQueryResults of the REST API, for a query that is done at once."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        query = request["configuration"]["query"]["query"]
        if "FORM" in query:
            self.answer({"error": {"code": 400, "message": f"Syntax error in {query}"}}, 400)
        else:
            self.answer(self.job(query))

    def do_GET(self) -> None:
        if "/queries/" in self.path:
            self.answer({"jobComplete": True, "jobReference": REFERENCE, "totalRows": "10", "schema": {}})
        else:
            self.answer(self.job("SELECT"))

    def job(self, query: str) -> dict[str, Any]:
        table = {"projectId": "data", "datasetId": "_temp", "tableId": "result"}
        return {
            "jobReference": REFERENCE,
            "configuration": {"jobType": "QUERY", "query": {"query": query, "destinationTable": table}},
            "status": {"state": "DONE"},
            "statistics": {"query": {"totalBytesProcessed": "1234567"}},
        }


@pytest.fixture(scope="module")
def bigquery() -> Iterator[dict[str, str]]:
    """Yield the environment variables under which BigQuery is here."""
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((_ReadApi(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    jobs = ThreadingHTTPServer(("127.0.0.1", 0), _Jobs)
    threading.Thread(target=jobs.serve_forever, daemon=True).start()
    yield {
        "BIGQUERY_STORAGE_EMULATOR_HOST": f"127.0.0.1:{port}",
        "BIGQUERY_EMULATOR_HOST": f"http://127.0.0.1:{jobs.server_port}",
    }
    jobs.shutdown()
    server.stop(None)


def run(bigquery: dict[str, str], out: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [
        *(sys.executable, "-m", "beam_taxi.main", "--output", str(out), "--run_id", "r", "--project", "payer"),
        *("--metadata_store", "none", *args),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **bigquery})


def test_a_table_becomes_examples(bigquery: dict[str, str], tmp_path: Path):
    done = run(bigquery, tmp_path, "--input", "bq://data.d.trips", "--num_shards", "3")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text())
    (source,) = manifest["inputs"]
    assert (source["format"], source["rows"]) == ("bigquery", ROWS)
    assert source["content_hash"].startswith("bigquery-snapshot:20")
    kinds = {feature["name"]: feature["type"] for feature in manifest["features"]}
    assert kinds == {"company": "STRING", "fare": "FLOAT", "id": "INT", "start": "STRING"}
    assert sum(split["rows"] for split in manifest["splits"]) == ROWS


def test_a_query_becomes_examples(bigquery: dict[str, str], tmp_path: Path):
    done = run(bigquery, tmp_path, "--query", "SELECT * FROM d.trips LIMIT 10")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "r" / "manifest.json").read_text())["inputs"][0]["rows"] == 10


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (["--input", "bq://data.d"], 2, "--input bq://data.d: give bq://PROJECT.DATASET.TABLE"),
        (["--input", "bq://data.d.none"], 2, "bq://data.d.none: BigQuery refused: 404 Not found: Table"),
        (["--query", "SELECT FORM x"], 2, "--query: BigQuery refused: 400 "),
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


class _Away(_ReadApi):
    """A service that answers until rows are read."""

    def read(self, request: types.ReadRowsRequest, context: grpc.ServicerContext) -> Iterator[types.ReadRowsResponse]:
        context.abort(grpc.StatusCode.UNAVAILABLE, "Away.")
        yield types.ReadRowsResponse()


def test_rows_are_not_waited_for_without_a_limit(monkeypatch: pytest.MonkeyPatch):
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((_Away(),))
    monkeypatch.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    monkeypatch.setattr(bigquery_source, "_READ_SECONDS", 0.5)
    server.start()
    try:
        settings = Settings(input=("bq://data.d.trips",), run_uri="/out/r", run_id="r", project="payer")
        table = bigquery_source.open_bigquery("bq://data.d.trips", settings, {})
        with pytest.raises(BeamTaxiError, match="bq://data.d.trips: BigQuery cannot be reached: 503 Away."):
            list(table.reader(table.kinds, has_rejects=False).read(0, 1))
    finally:
        server.stop(None)


def test_a_plan_tells_what_a_query_would_process(bigquery: dict[str, str], tmp_path: Path):
    done = run(bigquery, tmp_path, "--query", "SELECT 1", "--plan")
    assert (done.returncode, done.stderr) == (0, "")
    assert "would process 1,234,567 bytes" in done.stdout
