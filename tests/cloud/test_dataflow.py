"""The launch on Dataflow, as far as it goes without Google Cloud."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import sysconfig
import tarfile
import termios
import venv
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage
from ml_metadata.proto import metadata_store_pb2

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
    named = {*RunManifest.from_json(manifest).named_files(), "manifest.json", "report.html", "openlineage.ndjson"}
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
    assert states(store) == {"FAILED", "CANCELED"}


def test_a_job_that_is_refused(google_cloud: GoogleCloud, tmp_path: Path):
    google_cloud.dataflow.create_refusal = (403, "Current user cannot act as service account.")
    store = f"sqlite:///{tmp_path}/m.sqlite"
    done = run(google_cloud, run_id="refused", metadata_store=store)
    assert done.returncode == 1
    *status, error = done.stderr.splitlines()
    assert error.startswith(
        "beam_taxi: error: Dataflow refused the job: 403 Current user cannot act as service account.; grant yourself"
    )
    assert all(line.startswith(("building the package", "staging ", "creating the job")) for line in status)
    assert states(store) == {"FAILED", "CANCELED"}


def test_uploads_that_are_refused(google_cloud: GoogleCloud):
    google_cloud.storage.refused = "^(POST|PUT) /upload/"
    done = run(google_cloud, run_id="forbidden", metadata_store="none")
    assert done.returncode == 2
    assert done.stderr.startswith("beam_taxi: error: --staging_location: cannot be written: gs://bucket/staging: 403 ")
    # As when only the key of some objects is out of reach.
    google_cloud.storage.refused = "^(POST|PUT) /upload/.*uploadType=resumable"
    done = run(google_cloud, run_id="forbidden", metadata_store="none")
    assert done.returncode == 1
    *status, error = done.stderr.splitlines()
    assert all(line.startswith(("building the package", "staging ")) for line in status)
    told = (
        "403 tester does not have storage access.; `gcloud storage buckets add-iam-policy-binding gs://bucket "
        "--member serviceAccount:tester@project.iam.gserviceaccount.com --role roles/storage.objectUser`"
    )
    assert re.fullmatch(rf"beam_taxi: error: failed while staging \S+: {re.escape(told)}", error)
    assert google_cloud.dataflow.created == []


def test_a_package_that_cannot_be_built(google_cloud: GoogleCloud, tmp_path: Path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("./nowhere.tar.gz\n")
    done = run(google_cloud, run_id="pip", metadata_store="none", requirements_file=str(requirements))
    assert done.returncode == 1
    assert re.search(
        "failed while building the package for the workers: .*nowhere.tar.gz", done.stderr.splitlines()[-1]
    )


def test_more_workers_than_the_input_has_work_for(google_cloud: GoogleCloud):
    google_cloud.dataflow.state = "JOB_STATE_CANCELLED"
    run(google_cloud, "--num_workers", "5", "--autoscaling_algorithm", "NONE", run_id="five", metadata_store="none")
    ((pool,),) = [job["environment"]["workerPools"] for job in google_cloud.dataflow.created]
    assert (pool["numWorkers"], pool["autoscalingSettings"]["maxNumWorkers"]) == (5, 5)


def test_an_answer_that_is_lost(google_cloud: GoogleCloud):
    """The service creates the job, and the launcher does not hear of it."""
    google_cloud.dataflow.create_answers = False
    google_cloud.dataflow.state = "JOB_STATE_CANCELLED"
    done = run(google_cloud, run_id="lost", metadata_store="none")
    assert f"job        {JOB_ID}  https://console.cloud.google.com" in done.stdout
    assert "creating the job, " in done.stderr
    assert "the job was cancelled: https://console" in done.stderr.splitlines()[-1]
    assert re.search(r"staged     gs://bucket/staging/beam-taxi-lost\.\S+ remains; remove it with: gcloud", done.stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_job_is_created(google_cloud: GoogleCloud, tmp_path: Path, number: signal.Signals):
    google_cloud.dataflow.create_answers = False
    store = f"sqlite:///{tmp_path}/m.sqlite"
    words = command(run_id=f"signal-{number.name.lower()}", metadata_store=store)
    process = subprocess.Popen(
        words, cwd=ROOT, env=google_cloud.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert google_cloud.dataflow.requested.wait(120)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == (1 if number == signal.SIGINT else 128 + number)
    said = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert re.search(
        f"error: {said}; the job is still running; cancel it with: gcloud dataflow jobs cancel {JOB_ID} .*; see "
        f"https://console.*; record its end with: python -m beam_taxi runs reap \\S+ --metadata_store '{store}'$",
        told,
        re.M,
    )
    assert states(store) == {"RUNNING"}
    google_cloud.dataflow.state = "JOB_STATE_CANCELLED"
    reap = [sys.executable, "-m", "beam_taxi", "runs", "reap", "--metadata_store", store]
    subprocess.run(reap, check=True, capture_output=True, env=google_cloud.environment)
    assert states(store) == {"CANCELED"}


def test_a_signal_before_a_job_is_created(google_cloud: GoogleCloud, tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    process = subprocess.Popen(
        command(run_id="early", metadata_store=store),
        cwd=ROOT,
        env=google_cloud.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert google_cloud.storage.uploading.wait(120)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert told.splitlines()[-1] == "beam_taxi: error: ended by SIGTERM; no job was created"
    assert states(store) == {"CANCELED"}
    assert google_cloud.dataflow.created == []


def test_nobody_waits(google_cloud: GoogleCloud, tmp_path: Path):
    store = f"sqlite:///{tmp_path}/m.sqlite"
    done = run(google_cloud, "--no_wait", run_id="alone", metadata_store=store)
    assert done.returncode == 0
    # A step that takes some seconds on a loaded machine is told before.
    *status, note = done.stderr.splitlines()
    assert all(line.startswith(("building the package", "staging ", "creating the job")) for line in status)
    assert note == "beam_taxi: note: no launcher waits for the job: record it later, or use --record_on worker"
    assert done.stdout.splitlines() == [
        f"job        {JOB_ID}  https://console.cloud.google.com/dataflow/jobs/us-east1/{JOB_ID}?project=project",
        f"cancel     gcloud dataflow jobs cancel {JOB_ID} --region us-east1 --project project",
        "The job is still running; its manifest will be gs://bucket/out/alone/manifest.json",
        "Record it then: python -m beam_taxi record --manifest gs://bucket/out/alone/manifest.json "
        f"--metadata_store '{store}'",
    ]
    assert states(store) == {"RUNNING"}


def test_nobody_waits_for_json(google_cloud: GoogleCloud):
    done = run(google_cloud, "--no_wait", "--log_format", "json", run_id="alone-json", metadata_store="none")
    told = json.loads(done.stdout)
    assert (done.returncode, told["state"]) == (0, "RUNNING")
    assert told["manifest_uri"] == "gs://bucket/out/alone-json/manifest.json"
    assert told["job"] == {
        "runner": "DataflowRunner",
        "id": JOB_ID,
        "service": f"{ENDPOINT}/v1b3/projects/project/locations/us-east1",
        "page": f"https://console.cloud.google.com/dataflow/jobs/us-east1/{JOB_ID}?project=project",
        "cancel": f"gcloud dataflow jobs cancel {JOB_ID} --region us-east1 --project project",
    }


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
