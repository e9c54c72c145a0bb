"""The launch on Dataflow, as far as it goes without Google Cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from google.cloud import storage

ROOT = Path(__file__).parents[2]


def test_dataflow_runner_builds_the_job(cloud: dict[str, str], bucket: storage.Bucket):
    bucket.blob("in/x.csv").upload_from_string("a,b\n1,2\n")
    command = [
        *(sys.executable, "-m", "beam_taxi.main", "--input", "gs://bucket/in/*.csv", "--output", "gs://bucket/out"),
        *("--runner", "DataflowRunner", "--setup_file", "./setup.py", "--project", "project", "--region", "us-east1"),
        *("--temp_location", "gs://bucket/tmp", "--template_location", "gs://bucket/template"),
        *("--dataflow_endpoint", "http://localhost:1"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **cloud})
    assert done.returncode == 0, done.stderr
    assert "its manifest will be gs://bucket/out/" in done.stdout
    job = json.loads(bucket.blob("template").download_as_bytes())
    assert job["type"] == "JOB_TYPE_BATCH"
    staged = {Path(blob.name).name for blob in bucket.list_blobs(prefix="tmp/")}
    assert {"pipeline.pb", "workflow.tar.gz"} <= staged


def test_the_whole_job_in_cloud_storage(cloud: dict[str, str], bucket: storage.Bucket, tmp_path: Path):
    bucket.blob("two/1.csv").upload_from_string('a,b\n1,"x\ny"\n')
    bucket.blob("two/2.csv").upload_from_string("b,a\nz,2\n")
    command = [
        *(sys.executable, "-m", "beam_taxi.main", "--input", "gs://bucket/two/*.csv", "--output", "gs://bucket/out"),
        *("--run_id", "whole", "--metadata_store", f"sqlite:///{tmp_path}/m.sqlite"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **cloud})
    assert done.returncode == 0, done.stderr
    manifest = json.loads(bucket.blob("out/whole/manifest.json").download_as_bytes())
    assert sum(one["rows"] for one in manifest["inputs"]) == 2
    named = {f"out/whole/{a['path']}/{f['path']}" for a in manifest["artifacts"].values() for f in a["files"]}
    named |= {f"out/whole/{file['path']}" for file in manifest["files"]}
    assert {blob.name for blob in bucket.list_blobs(prefix="out/whole/")} == {*named, "out/whole/manifest.json"}
    report = [sys.executable, "-m", "beam_taxi.report", "gs://bucket/out/whole", "--out", str(tmp_path / "r.html")]
    subprocess.run(report, check=True, env={**os.environ, **cloud})
    assert (tmp_path / "r.html").read_bytes() == bucket.blob("out/whole/report.html").download_as_bytes()
    again = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **cloud})
    assert again.returncode == 2
    assert "gs://bucket/out/whole exists" in again.stderr
