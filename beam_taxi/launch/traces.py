"""From the failure of a runner to one line: runners wrap a worker's exception in their own, or deliver it as text."""

from __future__ import annotations

import re
import tempfile
import traceback

from beam_taxi import errors
from beam_taxi.errors import BeamTaxiError

_CLASSES: dict[str, type[BeamTaxiError]] = {
    name: one for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, BeamTaxiError)
}
_IN_TRACE = re.compile(rf"^(?:[\w.]*\.)?({'|'.join(_CLASSES)}): (.+?)(?: \[while running .*)?$", re.M)
_PYTHON_TRACE = re.compile(r'^ *File "([^"]+)", line (\d+), in .*\n(?:[ \t]+(?![ \t]|File ").*\n)*(\S.*)', re.M)
_JAVA_CAUSE = re.compile(
    r"^(?:Caused by: |Pipeline \S+ failed in state \w+: )?((?:\w+\.)+\w*(?:Exception|Error)\b.*)", re.M
)
_LONGEST = 500


def find_error(text: str) -> BeamTaxiError | None:
    """Return the last of our own errors in the text of a failure, None if it has none."""
    found = _IN_TRACE.findall(text)
    if not found:
        return None
    name, message = found[-1]
    return _CLASSES[name](message)


def cause_of(text: str) -> str:
    """Return the line of a failure that names the cause, empty for an empty text.

    It is the last exception of Python, with file and line; else the last cause of Java; else the last line.
    """
    python = _PYTHON_TRACE.findall(text)
    if python:
        file, line, message = python[-1]
        return f"{message.split(' [while running ')[0]} ({file}:{line})"
    java = _JAVA_CAUSE.findall(text)
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    return str(java[-1] if java else lines[-1]).strip()


def explain(error: Exception) -> BeamTaxiError:
    """Return the failure of a runner as our own error; the trace of one that is not ours is kept in a file."""
    text = f"{type(error).__name__}: {error}" if isinstance(error, BeamTaxiError) else str(error)
    explained = find_error(text)
    if explained is None:
        cause = cause_of(text) or type(error).__name__
        explained = BeamTaxiError(f"the run failed: {cause[:_LONGEST]} (trace: {_keep_trace(error)})")
    explained.__cause__ = error
    return explained


def _keep_trace(error: Exception) -> str:
    """Write the trace to a temporary file; return its path."""
    with tempfile.NamedTemporaryFile("w", prefix="beam_taxi-", suffix=".log", delete=False) as log:
        log.write("".join(traceback.format_exception(error)))
    return log.name
