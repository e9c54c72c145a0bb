"""The exceptions of the project with their exit status; every message is one line for the user."""

from __future__ import annotations

LONGEST_REASON = 300
"""Maximum number of characters of another program's text in a message."""


def one_line(text: object) -> str:
    """Return another program's text, or an error of it, as one line of a message."""
    return " ".join(str(text).split())[:LONGEST_REASON]


class BeamTaxiError(Exception):
    """A failure with a one-line message; can be pickled, since workers may raise it.

    `step` is the step of the graph that raised it, such as `ComputeStatistics`; empty if that is not known.
    """

    exit_status = 1
    step = ""


class UsageError(BeamTaxiError):
    """The command or its environment is wrong; nothing was started."""

    exit_status = 2


class MissingDays(UsageError):
    """Days that a run should read have no files."""


class DataError(BeamTaxiError):
    """The input was refused; the message names the cause, the file and, if there is one, the line."""

    exit_status = 3


class StorageError(BeamTaxiError, OSError):
    """An object store refused or did not answer; the message names the object. `code` is the HTTP status, if any."""

    code: int | None = None


class RowConservationError(BeamTaxiError):
    """Rows were lost or counted twice: a fault of this package or of its runner."""


class JobCancelled(BeamTaxiError):
    """The job was cancelled, from here or elsewhere."""


class StillRunning(BeamTaxiError):
    """The launcher stopped waiting for a job that may still be running; the message says how to cancel it."""
