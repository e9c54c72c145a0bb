"""A job on Dataflow, which is watched through the service's REST API (v1b3) until it ends."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from beam_taxi import counters
from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning
from beam_taxi.launch.console import Console
from beam_taxi.launch.traces import find_error

ENDPOINT = "https://dataflow.googleapis.com"
_POLL_SECONDS = (0.5, 5.0)
_CALL_SECONDS = 30
LOST_SECONDS = 600.0
_STAGE = re.compile(r"Executing operation ([^+]+)")


class Job:
    """A job, by project, region and id."""

    def __init__(self, project: str, region: str, job_id: str, endpoint: str = "") -> None:
        from google.auth import default
        from google.auth.transport.requests import AuthorizedSession

        self.project = project
        self.region = region
        self.job_id = job_id
        self._uri = f"{endpoint or ENDPOINT}/v1b3/projects/{project}/locations/{region}/jobs/{job_id}"
        credentials, _ = default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        self._session = AuthorizedSession(credentials)

    @property
    def page(self) -> str:
        """The page of the job in Google Cloud's console."""
        return f"https://console.cloud.google.com/dataflow/jobs/{self.region}/{self.job_id}?project={self.project}"

    def state(self) -> str:
        """Return the state without its prefix: RUNNING, DONE, …"""
        return str(self._get("")["currentState"]).removeprefix("JOB_STATE_")

    def messages(self, least: str, since: str = "") -> list[Mapping[str, Any]]:
        """Return the messages from JOB_MESSAGE_`least` up, oldest first; `since` is the `time` of a message."""
        found, token = list[Mapping[str, Any]](), ""
        start = f"&startTime={since}" if since else ""
        while True:
            page = self._get(f"/messages?minimumImportance=JOB_MESSAGE_{least}&pageToken={token}{start}")
            found += page.get("jobMessages", [])
            token = page.get("nextPageToken", "")
            if not token:
                return sorted(found, key=lambda message: str(message.get("time", "")))

    def counted(self) -> dict[str, int]:
        """Return our committed counters, summed over the steps."""
        found: dict[str, int] = {}
        for metric in self._get("/metrics").get("metrics", []):
            name = metric["name"]
            context = name.get("context", {})
            if context.get("namespace") == counters.NAMESPACE and "tentative" not in context:
                found[name["name"]] = found.get(name["name"], 0) + int(metric["scalar"])
        return found

    def cancel(self) -> None:
        """Ask the service to cancel the job."""
        wanted = {"requestedState": "JOB_STATE_CANCELLED"}
        self._session.put(self._uri, json=wanted, timeout=_CALL_SECONDS).raise_for_status()

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._session.get(self._uri + path, timeout=_CALL_SECONDS)
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content


def cancel_command(job: Job) -> str:
    """Return the command that cancels a job."""
    return f"gcloud dataflow jobs cancel {job.job_id} --region {job.region} --project {job.project}"


def watch(job: Job, console: Console, lost_seconds: float = LOST_SECONDS) -> None:
    """Return when the job is done; meanwhile show its state, stage and counters.

    Ctrl-C asks whether to cancel the job. Raises the error of ours that a worker raised, BeamTaxiError if the job
    failed otherwise, JobCancelled, and StillRunning if the job is left running or cannot be watched.
    """
    try:
        _watch(job, console, lost_seconds)
    except KeyboardInterrupt:
        console.end_status()
        if not console.ask(f"Cancel the job {job.job_id} too?"):
            raise StillRunning(
                f"interrupted; the job is still running; cancel it with: {cancel_command(job)}"
            ) from None
        try:
            job.cancel()
            _watch(job, console, lost_seconds)
        except KeyboardInterrupt:
            raise StillRunning(f"interrupted while the job was being cancelled; see {job.page}") from None
        except OSError as error:
            raise StillRunning(f"cannot cancel the job: {error}; try: {cancel_command(job)}") from error
    finally:
        console.end_status()


def _watch(job: Job, console: Console, lost_seconds: float) -> None:
    from google.auth.exceptions import TransportError
    from requests import HTTPError, RequestException

    progress = _Progress(job)
    pause, most = _POLL_SECONDS
    answered = time.monotonic()
    while True:
        try:
            state = job.state()
            answered = time.monotonic()
            console.status(progress.described(state))
            if state in ("DONE", "FAILED", "CANCELLED"):
                return _end(job, state)
        except (RequestException, TransportError) as error:
            status = error.response.status_code if isinstance(error, HTTPError) and error.response is not None else 0
            # Just after the launch the service may answer that the job does not exist.
            refused = 400 <= status < 500 and status not in (404, 408, 429)
            if refused or time.monotonic() - answered > lost_seconds:
                reason = f"the job cannot be watched: {error}; it may still be running: {job.page}; cancel it with: "
                raise StillRunning(reason + cancel_command(job)) from error
            console.status(f"no connection to Dataflow, retrying: {type(error).__name__}")
        time.sleep(pause)
        pause = min(pause * 1.5, most)


class _Progress:
    """What a job is doing; each call fetches only new messages."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stage = "starting"
        self._since = ""

    def described(self, state: str) -> str:
        """Return one line; only the state if the service refuses the rest."""
        from requests import HTTPError

        try:
            for message in self._job.messages("BASIC", self._since):
                self._since = str(message.get("time", self._since))
                started = _STAGE.match(str(message.get("messageText", "")))
                self._stage = started[1] if started else self._stage
            count = self._job.counted()
        except HTTPError:
            return state.lower()
        return (
            f"{state.lower():<10} {self._stage}  {count.get(counters.READ_BYTES, 0):,} bytes read, "
            f"{count.get(counters.ROWS, 0):,} rows, {count.get(counters.REJECTS, 0):,} rejects"
        )


def _end(job: Job, state: str) -> None:
    """Raise the error of a job that has ended without success."""
    if state == "CANCELLED":
        raise JobCancelled(f"the job was cancelled: {job.page}")
    if state == "FAILED":
        texts = [str(message.get("messageText", "")) for message in job.messages("ERROR")]
        known = find_error("\n".join(texts))
        if known is not None:
            raise known
        lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
        raise BeamTaxiError(f"the job failed: {lines[-1][:500] if lines else 'no reason given'}; see {job.page}")
