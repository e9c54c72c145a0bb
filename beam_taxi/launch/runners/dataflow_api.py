"""A job on Dataflow, by the service's REST API (v1b3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from beam_taxi import counters
from beam_taxi.storage import credentials

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession

ENDPOINT = "https://dataflow.googleapis.com"
_CALL_SECONDS = 30


class Job:
    """A job, by project, region and id; `account` is the service account to impersonate, if any."""

    def __init__(self, project: str, region: str, job_id: str, endpoint: str = "", account: str = "") -> None:
        self.project = project
        self.region = region
        self.job_id = job_id
        self._endpoint = endpoint or ENDPOINT
        self._account = account

    @classmethod
    def of_service(cls, service: str, job_id: str) -> Job:
        """Return the job with an id at a `service`. Raises ValueError if it is not the service of a job."""
        url = urlsplit(service)
        found = re.fullmatch(r"/v1b3/projects/([^/]+)/locations/([^/]+)", url.path)
        if found is None:
            raise ValueError(f"{service}: not an address of Dataflow")
        account = parse_qs(url.query).get("account", [""])[0]
        return cls(found[1], found[2], job_id, f"{url.scheme}://{url.netloc}", account)

    @property
    def service(self) -> str:
        """The address of the service's jobs in the project and region, with what `of_service` needs."""
        return self._location + (f"?{urlencode({'account': self._account})}" if self._account else "")

    @property
    def page(self) -> str:
        """The page of the job in Google Cloud's console."""
        return f"https://console.cloud.google.com/dataflow/jobs/{self.region}/{self.job_id}?project={self.project}"

    def with_id(self, job_id: str) -> Job:
        """Return another job of the same project and region."""
        return Job(self.project, self.region, job_id, self._endpoint, self._account)

    def state(self) -> str:
        """Return the state without its prefix: RUNNING, DONE, …"""
        return _text(self._get(self._uri), "currentState").removeprefix("JOB_STATE_")

    def replaced_by(self) -> str:
        """Return the id of the job that has replaced an UPDATED one."""
        return _text(self._get(self._uri), "replacedByJobId")

    def active_id(self, name: str, request: str) -> str:
        """Return the id of the active job with a name, from a request to create it; empty if there is none."""
        listed = self._get(f"{self._location}/jobs?filter=ACTIVE&name={quote(name)}").get("jobs", [])
        for job in listed:
            if job["name"] == name and job.get("clientRequestId", request) == request:
                return _text(job, "id")
        return ""

    def messages(self, least: str, since: str = "") -> list[Mapping[str, Any]]:
        """Return the messages from JOB_MESSAGE_`least` up, oldest first; `since` is the `time` of a message."""
        found, token = list[Mapping[str, Any]](), ""
        start = f"&startTime={since}" if since else ""
        while True:
            page = self._get(f"{self._uri}/messages?minimumImportance=JOB_MESSAGE_{least}&pageToken={token}{start}")
            found += page.get("jobMessages", [])
            token = page.get("nextPageToken", "")
            if not token:
                return sorted(found, key=lambda message: str(message.get("time", "")))

    def counted(self) -> dict[str, int]:
        """Return our committed counters, summed over the steps."""
        found: dict[str, int] = {}
        for metric in self._get(f"{self._uri}/metrics").get("metrics", []):
            name = metric["name"]
            context = name.get("context", {})
            if context.get("namespace") == counters.NAMESPACE and "tentative" not in context:
                found[name["name"]] = found.get(name["name"], 0) + int(metric["scalar"])
        return found

    def cancel(self) -> None:
        """Ask the service to cancel the job."""
        wanted = {"requestedState": "JOB_STATE_CANCELLED"}
        self._session.put(self._uri, json=wanted, timeout=_CALL_SECONDS).raise_for_status()

    @property
    def _location(self) -> str:
        return f"{self._endpoint}/v1b3/projects/{self.project}/locations/{self.region}"

    @property
    def _uri(self) -> str:
        return f"{self._location}/jobs/{self.job_id}"

    @cached_property
    def _session(self) -> AuthorizedSession:
        """The session, made by the first call: credentials that are gone must not fail a launch."""
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(credentials.credentials_of(credentials.chain(self._account)))

    def _get(self, uri: str) -> dict[str, Any]:
        answer = self._session.get(uri, timeout=_CALL_SECONDS)
        answer.raise_for_status()
        content = answer.json()
        if not isinstance(content, dict):
            raise ValueError(f"not an object: {str(content)[:80]}")
        return content


def _text(values: Mapping[str, Any], name: str) -> str:
    """Return a value of an answer. Raises ValueError if it is not there."""
    value = values.get(name)
    if not isinstance(value, str):
        raise ValueError(f"the answer has no {name}")
    return value


def faults() -> tuple[type[Exception], ...]:
    """Return what a call of a Job raises if the service does not answer, refuses, or answers something else."""
    from google.auth.exceptions import GoogleAuthError

    # RequestException is an OSError; the others come from answers that are not what they should be.
    return GoogleAuthError, OSError, ValueError, LookupError, TypeError, AttributeError


def reason_of(error: Exception) -> str:
    """Return in one line why a call failed."""
    from requests import ConnectionError as NoConnection
    from requests import HTTPError, Timeout

    if isinstance(error, HTTPError) and error.response is not None:
        message = error.response.reason
        with suppress(ValueError, LookupError, TypeError):
            message = error.response.json()["error"]["message"]
        return f"{error.response.status_code} {' '.join(str(message).split())}"[:300]
    if isinstance(error, NoConnection | Timeout) and error.request is not None:
        return f"{type(error).__name__}: {urlsplit(str(error.request.url)).netloc} does not answer"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def cancel_command(job: Job) -> str:
    """Return the command that cancels a job."""
    return f"gcloud dataflow jobs cancel {job.job_id} --region {job.region} --project {job.project}"
