"""A job in a Flink cluster, asked by Flink's REST service.

https://nightlies.apache.org/flink/flink-docs-release-1.19/docs/ops/rest_api/
"""

from __future__ import annotations

from typing import NamedTuple

from beam_taxi.launch.runners.endpoints import ask_rest
from beam_taxi.launch.runners.job_service import JobState

_STATES = {"FINISHED": JobState.DONE, "FAILED": JobState.FAILED, "CANCELED": JobState.CANCELLED}
_WAITING = {"created", "scheduled"}


class FlinkJob(NamedTuple):
    """A job by the name that it was launched with; of several, the one that was started last."""

    address: str
    name: str

    def state(self) -> JobState:
        """Return the state of the job."""
        job = self._find()
        return job if isinstance(job, JobState) else _STATES.get(job.state, JobState.RUNNING)

    def id(self) -> str:
        """Return Flink's own id of the job, empty if it is not known."""
        job = self._find()
        return "" if isinstance(job, JobState) else job.id

    def waits_for_slots(self) -> bool:
        """Return whether no task of the job is running or has run, since all wait."""
        job = self._find()
        return not isinstance(job, JobState) and job.waits

    def cancel(self) -> None:
        """Ask Flink to cancel the job."""
        ask_rest(self.address, "PATCH", f"/jobs/{self.id()}")

    def cause(self) -> str:
        """Return the stack trace with which the job failed, empty if it is not known."""
        return str(ask_rest(self.address, "GET", f"/jobs/{self.id()}/exceptions").get("root-exception") or "")

    def _find(self) -> _Entry | JobState:
        jobs = ask_rest(self.address, "GET", "/jobs/overview").get("jobs")
        if jobs is None:
            return JobState.NO_ANSWER
        named = sorted((one for one in jobs if one["name"] == self.name), key=lambda one: int(one["start-time"]))
        if not named:
            return JobState.NOT_FOUND
        tasks = {state: count for state, count in named[-1].get("tasks", {}).items() if count and state != "total"}
        return _Entry(named[-1]["jid"], named[-1]["state"], bool(tasks) and set(tasks) <= _WAITING)


class _Entry(NamedTuple):
    """A job as Flink lists it."""

    id: str
    state: str
    waits: bool
