"""How a launch ends, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning, StorageError, UsageError
from beam_taxi.launch import interrupts
from beam_taxi.launch.traces import explain
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import RunManifest

NOT_ACCEPTED = 4
"""The exit status of a run that is complete and recorded, but whose data are not accepted."""


@dataclass(frozen=True)
class Done:
    """The run is complete: it has a manifest."""

    manifest: RunManifest


@dataclass(frozen=True)
class Failed:
    """The job has ended without a manifest."""

    error: BeamTaxiError


@dataclass(frozen=True)
class Cancelled:
    """The job has ended because it was cancelled."""

    reason: str


@dataclass(frozen=True)
class Unknown:
    """The job may still be running. `is_expected` if it was launched so that nobody waits for it.

    `is_running` means that its service says so.
    """

    reason: str
    is_expected: bool = False
    is_running: bool = False


Outcome = Done | Failed | Cancelled | Unknown


class State(str, Enum):
    """The last state of a run in ML Metadata."""

    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


@dataclass(frozen=True)
class Consequence:
    """What follows from an outcome: the state to record, whether to remove the folder, exit status and message.

    `step` is the step of the graph that failed, if that is known.
    """

    state: State | None
    removes_folder: bool
    exit_status: int
    message: str
    step: str = ""


class Waiting(Protocol):
    """What an outcome depends on, beside the job: see Runner."""

    @property
    def in_process(self) -> bool:
        """Whether the job ends with this process."""

    @property
    def waits(self) -> bool:
        """Whether the launcher waits for the end of the job."""


def outcome_of(job: Callable[[], None], folder: RunFolder, runner: Waiting) -> Outcome:
    """Run a job and return its outcome; whatever it raises, a run that has its manifest is done.

    From then on signals are ignored, so that the outcome is recorded.
    """
    outcome: Outcome
    try:
        job()
        outcome = _no_manifest() if runner.waits else Unknown("the job was launched", is_expected=True)
    except KeyboardInterrupt as interrupt:
        outcome = _interrupted(str(interrupt), runner)
    # A runner may raise anything; the user gets one line, and the trace in a file.
    except Exception as error:
        outcome = _outcome_of_error(error, runner)
    interrupts.hold()
    try:
        return Done(folder.read_manifest()) if folder.is_whole() else outcome
    except (StorageError, UsageError) as error:
        return Unknown(f"cannot read the manifest: {error}")


def _no_manifest() -> Outcome:
    return Failed(BeamTaxiError("the job has ended without an error, but the run has no manifest"))


def _interrupted(reason: str, runner: Waiting) -> Outcome:
    interrupts.hold()
    reason = reason or "interrupted"
    if runner.in_process:
        return Cancelled(reason)
    return Unknown(reason if ";" in reason else f"{reason}; the job may still be running")


def _outcome_of_error(error: Exception, runner: Waiting) -> Outcome:
    """Return the outcome of an error, which a runner may deliver as text."""
    interrupt = interrupts.received()
    if interrupt is not None and runner.in_process:
        # Beam wraps an exception that is raised while it processes elements.
        return Cancelled(str(interrupt))
    explained = explain(error)
    if isinstance(explained, StillRunning):
        return Unknown(str(explained))
    return Cancelled(str(explained)) if isinstance(explained, JobCancelled) else Failed(explained)


def consequence(outcome: Outcome) -> Consequence:
    """Return what follows from an outcome: of a job that may still be running nothing is removed or recorded."""
    if isinstance(outcome, Done):
        status = 0 if outcome.manifest.validation.accepted else NOT_ACCEPTED
        return Consequence(State.COMPLETE, False, status, "")
    if isinstance(outcome, Failed):
        error = outcome.error
        return Consequence(State.FAILED, True, error.exit_status, str(error), error.step)
    if isinstance(outcome, Cancelled):
        return Consequence(State.CANCELED, True, 1, outcome.reason)
    return Consequence(None, False, 0 if outcome.is_expected else 1, outcome.reason)
