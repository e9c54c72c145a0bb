"""Hand a pipeline to Dataflow: Beam builds the package, stages files, and asks the service to create the job.

Beam does this in one call, says nothing on the terminal, and repeats what fails: an upload that is forbidden for seven
minutes. What it logs tells how far it is, and it logs before it repeats a call.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import IO, TYPE_CHECKING, TextIO

from beam_taxi.errors import BeamTaxiError, one_line
from beam_taxi.launch.console import Console
from beam_taxi.launch.quiet import silenced
from beam_taxi.launch.runners.dataflow_repairs import Names, refusal_repair

if TYPE_CHECKING:
    from apache_beam import Pipeline
    from apache_beam.runners.dataflow.dataflow_runner import DataflowPipelineResult

_LIFE_SECONDS = 5.0
_RETRY_SECONDS = 60.0
"""How long a failing upload is repeated; each try has retries of its own."""
_LOGGER = "apache_beam"
_PIPELINE = "/pipeline.pb"
"""The end of the name of the file that is staged last."""
_ERROR_LINE = re.compile(r"^\s*(?:ERROR: |error: |\w*Error: )(.*\S)", re.M)


class Unanswered(Exception):
    """The service was asked to create the job, and its answer is not known: the job may exist."""


class Submission(logging.Handler):
    """How far the submission is, by what Beam logs."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.step = "building the package for the workers"
        self.staged = ""
        """The folder of the files that have been staged."""
        self.is_creating = False
        self.last_error = ""
        self._since = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Note a step, or raise the error of a call that is not worth repeating."""
        text = str(record.msg)
        if text.startswith("Starting GCS upload to"):
            self._begin(f"staging {str(_first(record)).rsplit('/', 1)[-1]}")
        elif text.startswith("Completed GCS upload to"):
            self.staged = str(_first(record)).rsplit("/", 1)[0]
            if str(_first(record)).endswith(_PIPELINE):
                self.is_creating = True
                self._begin("creating the job")
        elif text.startswith("Retry with exponential backoff"):
            error = sys.exc_info()[1]
            assert error is not None
            # The client that creates the job has repeated the call five times already.
            if self.is_creating or _is_final(error) or time.monotonic() - self._since > _RETRY_SECONDS:
                raise error
            self.last_error = f": {_reason(error)[1]}, retrying"

    def described(self) -> str:
        """Return one line about the step."""
        return f"{self.step}, {time.monotonic() - self._since:.0f} s{self.last_error}"

    def _begin(self, step: str) -> None:
        if step != self.step:
            self.step, self.last_error, self._since = step, "", time.monotonic()


def submit(pipeline: Pipeline, console: Console, names: Names, submission: Submission) -> DataflowPipelineResult:
    """Return the result of running a pipeline with Beam's DataflowRunner.

    Raises BeamTaxiError with the reason if no job was created, and Unanswered.
    """
    from apache_beam.runners.dataflow.internal.apiclient import DataflowJobAlreadyExistsError
    from apitools.base.py.exceptions import Error as ApiError
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.resumable_media import InvalidResponse
    from httplib2 import HttpLib2Error

    reported: IO[str]
    with tempfile.TemporaryFile("w+", errors="replace") as reported:
        try:
            with _shown(submission, console, reported):
                return pipeline.run()
        except DataflowJobAlreadyExistsError as error:
            raise _refused(error, submission, names) from error
        except (
            *(ApiError, GoogleAPIError, GoogleAuthError, InvalidResponse),
            *(HttpLib2Error, http.client.HTTPException, OSError),
        ) as error:
            status, reason = _reason(error)
            is_sent = submission.is_creating and not isinstance(error, GoogleAuthError)
            if is_sent and (status in (0, 408) or status >= 500):
                raise Unanswered(f"{status or ''} {reason}".strip()) from error
            raise _refused(error, submission, names) from error
        except RuntimeError as error:
            # Beam's text of a subprocess that failed has its command and a trace, but not what it reported.
            reported.seek(0)
            output = getattr(error.__cause__, "output", None) or b""
            lines = _ERROR_LINE.findall(reported.read() + output.decode(errors="replace"))
            if not lines:
                raise
            raise BeamTaxiError(f"failed while {submission.step}: {lines[-1][:300]}") from error


def _refused(error: Exception, submission: Submission, names: Names) -> BeamTaxiError:
    status, reason = _reason(error)
    who = "Dataflow refused the job" if submission.is_creating else f"failed while {submission.step}"
    repair = refusal_repair(status, reason, names, is_storage=not submission.is_creating)
    return BeamTaxiError(f"{who}: {f'{status} ' if status else ''}{reason}; {repair}")


def _reason(error: BaseException) -> tuple[int, str]:
    """Return the HTTP status, 0 if there is none, and the reason in one line."""
    answered = _answered(error)
    status, content = _status(answered), getattr(answered, "content", None)
    response = getattr(answered, "response", None)
    if content is None:
        content = getattr(response, "content", None)
    text = str(getattr(answered, "message", "") or answered)
    try:
        text = json.loads(content)["error"]["message"] if content else text
    except (ValueError, LookupError, TypeError):
        text = content.decode(errors="replace") if isinstance(content, bytes) else text
    return status, one_line(text)


def _answered(error: BaseException) -> BaseException:
    """Return the error with the answer of the service: Beam raises an OSError from it."""
    cause = error.__cause__ or error.__context__
    return cause if isinstance(error, OSError) and cause is not None and _status(cause) else error


def _status(error: BaseException) -> int:
    """Return the HTTP status of an error of apitools, google.api_core or google.resumable_media, 0 if it has none."""
    response = getattr(error, "response", None)
    found = getattr(error, "status_code", None) or getattr(error, "code", None) or getattr(response, "status_code", 0)
    return int(found) if isinstance(found, int) else 0


def _is_final(error: BaseException) -> bool:
    """Return whether the same call would be refused again."""
    return 400 <= _status(_answered(error)) < 500 and _status(_answered(error)) not in (408, 429)


def _first(record: logging.LogRecord) -> object:
    return record.args[0] if isinstance(record.args, tuple) and record.args else ""


@contextmanager
def _shown(submission: Submission, console: Console, reported: IO[str]) -> Iterator[None]:
    """Show a sign of life every few seconds; what subprocesses write to standard error goes to a file."""
    ended = threading.Event()
    with os.fdopen(os.dup(2), "w", errors="backslashreplace") as terminal, silenced():
        os.dup2(reported.fileno(), 2)
        thread = threading.Thread(target=_tell, args=(submission, console, terminal, ended), daemon=True)
        thread.start()
        try:
            with _logged_to(submission):
                yield
        finally:
            ended.set()
            thread.join()
    console.end_status()


def _tell(submission: Submission, console: Console, terminal: TextIO, ended: threading.Event) -> None:
    while not ended.wait(_LIFE_SECONDS):
        with redirect_stderr(terminal):
            console.status(submission.described())


@contextmanager
def _logged_to(handler: logging.Handler) -> Iterator[None]:
    """Let a handler have what Beam logs, and no other."""
    logger = logging.getLogger(_LOGGER)
    level, propagates = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates
