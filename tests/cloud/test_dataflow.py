"""The launch on Dataflow, as far as it goes without Google Cloud."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import sysconfig
import tarfile
import termios
import threading
import venv
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage
from ml_metadata.proto import metadata_store_pb2

from beam_taxi.cli.terminal import TerminalConsole
from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning
from beam_taxi.launch.runners.dataflow_job import Job, watch
from beam_taxi.metadata.store import open_store
from beam_taxi.run.manifest import RunManifest
from tests.cloud.conftest import GoogleCloud
from tests.cloud.dataflow_service import ENDPOINT, JOB_ID
from tests.cloud.launch import ROOT, command, run


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


def stage(bucket: storage.Bucket, folder: Path) -> Path:
    """Copy what a launch has staged to a folder."""
    for blob in bucket.list_blobs(prefix="staging/"):
        blob.download_to_filename(folder / Path(blob.name).name)
    return folder


def states(store: str) -> set[str]:
    """Return the states of the executions in a store."""
    with open_store(store) as connection:
        return {metadata_store_pb2.Execution.State.Name(one.last_known_state) for one in connection.get_executions()}


def test_the_launch_and_the_job(google_cloud: GoogleCloud, bucket: storage.Bucket, tmp_path: Path):
    """The job that the service gets is executed where only the staged package is, while the launcher waits."""
    service = google_cloud.dataflow
    store = f"sqlite:///{tmp_path}/m.sqlite"
    more = ("--max_num_workers", "3", "--experiments", "a", "--labels", "team=taxi", "--no_use_public_ips")
    words = command(*more, run_id="job", metadata_store=store)
    process = subprocess.Popen(
        words, cwd=ROOT, env=google_cloud.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert service.watched.wait(120)
        check_description(service.created)
        service.message("BASIC", "Executing operation PlanInput/ScanBlocks+PlanInput/KeyScans")
        service.counters = {"read_bytes": 16, "rows": 2, "rejects": 0}
        check_execution(stage(bucket, tmp_path), google_cloud.variables, tmp_path)
        service.broken_calls = 4
        assert service.mended.wait(60)
        service.state = "JOB_STATE_DONE"
        out, told = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 0, told
    assert (
        f"job        {JOB_ID}  https://console.cloud.google.com/dataflow/jobs/us-east1/{JOB_ID}?project=project" in out
    )
    assert "rows read  2 from 1 file(s)" in out
    lines = told.splitlines()
    assert "running    PlanInput/ScanBlocks  16 bytes read, 2 rows, 0 rejects" in lines
    assert "no connection to Dataflow, retrying: " in told
    assert lines[-1] == "done       PlanInput/ScanBlocks  16 bytes read, 2 rows, 0 rejects"
    assert states(store) == {"COMPLETE"}
    manifest = json.loads(bucket.blob("out/job/manifest.json").download_as_bytes())
    assert sum(split["rows"] for split in manifest["splits"]) == 2
    named = {*RunManifest.from_json(manifest).named_files(), "manifest.json", "report.html"}
    assert {blob.name for blob in bucket.list_blobs(prefix="out/job/")} == {f"out/job/{path}" for path in named}


def check_description(created: list[dict[str, Any]]) -> None:
    (job,) = created
    assert (job["name"], job["type"], job["labels"]) == ("beam-taxi-job", "JOB_TYPE_BATCH", {"team": "taxi"})
    options = job["environment"]["sdkPipelineOptions"]["options"]
    assert (options["tempLocation"] if "tempLocation" in options else options["temp_location"]).startswith(
        "gs://bucket/tmp"
    )
    (pool,) = job["environment"]["workerPools"]
    assert pool["machineType"] == "n2-standard-4"
    assert pool["diskSizeGb"] == 50
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 3
    assert pool["ipConfiguration"] == "WORKER_IP_PRIVATE"
    packages = {package["name"] for package in pool["packages"]}
    assert "workflow.tar.gz" in packages
    assert "a" in options["experiments"]
    assert options["number_of_worker_harness_threads"] == 2


def check_execution(staged: Path, variables: dict[str, str], folder: Path) -> None:
    with tarfile.open(staged / "workflow.tar.gz") as sdist:
        packed = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "beam_taxi").rglob("*.py")}
    assert ours - packed == {path for path in ours if path.startswith("beam_taxi/samples/")}
    python = clean_environment(folder / "worker")
    without = execute(python, staged, variables, folder)
    assert without.returncode != 0
    assert "No module named 'beam_taxi'" in without.stderr
    install = [python, "-m", "pip", "install", "--no-deps", "--no-build-isolation", staged / "workflow.tar.gz"]
    subprocess.run(install, capture_output=True, check=True)
    done = execute(python, staged, variables, folder)
    assert done.returncode == 0, done.stderr


QUIET = TerminalConsole(as_json=True)
TRACE = """Traceback (most recent call last):
  File "apache_beam/runners/common.py", line 1, in apache_beam.runners.common.DoFnRunner.process
beam_taxi.errors.DataError: gs://bucket/in/x.csv: line 3: has 3 fields, the header has 2 [while running 'PlanInput/X']
"""


def test_a_job_that_fails(google_cloud: GoogleCloud, tmp_path: Path):
    google_cloud.dataflow.state = "JOB_STATE_FAILED"
    google_cloud.dataflow.message("ERROR", TRACE)
    google_cloud.dataflow.message("ERROR", "Workflow failed.")
    store = f"sqlite:///{tmp_path}/m.sqlite"
    done = run(google_cloud, "--log_format", "json", run_id="failing", metadata_store=store)
    told = json.loads(done.stderr.splitlines()[-1])
    assert (done.returncode, told["exit_status"]) == (3, 3)
    assert told["error"] == "gs://bucket/in/x.csv: line 3: has 3 fields, the header has 2"
    assert states(store) == {"FAILED"}


def test_a_job_that_is_refused(google_cloud: GoogleCloud, tmp_path: Path):
    google_cloud.dataflow.create_refusal = (403, "Current user cannot act as service account.")
    store = f"sqlite:///{tmp_path}/m.sqlite"
    done = run(google_cloud, run_id="refused", metadata_store=store)
    assert done.returncode == 1
    assert "Dataflow refused the job: 403 Current user cannot act as service account.; grant yourself" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert states(store) == {"FAILED"}


def test_nobody_waits(google_cloud: GoogleCloud, tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    done = run(google_cloud, "--no_wait", run_id="alone", metadata_store=store)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "beam_taxi: note: no launcher waits for the job: record it later, or use --record_on worker"
    ]
    assert done.stdout.splitlines() == [
        f"job        {JOB_ID}  https://console.cloud.google.com/dataflow/jobs/us-east1/{JOB_ID}?project=project",
        f"cancel     gcloud dataflow jobs cancel {JOB_ID} --region us-east1 --project project",
        "The job is still running; its manifest will be gs://bucket/out/alone/manifest.json",
        "Record it then: python -m beam_taxi record --manifest gs://bucket/out/alone/manifest.json "
        f"--metadata_store '{store}'",
    ]
    assert states(store) == {"RUNNING"}


def test_an_interrupt_cancels_if_so_answered(google_cloud: GoogleCloud, tmp_path: Path):
    ours, theirs = pty.openpty()
    store = f"sqlite:///{tmp_path}/m.sqlite"
    process = subprocess.Popen(
        command(run_id="cancelled", metadata_store=store),
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        cwd=ROOT,
        env=google_cloud.environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    try:
        assert google_cloud.dataflow.watched.wait(120)
        os.write(ours, b"\x03")
        assert "scan" not in read_until(ours, "Cancel the job"), "there are no bars for workers elsewhere"
        os.write(ours, b"y\n")
        assert google_cloud.dataflow.cancelled.wait(60)
        read_until(ours, "the job was cancelled: https://console.cloud.google.com/dataflow/jobs/us-east1/")
        assert process.wait() == 1
    finally:
        process.kill()
        os.close(ours)
    assert states(store) == {"CANCELED"}


def read_until(terminal: int, text: str) -> str:
    seen = ""
    while text not in seen:
        seen += os.read(terminal, 4096).decode()
    return seen


@pytest.fixture
def job(google_cloud: GoogleCloud, monkeypatch: pytest.MonkeyPatch) -> Job:
    for name, value in google_cloud.variables.items():
        monkeypatch.setenv(name, value)
    return Job("project", "us-east1", JOB_ID, ENDPOINT)


def test_an_interrupt_without_a_terminal_leaves_the_job(google_cloud: GoogleCloud, job: Job):
    def interrupt() -> None:
        google_cloud.dataflow.watched.wait()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(
        StillRunning, match=f"the job is still running; cancel it with: gcloud dataflow jobs cancel {JOB_ID}"
    ):
        watch(job, QUIET)
    thread.join()
    assert not google_cloud.dataflow.cancelled.is_set()


def test_other_ends_of_the_wait(google_cloud: GoogleCloud, job: Job):
    google_cloud.dataflow.state = "JOB_STATE_CANCELLED"
    with pytest.raises(JobCancelled, match="the job was cancelled: https://console"):
        watch(job, QUIET)
    google_cloud.dataflow.state = "JOB_STATE_FAILED"
    with pytest.raises(BeamTaxiError, match="the job failed: no reason given; see https://console"):
        watch(job, QUIET)
    google_cloud.dataflow.message("ERROR", "Quota exceeded.\nNo machines in us-east1.\n")
    with pytest.raises(BeamTaxiError, match=r"the job failed: No machines in us-east1\.; see https://console"):
        watch(job, QUIET)
    google_cloud.dataflow.broken_calls = 9
    with pytest.raises(StillRunning, match="the job cannot be watched: .* it may still be running: https://console"):
        watch(job, QUIET, lost_seconds=0)
    google_cloud.dataflow.broken_calls = 0
    unknown = Job("project", "us-east1", "unknown", ENDPOINT)
    with pytest.raises(StillRunning, match="the job cannot be watched: 404"):
        watch(unknown, QUIET, lost_seconds=0)


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
