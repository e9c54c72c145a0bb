"""A job of an engine behind a job service, which is watched until it is known to have ended."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable

from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.outcome import Cancelled, Failed, Outcome, Unknown
from beam_taxi.launch.quiet import quieten
from beam_taxi.launch.runners.endpoints import host_and_port, is_here
from beam_taxi.launch.runners.job_service import JobService, JobState
from beam_taxi.launch.traces import explain, find_error

LOST_SECONDS = 60.0
"""After so long without an answer the launcher gives up watching."""
GONE_SECONDS = 10.0
"""After so long an answer is believed that means that there is no such job any more."""
CANCEL_SECONDS = 60.0
"""By default Flink interrupts a task that does not react after 30 seconds."""
_WAITING_SECONDS = 20.0
_WORKER_LOST = "call already cancelled"
"""What Beam says of a worker that is gone, whose connections it still uses."""
_POLL_SECONDS = (0.2, 1.0)


class EngineJob:
    """A job that its job service alone can be asked about.

    `name` is the name that the launch gave it, `id` the one of the job service, empty if the launch was interrupted.
    """

    def __init__(self, service: str, cluster: str, name: str, job_id: str = "") -> None:
        self.service = JobService(service)
        self.cluster = cluster
        self.name = name
        self.id = job_id

    @property
    def page(self) -> str:
        """The address of the page that shows the job, empty if it is not known."""
        return ""

    def state(self) -> JobState:
        """Return the state of the job."""
        if not self.id:
            found = self.service.find(self.name)
            if not found:
                return JobState.NO_ANSWER if found is None else JobState.NOT_FOUND
            self.id = found
        return self.service.state(self.id)

    def is_gone(self, state: JobState) -> bool:
        """Return whether a state other than an end means that the job has ended."""
        return False

    def error(self) -> Exception:
        """Return the error of a job that has failed."""
        return failure(self.service.errors(self.id))

    def waits_for(self) -> str:
        """Return what the job needs before it can do anything, empty if it is at work or that is not known."""
        return ""

    def ask_to_end(self) -> str:
        """Ask for the end of the job, which comes later; return why that is not possible, else an empty text."""
        return self.service.cancel(self.id)

    def cancel(self) -> str:
        """Cancel the job and wait for its end; return why it may still be running, empty if it has ended."""
        limit = time.monotonic() + CANCEL_SECONDS
        while time.monotonic() < limit:
            fault = self.ask_to_end()
            state = self.state()
            if state.has_ended or self.is_gone(state):
                return ""
            if fault:
                return fault
            time.sleep(0.5)
        return f"the job {self.name} has not ended after {CANCEL_SECONDS:.0f} s"

    def exists(self) -> bool:
        """Return whether the job service has the job, or does not say, after a launch that was interrupted."""
        if self.state() is not JobState.NOT_FOUND:
            return True
        time.sleep(1)
        return self.state() is not JobState.NOT_FOUND

    def how(self) -> str:
        """Return how to watch and cancel the job."""
        return f"watch and cancel it where the job service at {self.service.address} runs it"

    def launched(self, runner: str) -> LaunchedJob:
        """Return the job as another process finds it again."""
        address = self.service.address
        asked = json.dumps([address, self.cluster, self.name, self.id, _here(address, self.cluster)])
        return LaunchedJob(runner, self.id or self.name, asked, self.page, self.how())

    @classmethod
    def from_launched(cls, launched: LaunchedJob) -> EngineJob | None:
        """Return a job that `launched` has described; None if it can be asked for only on another machine."""
        address, cluster, name, job_id, here = json.loads(launched.service)
        return cls(address, cluster, name, job_id) if here == _here(address, cluster) else None


def failure(text: str) -> Exception:
    """Return the error of a job that failed with this text."""
    if _WORKER_LOST in text and find_error(text) is None:
        return BeamTaxiError("the job failed: a Python worker died, or was killed for lack of memory: launch again")
    return RuntimeError(text or "the job failed; the job service gives no reason")


def watch(job: EngineJob, show: Callable[[str], None], in_process: bool) -> None:
    """Return when the job is done; `show` is called with a line when nothing happens for long.

    Raises JobCancelled, the error of a job that failed, and StillRunning if nobody answers for 60 seconds and the job
    does not end with this process.
    """
    pause, most = _POLL_SECONDS
    answered = started = time.monotonic()
    while not (state := job.state()).has_ended:
        now = time.monotonic()
        if state is JobState.RUNNING:
            answered = now
            waiting = job.waits_for() if now - started > _WAITING_SECONDS else ""
            if waiting:
                show(f"the job is waiting for {waiting}")
        else:
            _check_lost(job, state, now - answered, in_process)
            show(f"the job service at {job.service.address} does not answer; asking again for {LOST_SECONDS:.0f} s")
        time.sleep(pause)
        pause = min(pause * 1.2, most)
    if state is JobState.CANCELLED:
        raise JobCancelled("the job was cancelled")
    if state is JobState.FAILED:
        raise job.error()


def _check_lost(job: EngineJob, state: JobState, seconds: float, in_process: bool) -> None:
    lost = f"the job service at {job.service.address} does not answer any more"
    if seconds > GONE_SECONDS and (job.is_gone(state) or (in_process and job.service.is_gone())):
        raise BeamTaxiError(f"{lost}, and the job has ended with it: look into its log, and launch again")
    if seconds > LOST_SECONDS:
        if in_process:
            raise BeamTaxiError(f"{lost}: look into its log, and launch again")
        raise StillRunning(f"{lost}; the job {job.name} may still be running: {job.how()}")


def end_of(job: EngineJob | None, launched: LaunchedJob) -> Outcome:
    """Return how a job has ended, Unknown if it may still be running or is done."""
    # Imports Beam, which logs.
    quieten()
    if job is None:
        return Unknown(f"the job {launched.id} can be asked for only on the machine that launched it")
    state = job.state()
    if state is JobState.FAILED:
        return Failed(explain(job.error()))
    if state is JobState.CANCELLED:
        return Cancelled(f"the job {job.name} was cancelled")
    if job.is_gone(state):
        return Failed(BeamTaxiError(f"the job {job.name} has ended; its engine does not know it any more"))
    return Unknown(f"the job {job.name}: {state.value}", is_running=state is JobState.RUNNING)


def _here(*addresses: str) -> str:
    """Return what identifies this machine, empty if the addresses mean the same on all machines."""
    if not any(is_here(host_and_port(address)[0]) for address in addresses if address):
        return ""
    return f"{socket.gethostname()} {os.readlink('/proc/self/ns/net')}"
