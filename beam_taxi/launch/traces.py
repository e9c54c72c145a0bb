"""From the failure of a runner to one line: runners wrap a worker's exception in their own, or deliver it as text."""

from __future__ import annotations

import os
import re
import traceback

from beam_taxi import errors
from beam_taxi.errors import BeamTaxiError, DataError, UsageError
from beam_taxi.launch import stderr

_CLASSES: dict[str, type[BeamTaxiError]] = {
    name: one for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, BeamTaxiError)
}
_IN_TRACE = re.compile(rf"^(?:[\w.]*\.)?({'|'.join(_CLASSES)}): (.+)$", re.M)
_PLACE = re.compile(r"(.*?): (?:line|row) (\d+): ")
# Beam appends the step to the message of an exception, and on some runners a number to the step.
_STEP = re.compile(r" \[while running '([^/\n]*?)(?:-ptransform-\d+)?(?:/.*?)?'\]")
_PYTHON_TRACE = re.compile(r'^ *File "([^"]+)", line (\d+), in .*\n(?:[ \t]+(?![ \t]|File ").*\n)*(\S.*)', re.M)
_JAVA_CAUSE = re.compile(
    r"^(?:Caused by: |Pipeline \S+ failed in state \w+: )?((?:\w+\.)+\w*(?:Exception|Error)\b.*)", re.M
)
# The text of an RpcError: `<_InactiveRpcError of RPC that terminated with: … >`.
_RPC_ERROR = re.compile(
    r'<\w+ of RPC that terminated with:\s+status = StatusCode\.(\w+)\s+details = "(.*?)"\n(?:.*\n)*?>', re.S
)
# An interrupt ends a run, but it is not why a step fails: it arrives wherever a thread happens to be.
_INTERRUPT = re.compile(r"(?:[\w.]*\.)?(?:KeyboardInterrupt|Interrupt)\b")
_LONGEST = 500
_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"


def find_error(text: str) -> BeamTaxiError | None:
    """Return one of our own errors in the text of a failure, None if it has none.

    Several workers may have failed: bad data comes first, by file and line. Otherwise it is the last one, which the
    others may have caused.
    """
    found = [_own(_CLASSES[name], message) for name, message in _IN_TRACE.findall(text)]
    data = [one for one in found if isinstance(one, DataError)]
    return min(data, key=_place) if data else found[-1] if found else None


def _own(kind: type[BeamTaxiError], message: str) -> BeamTaxiError:
    error = kind(_STEP.sub("", message))
    error.step = _step_in(message)
    return error


def _step_in(text: str) -> str:
    """Return the outermost step of the graph in which the last exception of a text was raised, empty if unknown."""
    steps = _STEP.findall(text)
    return steps[-1] if steps else ""


def _place(error: DataError) -> tuple[str, int, str]:
    """Return what orders errors by file and line."""
    place = _PLACE.match(str(error))
    return (place[1], int(place[2]), str(error)) if place else (str(error), 0, str(error))


def cause_of(text: str) -> str:
    """Return the line of a failure that names the cause, empty for an empty text.

    It is the last exception of Python, with file and line; else the last cause of Java; else the last line.
    """
    text = _RPC_ERROR.sub(lambda error: f"gRPC {error[1]}: {' '.join(error[2].split())}", _STEP.sub("", text))
    python = [found for found in _PYTHON_TRACE.findall(text) if not _INTERRUPT.match(found[2])]
    if python:
        file, line, message = python[-1]
        return f"{_shortened(message)} ({file}:{line})"
    java = _JAVA_CAUSE.findall(text)
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    return _shortened(str(java[-1] if java else lines[-1]).strip())


def explain(error: Exception) -> BeamTaxiError:
    """Return the failure of a runner as our own error; the trace of one that is not ours is kept in a file."""
    text = f"{type(error).__name__}: {error}" if isinstance(error, BeamTaxiError) else str(error)
    trace = "".join(traceback.format_exception(error))
    stderr.show(trace)
    explained = find_error(text)
    if explained is None:
        explained = BeamTaxiError(
            f"the run failed: {_named(error, with_type=isinstance(error, LookupError))}{_kept(trace)}"
        )
        explained.step = _step_in(text)
    if isinstance(error, BeamTaxiError):
        explained.step = explained.step or error.step
    explained.__cause__ = error
    return explained


def as_fault(error: Exception) -> BeamTaxiError:
    """Return an exception that nothing has handled as our own error; the trace of a surprise is kept in a file."""
    if isinstance(error, BeamTaxiError):
        return error
    fault: BeamTaxiError
    if isinstance(error, FileNotFoundError) and not _has_working_directory():
        fault = UsageError("the working directory no longer exists: change to another one")
    elif isinstance(error, OSError) and error.filename is not None and error.filename == os.environ.get(_CREDENTIALS):
        fault = UsageError(f"{_CREDENTIALS} {error.filename}: {error.strerror}: it must name a file with credentials")
    elif isinstance(error, OSError | MemoryError):
        fault = BeamTaxiError(_named(error))
    else:
        fault = BeamTaxiError(f"{_named(error, with_type=True)}{_kept(''.join(traceback.format_exception(error)))}")
    fault.__cause__ = error
    return fault


def _named(error: Exception, with_type: bool = False) -> str:
    """Return an exception in one line; a trace in its text has the type of the cause anyway."""
    if isinstance(error, OSError) and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}" if _has_path(error) else error.strerror
    if isinstance(error, MemoryError):
        return "out of memory"
    name, text = type(error).__name__, str(error)
    cause = cause_of(text) or name
    return f"{name}: {cause}" if with_type and cause != name and "\n" not in text else cause


def _has_path(error: OSError) -> bool:
    return isinstance(error.filename, str | bytes)


def _has_working_directory() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _kept(trace: str) -> str:
    """Keep a trace in a file; return the end of the message, which names it."""
    path = stderr.keep(trace)
    return f" (trace: {path})" if path else ""


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
