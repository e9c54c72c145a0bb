"""How many bytes both passes read from Cloud Storage, in the units of a job."""

from __future__ import annotations

import gzip
import io
import json
from contextlib import closing
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import storage as google_storage

from beam_taxi.settings import Settings
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.plan import TablePlan, plan_input
from beam_taxi.sources.reading import TableReader
from beam_taxi.sources.units import tasks
from beam_taxi.tfexample.batches import encode_rows
from beam_taxi.tfexample.tfrecord import frame_records
from tests.storage.conftest import Requests

PART_BYTES, READ_AHEAD = 12 << 20, 4 << 20
ROWS, TEXT = 52_000, "x" * 500


def as_csv() -> bytes:
    return ("id,text\n" + f"7,{TEXT}\n" * ROWS).encode()


def as_json_lines() -> bytes:
    return (json.dumps({"id": 7, "text": TEXT}) + "\n").encode() * ROWS


def as_parquet() -> bytes:
    stored = io.BytesIO()
    table = pa.table({"id": [7] * ROWS, "text": [TEXT] * ROWS})
    pq.write_table(table, stored, compression="none", use_dictionary=False, row_group_size=ROWS // 2)
    return stored.getvalue()


def as_tfrecord() -> bytes:
    frames = frame_records(*encode_rows(pa.RecordBatch.from_pydict({"id": [7], "text": [TEXT]})))
    frame: bytes = frames[0].as_py()
    return frame * ROWS


FORMATS = {
    "csv": (as_csv, 2),
    "csv.gz": (lambda: gzip.compress(as_csv(), 1), 2),
    "jsonl": (as_json_lines, 2),
    "jsonl.gz": (lambda: gzip.compress(as_json_lines(), 1), 2),
    "parquet": (as_parquet, 3),
    "tfrecord": (as_tfrecord, 2),
}


def read_all(plan: TablePlan, settings: Settings) -> int:
    """Read the table as a job does, and return the number of rows."""
    data, units = plan_table(plan, settings)
    rows = 0
    for task in tasks(plan, units):
        with closing(TableReader(plan, data)) as reader:
            rows += sum(len(batch.rows) for unit in task for batch in reader.read(unit))
    return rows


@pytest.mark.parametrize("name", FORMATS)
def test_the_plan_says_how_many_bytes_are_read(cloud_storage: google_storage.Bucket, requests: Requests, name: str):
    write, times = FORMATS[name]
    content = write()
    cloud_storage.blob(f"read/x.{name}").upload_from_string(content)
    settings = Settings((f"gs://bucket/read/x.{name}",), "unused", "run", num_shards=2)
    plan = replace(plan_input(settings, {}), part_bytes=PART_BYTES)
    assert plan.bytes_read == times * len(content)
    requests.clear()
    assert read_all(plan, settings) == ROWS
    read = sum(min(int(end), len(content) - 1) - int(start) + 1 for start, end in map(ends_of, requests.ranges))
    reads = len(list(plan.parts(0))) + plan.n_units
    assert 0 <= read - plan.bytes_read < reads * READ_AHEAD


def test_a_part_of_a_csv_is_read_with_little_more(cloud_storage: google_storage.Bucket, requests: Requests):
    cloud_storage.blob("read/x.csv").upload_from_string(as_csv())
    plan = replace(plan_input(Settings(("gs://bucket/read/x.csv",), "unused", "run"), {}), part_bytes=PART_BYTES)
    second = list(plan.parts(0))[1]
    requests.clear()
    plan.sources[0].scan(second)
    read = sum(int(end) - int(start) + 1 for start, end in map(ends_of, requests.ranges))
    assert PART_BYTES < read <= PART_BYTES + (256 << 10)
    # The object is not looked up again: the launch knows its generation.
    assert all("alt=media" in url for url in requests.urls)


def ends_of(text: str) -> list[str]:
    """Return the first and the last byte of a range."""
    return text.removeprefix("bytes=").split("-")
