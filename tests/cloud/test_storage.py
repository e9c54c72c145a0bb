"""The whole job in Cloud Storage, and its messages when the service refuses."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import storage

from beam_taxi.run.folder import MANIFEST, OPENLINEAGE, REPORT
from beam_taxi.run.manifest import RunManifest
from beam_taxi.storage import match
from tests.cloud.conftest import GoogleCloud


def test_the_whole_job_while_the_service_is_away_at_times(
    google_cloud: GoogleCloud, bucket: storage.Bucket, tmp_path: Path
):
    bucket.blob("two/1.csv").upload_from_string('a,b\n1,"x\ny"\n')
    bucket.blob("two/2.csv").upload_from_string("b,a\nz,2\n")
    parquet = io.BytesIO()
    pq.write_table(pa.table({"a": [3, 4], "b": ["u", "v"]}), parquet)
    bucket.blob("two/3.parquet").upload_from_string(parquet.getvalue())
    google_cloud.storage.away = "GET .*prefix=two|GET .*alt=media|POST /upload"
    command = [
        *(sys.executable, "-m", "beam_taxi.main", "--input", "gs://bucket/two/*", "--output", "gs://bucket/out"),
        *("--run_id", "whole", "--metadata_store", f"sqlite:///{tmp_path}/m.sqlite"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=google_cloud.environment)
    assert done.returncode == 0, done.stderr
    # The list, three inputs, an upload, the claim, the manifest, and what the report is made from.
    assert len(google_cloud.storage.failed) >= 9
    manifest = RunManifest.from_json(json.loads(bucket.blob("out/whole/manifest.json").download_as_bytes()))
    assert sum(entry.rows for entry in manifest.inputs) == 4
    assert [entry.format for entry in manifest.inputs] == ["csv", "csv", "parquet"]
    published = {f"out/whole/{path}" for path in (*manifest.named_files(), MANIFEST, REPORT, OPENLINEAGE)}
    assert {blob.name for blob in bucket.list_blobs(prefix="out/whole/")} == published
    report = [sys.executable, "-m", "beam_taxi.report", "gs://bucket/out/whole", "--out", str(tmp_path / "r.html")]
    subprocess.run(report, check=True, env=google_cloud.environment)
    assert (tmp_path / "r.html").read_bytes() == bucket.blob("out/whole/report.html").download_as_bytes()
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=google_cloud.environment)
    assert again.returncode == 2
    assert "gs://bucket/out/whole has a complete run; choose another --run_id" in again.stderr


@pytest.mark.parametrize(
    ("options", "refused", "status", "message"),
    [
        ({"input": "gs://none/*.csv"}, "", 2, "gs://none/*.csv: 404 "),
        ({"input": "gs://none/x.csv"}, "", 2, "gs://none/x.csv: 404 "),
        ({"input": "gs://bucket/none.csv"}, "", 2, "--input gs://bucket/none.csv: no file matches"),
        ({"output": "gs://none/out"}, "", 2, "gs://none/out/r: 404 "),
        (
            {"schema": "gs://bucket/none.pbtxt"},
            "",
            2,
            "--schema gs://bucket/none.pbtxt: cannot be read: gs://bucket/none",
        ),
        (
            {},
            "GET .*/in",
            2,
            "gs://bucket/in/x.csv: 403 tester does not have storage access.; grant access with `gcloud storage ",
        ),
        ({}, "POST /upload", 2, "403 tester does not have storage access.; grant access with `gcloud storage "),
    ],
)
def test_refused_in_one_line(
    google_cloud: GoogleCloud, options: dict[str, str], refused: str, status: int, message: str
):
    google_cloud.storage.refused = refused
    words = {"input": "gs://bucket/in/*.csv", "output": "gs://bucket/out", "run_id": "r", **options}
    command = [sys.executable, "-m", "beam_taxi.main", *(f"--{name}={value}" for name, value in words.items())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=google_cloud.environment)
    assert done.returncode == status
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_patterns(bucket: storage.Bucket, cloud: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    for name in ("a.csv", "b1.csv", "b2.csv", "c/d.csv", "c/e/f.csv", "odd[1].csv"):
        bucket.blob(f"glob/{name}").upload_from_string("x")
    for name, value in cloud.items():
        monkeypatch.setenv(name, value)

    def matched(pattern: str) -> list[str]:
        return [file.uri.removeprefix("gs://bucket/glob/") for file in match(f"gs://bucket/glob/{pattern}")]

    assert matched("*.csv") == ["a.csv", "b1.csv", "b2.csv", "odd[1].csv"]
    assert matched("b[12].csv") == matched("b?.csv") == matched("b[!3].csv") == ["b1.csv", "b2.csv"]
    assert matched("c/**.csv") == ["c/d.csv", "c/e/f.csv"]
    assert matched("*/d.csv") == ["c/d.csv"]
    assert matched("odd[1].csv") == ["odd[1].csv"]
    assert matched("none.csv") == []


def test_of_twins_one_runs(google_cloud: GoogleCloud, bucket: storage.Bucket):
    words = ["--input", "gs://bucket/in/*.csv", "--output", "gs://bucket/out", "--run_id", "twin"]
    command, pipe = [sys.executable, "-m", "beam_taxi.main", *words], subprocess.PIPE
    twins = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=google_cloud.environment) for _ in "ab"]
    ends = sorted((twin.returncode, err) for twin, (_, err) in [(twin, twin.communicate()) for twin in twins])
    assert [status for status, _ in ends] == [0, 2]
    taken = r"--run_id twin: gs://bucket/out/twin belongs to process \d+ on \S+, launched at \S+ UTC, which is running"
    assert re.search(taken, ends[1][1])
    assert bucket.blob("out/twin/manifest.json").exists()
