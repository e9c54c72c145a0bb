"""A job on Dataflow, watched by the service's REST API (v1b3) until it ends."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from typing import Any

from beam_taxi import counters
from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning, find

ENDPOINT = "https://dataflow.googleapis.com"
_POLL_SECONDS = (0.5, 5.0)
_CALL_SECONDS = 30
LOST_SECONDS = 600.0
_STAGE = re.compile(r"Executing operation ([^+]+)")


class Job:
    """One job, by project, region and id."""

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
        """The job in Google Cloud's console."""
        return f"https://console.cloud.google.com/dataflow/jobs/{self.region}/{self.job_id}?project={self.project}"

    def state(self) -> str:
        """Return the state without its prefix: RUNNING, DONE, …"""
        return str(self._get("")["currentState"]).removeprefix("JOB_STATE_")

    def messages(self, least: str, since: str = "") -> list[Mapping[str, Any]]:
        """Return the messages that are at least JOB_MESSAGE_`least`, oldest first, from a `time` of one on."""
        found, token = list[Mapping[str, Any]](), ""
        start = f"&startTime={since}" if since else ""
        while True:
            page = self._get(f"/messages?minimumImportance=JOB_MESSAGE_{least}&pageToken={token}{start}")
            found += page.get("jobMessages", [])
            token = page.get("nextPageToken", "")
            if not token:
                return sorted(found, key=lambda message: str(message.get("time", "")))

    def counted(self) -> dict[str, int]:
        """Return our counters, as committed, summed over the steps."""
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


def watch(job: Job, quiet: bool, lost_seconds: float = LOST_SECONDS) -> None:
    """Return when the job is done; tell state, stage and counters on stderr meanwhile, unless `quiet`.

    On Ctrl-C ask, on a terminal, whether to cancel the job. Raises our error where a worker raised it, BeamTaxiError
    where the job failed, JobCancelled, and StillRunning where it is left running or cannot be watched.
    """
    display = _Display(quiet)
    try:
        _watch(job, display, lost_seconds)
    except KeyboardInterrupt:
        display.end()
        if not _is_cancel_wanted(job):
            raise StillRunning(f"interrupted; the job runs on; cancel it with: {cancel_command(job)}") from None
        try:
            job.cancel()
            _watch(job, display, lost_seconds)
        except KeyboardInterrupt:
            raise StillRunning(f"interrupted while the job is being cancelled; see {job.page}") from None
        except OSError as error:
            raise StillRunning(f"cannot cancel the job: {error}; try: {cancel_command(job)}") from None
    finally:
        display.end()


def _watch(job: Job, display: _Display, lost_seconds: float) -> None:
    from google.auth.exceptions import TransportError
    from requests import HTTPError, RequestException

    progress = _Progress(job)
    pause, most = _POLL_SECONDS
    answered = time.monotonic()
    while True:
        try:
            state = job.state()
            answered = time.monotonic()
            display.show(progress.described(state))
            if state in ("DONE", "FAILED", "CANCELLED"):
                return _end(job, state)
        except (RequestException, TransportError) as error:
            status = error.response.status_code if isinstance(error, HTTPError) and error.response is not None else 0
            # Of a job that is new the service may say at first that it is not there.
            refused = 400 <= status < 500 and status not in (404, 408, 429)
            if refused or time.monotonic() - answered > lost_seconds:
                told = f"the job cannot be watched: {error}; it runs on: {job.page}; cancel it with: "
                raise StillRunning(told + cancel_command(job)) from None
            display.show(f"no connection to Dataflow, trying again: {type(error).__name__}")
        time.sleep(pause)
        pause = min(pause * 1.5, most)


class _Progress:
    """What a job is at; asked again, only what is new is fetched."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stage = "starting"
        self._since = ""

    def described(self, state: str) -> str:
        """Return one line; the state alone where the service tells no more."""
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
    """Raise what a job's end means."""
    if state == "CANCELLED":
        raise JobCancelled(f"the job was cancelled: {job.page}")
    if state == "FAILED":
        texts = [str(message.get("messageText", "")) for message in job.messages("ERROR")]
        known = find(RuntimeError("\n".join(texts)))
        if known is not None:
            raise known
        lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
        raise BeamTaxiError(f"the job failed: {lines[-1][:500] if lines else 'no reason is given'}; see {job.page}")


def _is_cancel_wanted(job: Job) -> bool:
    """Ask on a terminal; elsewhere, and where the question is interrupted, a job is left running."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"\nCancel the job {job.job_id} too? [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        return False


class _Display:
    """A line that is written over on a terminal; elsewhere a line for each change."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._shown = ""

    def show(self, line: str) -> None:
        if not self._quiet and line != self._shown:
            self._shown = line
            print(
                f"\r\x1b[2K{line}" if sys.stderr.isatty() else line, end=self._line_end(), file=sys.stderr, flush=True
            )

    def end(self) -> None:
        """Leave the line as it stands."""
        if self._shown and sys.stderr.isatty():
            print(file=sys.stderr)
        self._shown = ""

    def _line_end(self) -> str:
        return "" if sys.stderr.isatty() else "\n"
