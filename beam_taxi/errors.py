"""What can go wrong, with the exit status of each; every message is one line for the user."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr


class BeamTaxiError(Exception):
    """A failure with a one-line message; pickles, since it may travel from a worker."""

    exit_status = 1


class UsageError(BeamTaxiError):
    """The command or its surroundings are wrong: nothing was started."""

    exit_status = 2


class DataError(BeamTaxiError):
    """The input was refused; the message names the cause, the file and, where there is one, the line."""

    exit_status = 3


class StorageError(BeamTaxiError, OSError):
    """A store of objects refuses or is away; the message names the object. `code` is the status of HTTP, if any."""

    code: int | None = None


class RowConservationError(BeamTaxiError):
    """Rows were lost or counted twice: a fault of this package or of its runner."""


class JobCancelled(BeamTaxiError):
    """The job was cancelled, from here or elsewhere."""


class StillRunning(BeamTaxiError):
    """The launcher stops to wait for a job that goes on; the message says how to cancel it."""


@contextmanager
def closed_pipe_ignored() -> Iterator[None]:
    """End the block without an error where the reader of standard output has seen enough (`| head`)."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what libraries and subprocesses write to stderr while the block runs."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "w", encoding="utf-8") as nothing, redirect_stderr(nothing):
            os.dup2(nothing.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


_CLASSES: dict[str, type[BeamTaxiError]] = {
    c.__name__: c
    for c in (UsageError, DataError, StorageError, RowConservationError, JobCancelled, StillRunning, BeamTaxiError)
}
_IN_TRACE = re.compile(rf"^(?:[\w.]*\.)?({'|'.join(_CLASSES)}): (.+?)(?: \[while running .*)?$", re.M)


def find(error: BaseException) -> BeamTaxiError | None:
    """Return our own error in a runner's failure: runners add to its message, or deliver a worker's trace as text."""
    text = f"{type(error).__name__}: {error}" if isinstance(error, BeamTaxiError) else str(error)
    found = _IN_TRACE.findall(text)
    if not found:
        return None
    name, message = found[-1]
    return _CLASSES[name](message)


_PYTHON_TRACE = re.compile(r'^ *File "([^"]+)", line (\d+), in .*\n(?:[ \t]+(?![ \t]|File ").*\n)*(\S.*)', re.M)
_JAVA_CAUSE = re.compile(
    r"^(?:Caused by: |Pipeline \S+ failed in state \w+: )?((?:\w+\.)+\w*(?:Exception|Error)\b.*)", re.M
)


def cause(error: BaseException) -> str:
    """Return the line of a failure that tells the cause: an engine wraps a worker's trace in its own.

    It is the last exception of Python, with file and line, else the last cause of Java, else the last line.
    """
    text = str(error)
    python = _PYTHON_TRACE.findall(text)
    if python:
        file, line, message = python[-1]
        return f"{message.split(' [while running ')[0]} ({file}:{line})"
    java = _JAVA_CAUSE.findall(text)
    lines = [line for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return str(java[-1] if java else lines[-1]).strip()
