"""How a launch ends, and what follows from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning, StorageError, UsageError
from beam_taxi.launch.traces import explain
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import RunManifest


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
    """The job may still be running. `is_expected` if it was launched so that nobody waits for it."""

    reason: str
    is_expected: bool = False


Outcome = Done | Failed | Cancelled | Unknown


class State(str, Enum):
    """The last state of a run in ML Metadata."""

    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


@dataclass(frozen=True)
class Consequence:
    """What follows from an outcome: the state to record, whether to remove the folder, exit status and message."""

    state: State | None
    removes_folder: bool
    exit_status: int
    message: str


def outcome_of(job: Callable[[], None], folder: RunFolder, in_process: bool) -> Outcome:
    """Run a job and return its outcome; whatever it raises, a run that has its manifest is done.

    `in_process` means that the job ends with this process. A job that runs elsewhere may outlive an interrupt.
    """
    outcome: Outcome
    try:
        job()
        outcome = Unknown("the job was launched", is_expected=True)
    except StillRunning as error:
        outcome = Unknown(str(error))
    except JobCancelled as error:
        outcome = Cancelled(str(error))
    except KeyboardInterrupt as interrupt:
        reason = str(interrupt) or "interrupted"
        outcome = Cancelled(reason) if in_process else Unknown(reason)
    # A runner may raise anything; the user gets one line, and the trace in a file.
    except Exception as error:
        outcome = _outcome_of_error(explain(error))
    try:
        return Done(folder.read_manifest()) if folder.is_whole() else outcome
    except (StorageError, UsageError) as error:
        return Unknown(str(error)) if isinstance(outcome, Unknown) else outcome


def _outcome_of_error(error: BeamTaxiError) -> Outcome:
    """Return the outcome of an error that a runner delivered as text."""
    if isinstance(error, StillRunning):
        return Unknown(str(error))
    return Cancelled(str(error)) if isinstance(error, JobCancelled) else Failed(error)


def consequence(outcome: Outcome) -> Consequence:
    """Return what follows from an outcome: of a job that may still be running nothing is removed or recorded."""
    if isinstance(outcome, Done):
        return Consequence(State.COMPLETE, False, 0, "")
    if isinstance(outcome, Failed):
        return Consequence(State.FAILED, True, outcome.error.exit_status, str(outcome.error))
    if isinstance(outcome, Cancelled):
        return Consequence(State.CANCELED, True, 1, outcome.reason)
    return Consequence(None, False, 0 if outcome.is_expected else 1, outcome.reason)


def remove_folder(folder: RunFolder) -> None:
    """Remove the folder of a run that has ended without a manifest, if it is on this machine."""
    if not storage.is_remote(folder.uri):
        shutil.rmtree(folder.uri, ignore_errors=True)
