"""A job on Dataflow, which is watched until it ends."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

from beam_taxi import counters
from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning
from beam_taxi.launch.console import Console
from beam_taxi.launch.interrupts import Interrupt
from beam_taxi.launch.runners.dataflow_api import Job, cancel_command, faults, reason_of
from beam_taxi.launch.runners.dataflow_causes import cause_of_messages
from beam_taxi.launch.runners.dataflow_repairs import Names, failure_repair
from beam_taxi.launch.traces import find_error

__all__ = ["Job", "end_interrupted", "raise_end", "watch"]

LOST_SECONDS = 600.0
"""How long a job is watched without an answer."""
_REASON_SECONDS = 60.0
_POLL_SECONDS = (0.5, 5.0)
_STAGE = re.compile(r"Executing operation ([^+]+)")
_ENDS = ("DONE", "FAILED", "CANCELLED", "DRAINED", "UPDATED")
"""The states in which a job stays. https://cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.jobs#jobstate"""
T = TypeVar("T")


def watch(
    job: Job, console: Console, lost_seconds: float = LOST_SECONDS, names: Names | None = None, later: str = ""
) -> None:
    """Return when the job is done; meanwhile show its state, stage and counters.

    Ctrl-C asks whether to cancel the job; other signals leave it running. `later` says how to record its end, and
    `names` are the words of a repair.

    Raises the error of ours that a worker raised, BeamTaxiError if the job failed otherwise, JobCancelled, and
    StillRunning if the job is left running or cannot be watched.
    """
    watched = _Watched(job, console, lost_seconds, names or Names(job.project, job.region), later)
    try:
        watched.wait()
    except KeyboardInterrupt as interrupt:
        watched.interrupted(interrupt)
    finally:
        console.end_status()


def end_interrupted(job: Job, console: Console, interrupt: KeyboardInterrupt, names: Names, later: str) -> None:
    """Do as `watch` does if a signal comes before it has begun."""
    try:
        _Watched(job, console, LOST_SECONDS, names, later).interrupted(interrupt)
    finally:
        console.end_status()


class _Watched:
    """A job that is being watched."""

    def __init__(self, job: Job, console: Console, lost_seconds: float, names: Names, later: str) -> None:
        self._job = job
        self._console = console
        self._lost_seconds = lost_seconds
        self._names = names
        self._later = [later] if later else []

    def wait(self) -> None:
        """Return when the job is done; raises what `watch` raises, and KeyboardInterrupt."""
        progress = _Progress(self._job)
        for pause in _pauses():
            state = self._answer(self._job.state)
            self._console.status(progress.described(state))
            if state in _ENDS:
                return raise_end(self._job, state, self._names, self._console)
            time.sleep(pause)

    def interrupted(self, interrupt: KeyboardInterrupt) -> None:
        """Cancel the job and wait for its end if a user wants it; raises what `watch` raises."""
        self._console.end_status()
        wants_cancel = not isinstance(interrupt, Interrupt) or interrupt.wants_cancel
        if not wants_cancel or not self._console.ask(f"Cancel the job {self._job.job_id} too?"):
            reason = f"{str(interrupt) or 'interrupted'}; the job is still running"
            raise self._left(reason, f"see {self._job.page}") from None
        try:
            self._answer(self._job.cancel, "cancelled")
            self.wait()
        except KeyboardInterrupt:
            reason = f"interrupted while the job was being cancelled; see {self._job.page}"
            raise self._left(reason) from None

    def _answer(self, call: Callable[[], T], done: str = "watched") -> T:
        """Return the answer to a call, which is repeated until there is one. Raises StillRunning."""

        def show(reason: str) -> None:
            self._console.status(f"no connection to Dataflow, retrying: {reason}")

        try:
            return _answered(call, self._lost_seconds, show)
        except faults() as error:
            reason = f"the job cannot be {done}: {reason_of(error)}; it may still be running: "
            raise self._left(reason + self._job.page) from error

    def _left(self, reason: str, *more: str) -> StillRunning:
        """Return the error of a job that is left running, with what a user can do about it."""
        return StillRunning("; ".join([reason, f"cancel it with: {cancel_command(self._job)}", *more, *self._later]))


class _Progress:
    """What a job is doing; each call fetches only new messages."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stage = "starting"
        self._since = ""

    def described(self, state: str) -> str:
        """Return one line; only the state if the service does not answer the rest."""
        try:
            for message in self._job.messages("BASIC", self._since):
                self._since = str(message.get("time", self._since))
                started = _STAGE.match(str(message.get("messageText", "")))
                self._stage = started[1] if started else self._stage
            count = self._job.counted()
        except faults():
            return state.lower()
        return (
            f"{state.lower():<10} {self._stage}  {count.get(counters.READ_BYTES, 0):,} bytes read, "
            f"{count.get(counters.ROWS, 0):,} rows, {count.get(counters.REJECTS, 0):,} rejects"
        )


def raise_end(job: Job, state: str, names: Names, console: Console | None = None) -> None:
    """Raise the end of a job in one of the states in which it stays, unless it is done."""
    if state == "CANCELLED":
        raise JobCancelled(f"the job was cancelled: {job.page}")
    if state == "DRAINED":
        raise JobCancelled(f"the job was drained, which ends it before all is read: {job.page}")
    if state == "UPDATED":
        _raise_replaced(job)
    if state == "FAILED":
        _raise_failure(job, names, console)


def _raise_replaced(job: Job) -> NoReturn:
    try:
        other = job.with_id(job.replaced_by())
    except faults():
        raise StillRunning(f"the job was replaced by another, which may still be running; see {job.page}") from None
    raise StillRunning(
        f"the job was replaced by {other.job_id}, which may still be running: {other.page}; cancel it with: "
        f"{cancel_command(other)}"
    )


def _raise_failure(job: Job, names: Names, console: Console | None) -> NoReturn:
    """Raise the error of ours that a worker raised, else BeamTaxiError with the cause and the page."""
    texts, unread = _error_texts(job, console)
    known = find_error("\n".join(texts))
    cause = cause_of_messages(texts)
    repair = failure_repair(cause, names)
    if known is not None:
        # A worker does not know whose account it has, and advises to grant access to a user.
        denied = repair and re.match(r"(.*?does not have [\w.]+ access[^;]*)", cause)
        raise type(known)(f"{denied[1]}; {repair}; see {job.page}") if denied else known
    reason = cause or unread or "no reason given"
    raise BeamTaxiError(f"the job failed: {reason}{f'; {repair}' if repair else ''}; see {job.page}")


def _error_texts(job: Job, console: Console | None) -> tuple[list[str], str]:
    """Return the error messages of a job, oldest first, and why they cannot be read; only a `console` waits for it."""

    def show(reason: str) -> None:
        if console is not None:
            console.status(f"the job failed; its messages cannot be read: {reason}, retrying")

    try:
        messages = _answered(lambda: job.messages("ERROR"), 0.0 if console is None else _REASON_SECONDS, show)
    except faults() as error:
        return [], f"its messages cannot be read: {reason_of(error)}"
    return [str(message.get("messageText", "")) for message in messages], ""


def _answered(call: Callable[[], T], seconds: float, show: Callable[[str], None]) -> T:
    """Return the answer to a call, which is repeated for so many seconds; raises what it then raises.

    `show` is called with the reason before each repetition.
    """
    since, pauses = time.monotonic(), _pauses()
    while True:
        try:
            return call()
        except faults() as error:
            if time.monotonic() - since >= seconds:
                raise
            show(reason_of(error))
        time.sleep(next(pauses))


def _pauses() -> Iterator[float]:
    """Yield the seconds between calls of the service, without end."""
    pause, most = _POLL_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, most)
