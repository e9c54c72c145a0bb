"""The launch on Dataflow, as far as it goes without Google Cloud."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import storage

from beam_taxi import layout

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def staged(cloud: dict[str, str], bucket: storage.Bucket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Launch on Dataflow as a template, so that nothing is sent; return a folder with the files that were staged."""
    bucket.blob("in/x.csv").upload_from_string('a,b\n1,"x\ny"\n2,z\n')
    command = [
        *(sys.executable, "-m", "beam_taxi.main", "--input", "gs://bucket/in/*.csv", "--output", "gs://bucket/out"),
        *("--runner", "DataflowRunner", "--setup_file", "./setup.py", "--project", "project", "--region", "us-east1"),
        *("--temp_location", "gs://bucket/tmp", "--template_location", "gs://bucket/template", "--run_id", "job"),
        *("--dataflow_endpoint", "http://localhost:1"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **cloud})
    assert done.returncode == 0, done.stderr
    assert "its manifest will be gs://bucket/out/job/manifest.json" in done.stdout
    folder = tmp_path_factory.mktemp("staged")
    for blob in bucket.list_blobs(prefix="tmp/"):
        blob.download_to_filename(folder / Path(blob.name).name)
    return folder


def clean_environment(folder: Path) -> Path:
    """Make a virtual environment with the libraries of this one, and without beam_taxi; return its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    target = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    # A path in a .pth file is searched, but its own .pth files, such as that of an editable install, are not read.
    Path(target, "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def execute(python: Path, staged: Path, cloud: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).with_name("execute_job.py")
    # Elsewhere than here, where beam_taxi would be found in the working directory.
    command = [python, script, staged / "pipeline.pb"]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, **cloud})


def test_the_launch_stages_what_workers_need(staged: Path, bucket: storage.Bucket):
    assert json.loads(bucket.blob("template").download_as_bytes())["type"] == "JOB_TYPE_BATCH"
    with tarfile.open(staged / "workflow.tar.gz") as sdist:
        packed = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "beam_taxi").rglob("*.py")}
    assert ours <= packed


def test_the_staged_job_runs_where_only_the_staged_package_is(
    staged: Path, cloud: dict[str, str], bucket: storage.Bucket, tmp_path: Path
):
    python = clean_environment(tmp_path / "worker")
    without = execute(python, staged, cloud, tmp_path)
    assert without.returncode != 0
    assert "No module named 'beam_taxi'" in without.stderr
    install = [python, "-m", "pip", "install", "--no-deps", "--no-build-isolation", staged / "workflow.tar.gz"]
    subprocess.run(install, capture_output=True, check=True)
    done = execute(python, staged, cloud, tmp_path)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(bucket.blob("out/job/manifest.json").download_as_bytes())
    assert sum(split["rows"] for split in manifest["splits"]) == 2
    named = {f"out/job/{path}" for path in layout.named_files(manifest)}
    assert {blob.name for blob in bucket.list_blobs(prefix="out/job/")} == {*named, "out/job/manifest.json"}


def test_the_whole_job_in_cloud_storage(cloud: dict[str, str], bucket: storage.Bucket, tmp_path: Path):
    bucket.blob("two/1.csv").upload_from_string('a,b\n1,"x\ny"\n')
    bucket.blob("two/2.csv").upload_from_string("b,a\nz,2\n")
    parquet = io.BytesIO()
    pq.write_table(pa.table({"a": [3, 4], "b": ["u", "v"]}), parquet)
    bucket.blob("two/3.parquet").upload_from_string(parquet.getvalue())
    command = [
        *(sys.executable, "-m", "beam_taxi.main", "--input", "gs://bucket/two/*", "--output", "gs://bucket/out"),
        *("--run_id", "whole", "--metadata_store", f"sqlite:///{tmp_path}/m.sqlite"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **cloud})
    assert done.returncode == 0, done.stderr
    manifest = json.loads(bucket.blob("out/whole/manifest.json").download_as_bytes())
    assert sum(one["rows"] for one in manifest["inputs"]) == 4
    assert [one["format"] for one in manifest["inputs"]] == ["csv", "csv", "parquet"]
    named = {f"out/whole/{path}" for path in layout.named_files(manifest)}
    assert {blob.name for blob in bucket.list_blobs(prefix="out/whole/")} == {*named, "out/whole/manifest.json"}
    report = [sys.executable, "-m", "beam_taxi.report", "gs://bucket/out/whole", "--out", str(tmp_path / "r.html")]
    subprocess.run(report, check=True, env={**os.environ, **cloud})
    assert (tmp_path / "r.html").read_bytes() == bucket.blob("out/whole/report.html").download_as_bytes()
    again = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **cloud})
    assert again.returncode == 2
    assert "gs://bucket/out/whole exists" in again.stderr


def test_the_notebook_looks_at_a_run_in_cloud_storage(cloud: dict[str, str], bucket: storage.Bucket, tmp_path: Path):
    bucket.blob("three/x.csv").upload_from_string("a,b\n" + "1,x\n2,y\n" * 50)
    environment = {**os.environ, **cloud}
    store = f"sqlite:///{tmp_path}/m.sqlite"
    command = [
        *(sys.executable, "-m", "beam_taxi.main", "--input", "gs://bucket/three/x.csv"),
        *("--output", "gs://bucket/notebook", "--metadata_store", store),
    ]
    subprocess.run(command, capture_output=True, check=True, env=environment)
    command = [sys.executable, "-m", "pytest", "--nbmake", "notebooks/explore.ipynb", "-p", "no:cacheprovider"]
    environment |= {"BEAM_TAXI_OUT": "gs://bucket/notebook", "BEAM_TAXI_STORE": store}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stdout
