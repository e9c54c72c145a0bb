"""A job on Dataflow while it is watched, and its end."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from beam_taxi.cli.terminal import TerminalConsole
from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning, StorageError
from beam_taxi.launch.command import parse
from beam_taxi.launch.interrupts import Interrupt
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.outcome import Cancelled, Failed, Outcome, Unknown
from beam_taxi.launch.runners.dataflow import DataflowRunner
from beam_taxi.launch.runners.dataflow_job import Job, watch
from beam_taxi.launch.runners.registry import choose
from beam_taxi.run.versions import versions
from tests.cloud.conftest import GoogleCloud
from tests.cloud.dataflow_service import ENDPOINT, JOB_ID
from tests.cloud.launch import command

QUIET = TerminalConsole(as_json=True)


@pytest.fixture
def job(google_cloud: GoogleCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Job:
    for name, value in google_cloud.variables.items():
        monkeypatch.setenv(name, value)
    credentials = json.loads(Path(google_cloud.variables["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    own = tmp_path / "credentials.json"
    own.write_text(json.dumps({**credentials, "token_uri": f"{ENDPOINT}/token"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(own))
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
    google_cloud.dataflow.state = "JOB_STATE_FAILED"
    with pytest.raises(BeamTaxiError, match="the job failed: no reason given; see https://console"):
        watch(job, QUIET)
    google_cloud.dataflow.message("ERROR", "Quota exceeded.\nNo machines in us-east1.\n")
    with pytest.raises(BeamTaxiError, match=r"the job failed: No machines in us-east1\.; see https://console"):
        watch(job, QUIET)
    unknown = Job("project", "us-east1", "unknown", ENDPOINT)
    with pytest.raises(StillRunning, match="the job cannot be watched: 404"):
        watch(unknown, QUIET, lost_seconds=0)


@pytest.mark.parametrize(
    ("state", "kind", "message"),
    [
        ("CANCELLED", JobCancelled, "the job was cancelled: https://console"),
        ("DRAINED", JobCancelled, "the job was drained, which ends it before all is read: https://console"),
        (
            "UPDATED",
            StillRunning,
            "the job was replaced by other-1, which may still be running: https://console.*other-1",
        ),
    ],
)
def test_states_in_which_a_job_stays(
    google_cloud: GoogleCloud, job: Job, state: str, kind: type[BeamTaxiError], message: str
):
    google_cloud.dataflow.state = f"JOB_STATE_{state}"
    google_cloud.dataflow.replaced_by = "other-1"
    with pytest.raises(kind, match=message):
        watch(job, QUIET)


class Statuses(TerminalConsole):
    """A console that acts when a status contains a text, and keeps the statuses."""

    def __init__(self, text: str, action: Callable[[], None], answer: bool = False) -> None:
        super().__init__(as_json=True)
        self.seen: list[str] = []
        self._text = text
        self._action = action
        self._answer = answer

    def status(self, line: str) -> None:
        self.seen.append(line)
        if self._text in line:
            self._action()

    def ask(self, question: str) -> bool:
        return self._answer


@pytest.mark.parametrize("state", ["STOPPED", "PAUSED", "DRAINING", "CANCELLING", "QUEUED", "RESOURCE_CLEANING_UP"])
def test_states_in_which_a_job_goes_on(google_cloud: GoogleCloud, job: Job, state: str):
    google_cloud.dataflow.state = f"JOB_STATE_{state}"

    def end() -> None:
        google_cloud.dataflow.state = "JOB_STATE_DONE"

    console = Statuses(state.lower(), end)
    watch(job, console)
    assert console.seen[-1].startswith("done ")


def refuse(status: int, message: str, times: int = 1) -> Callable[[GoogleCloud], None]:
    return lambda cloud: cloud.dataflow.refused_calls.extend([(status, message)] * times)


def answer(body: bytes) -> Callable[[GoogleCloud], None]:
    return lambda cloud: cloud.dataflow.raw_answers.append(body)


def close(cloud: GoogleCloud) -> None:
    cloud.dataflow.broken_calls = 1000


def lose_credentials(cloud: GoogleCloud) -> None:
    cloud.dataflow.token_refusals.append("invalid_grant")


LAUNCHER_FAULTS = [
    pytest.param(lose_credentials, "RefreshError: .*invalid_grant", id="invalid_grant"),
    pytest.param(refuse(401, "Expired.", times=3), "401 Expired", id="401"),
    pytest.param(refuse(403, "No permission."), "403 No permission", id="403"),
    pytest.param(refuse(503, "Backend error"), "503 Backend error", id="503"),
    pytest.param(answer(b"<html>"), "JSONDecodeError", id="no JSON"),
    pytest.param(answer(b"[]"), "ValueError: not an object", id="a list"),
    pytest.param(answer(b"{}"), "ValueError: the answer has no currentState", id="no state"),
    pytest.param(close, "ProxyError: dataflow.test does not answer", id="no connection"),
]


@pytest.mark.parametrize(("fault", "reason"), LAUNCHER_FAULTS)
def test_a_fault_of_the_launcher_is_retried(
    google_cloud: GoogleCloud, job: Job, fault: Callable[[GoogleCloud], None], reason: str
):
    fault(google_cloud)

    def end() -> None:
        google_cloud.dataflow.broken_calls = 0
        google_cloud.dataflow.state = "JOB_STATE_DONE"

    console = Statuses("retrying", end)
    watch(job, console)
    assert re.match(f"no connection to Dataflow, retrying: ({reason})", console.seen[0])
    assert console.seen[-1].startswith("done ")


@pytest.mark.parametrize(("fault", "reason"), LAUNCHER_FAULTS)
def test_a_fault_of_the_launcher_leaves_the_job(
    google_cloud: GoogleCloud, job: Job, fault: Callable[[GoogleCloud], None], reason: str
):
    fault(google_cloud)
    command = f"cancel it with: gcloud dataflow jobs cancel {JOB_ID} --region us-east1 --project project; later$"
    told = f"the job cannot be watched: ({reason}).*; it may still be running: https://console.*; {command}"
    with pytest.raises(StillRunning, match=told):
        watch(job, QUIET, lost_seconds=0, later="later")


def test_credentials_that_are_gone_leave_the_job(job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))
    unseen = Job("project", "us-east1", JOB_ID, ENDPOINT)
    with pytest.raises(StillRunning, match="the job cannot be watched: .*it may still be running"):
        watch(unseen, QUIET, lost_seconds=0)


def test_a_job_that_cannot_be_cancelled_is_left(google_cloud: GoogleCloud, job: Job):
    google_cloud.dataflow.cancel_refusals = 1

    def interrupt() -> None:
        raise KeyboardInterrupt

    console = Statuses("running", interrupt, answer=True)
    told = "the job cannot be cancelled: 403 No.; it may still be running: https://console.*; cancel it with: gcloud"
    with pytest.raises(StillRunning, match=told):
        watch(job, console, lost_seconds=0)
    google_cloud.dataflow.cancel_refusals = 1
    with pytest.raises(JobCancelled):
        watch(job, Statuses("running", interrupt, answer=True))
    assert google_cloud.dataflow.cancelled.is_set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_host_that_shuts_down_leaves_the_job(google_cloud: GoogleCloud, job: Job, number: signal.Signals):
    def interrupt() -> None:
        raise Interrupt(number)

    told = f"ended by {number.name}; the job is still running; cancel it with: gcloud .*; see https://console.*; later"
    with pytest.raises(StillRunning, match=told):
        watch(job, Statuses("running", interrupt, answer=True), later="later")
    assert not google_cloud.dataflow.cancelled.is_set()


@pytest.fixture
def runner(google_cloud: GoogleCloud, job: Job, tmp_path: Path) -> DataflowRunner:
    words = command(run_id="followed", metadata_store=f"sqlite:///{tmp_path}/m.sqlite")[3:]
    found = choose(parse(words, "beam_taxi"))
    assert isinstance(found, DataflowRunner)
    return found


class Launched:
    """A pipeline that has been handed to Dataflow: as Beam's Pipeline, and as the result of its run."""

    has_job = True

    def run(self) -> Launched:
        return self

    def job_id(self) -> str:
        return JOB_ID


def test_a_signal_while_the_job_is_recorded(google_cloud: GoogleCloud, runner: DataflowRunner):
    recorded: list[LaunchedJob] = []

    def record(job: LaunchedJob) -> None:
        if not recorded:
            recorded.append(job)
            raise Interrupt(signal.SIGTERM)
        recorded.append(job)

    told = (
        f"ended by SIGTERM; the job is still running; cancel it with: gcloud dataflow jobs cancel {JOB_ID}.*runs reap"
    )
    with pytest.raises(StillRunning, match=told):
        runner.run(Launched(), QUIET, record)
    assert [one.id for one in recorded] == [JOB_ID, JOB_ID]


def test_a_terminal_that_is_gone_leaves_the_job(google_cloud: GoogleCloud, runner: DataflowRunner):
    def gone() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    told = "the launcher failed: .*Broken pipe; the job is still running: https://console.*; cancel it with: gcloud"
    with pytest.raises(StillRunning, match=told):
        runner.run(Launched(), Statuses("running", gone), lambda job: None)


def test_workers_must_have_the_launchers_versions(runner: DataflowRunner):
    assert {name: found for name, found in versions().items() if name != "python"} == runner.worker_versions()


def test_the_messages_of_a_failed_job_are_asked_for_again(google_cloud: GoogleCloud, job: Job):
    google_cloud.dataflow.state = "JOB_STATE_FAILED"
    google_cloud.dataflow.message("ERROR", "ZONE_RESOURCE_POOL_EXHAUSTED: no machines")
    google_cloud.dataflow.message("ERROR", "Workflow failed.")
    console = Statuses("", lambda: google_cloud.dataflow.raw_answers.extend([b"[]"] * (len(console.seen) == 1)))
    told = r"the job failed: ZONE_RESOURCE_POOL_EXHAUSTED: no machines; try another --region .*; see https://console"
    with pytest.raises(BeamTaxiError, match=told):
        watch(job, console)
    assert "the job failed; its messages cannot be read: ValueError: not an object: [], retrying" in console.seen


def test_a_workers_refused_access_names_its_account(google_cloud: GoogleCloud, job: Job):
    error = (
        "StorageError: gs://taxi/x.csv: 403 w@p.iam.gserviceaccount.com does not have storage.objects.get access to it"
    )
    google_cloud.dataflow.state = "JOB_STATE_FAILED"
    google_cloud.dataflow.message("ERROR", f"beam_taxi.errors.{error}; grant access to user:YOU")
    told = (
        "403 w@p.iam.gserviceaccount.com does not have storage.objects.get access to it; grant it to the workers' "
        "account, w@p.iam.gserviceaccount.com: `gcloud storage buckets add-iam-policy-binding gs://taxi --member "
        "serviceAccount:w@p.iam.gserviceaccount.com --role roles/storage.objectViewer`; see https://console"
    )
    with pytest.raises(StorageError, match=told):
        watch(job, QUIET)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("FAILED", Failed),
        ("CANCELLED", Cancelled),
        ("DRAINED", Cancelled),
        ("DONE", Failed),
        ("RUNNING", Unknown),
        ("UPDATED", Unknown),
    ],
)
def test_the_end_of_a_job_that_another_process_launched(
    google_cloud: GoogleCloud, job: Job, state: str, outcome: type[Outcome]
):
    google_cloud.dataflow.state = f"JOB_STATE_{state}"
    google_cloud.dataflow.replaced_by = "other-1"
    launched = LaunchedJob("DataflowRunner", JOB_ID, job.service, job.page)
    ended = DataflowRunner.end_of(LaunchedJob.from_properties(launched.to_properties()) or launched)
    assert type(ended) is outcome


def test_a_job_that_cannot_be_asked_for_has_no_end(google_cloud: GoogleCloud, job: Job):
    google_cloud.dataflow.refused_calls = [(403, "No permission.")]
    ended = DataflowRunner.end_of(LaunchedJob("DataflowRunner", JOB_ID, job.service, job.page))
    assert ended == Unknown(f"cannot ask Dataflow for the job {JOB_ID}: 403 No permission.; see {job.page}")
    assert isinstance(DataflowRunner.end_of(LaunchedJob("DataflowRunner", JOB_ID, "project/us-east1")), Unknown)
