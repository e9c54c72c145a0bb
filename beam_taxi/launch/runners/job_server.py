"""A job server of Java that a launch starts for itself, and ends."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.launch.runners.endpoints import connect
from beam_taxi.launch.traces import cause_of

_START_SECONDS = 120.0
_STOP_SECONDS = 10.0
_SILENT_SECONDS = 10.0


@contextmanager
def started(server: Callable[[str], Any], show: Callable[[str], None]) -> Iterator[str]:
    """Start a job server, and yield its address; end it and remove its temporary files when the block ends.

    `server` makes Beam's object for it, a SubprocessJobServer, from a folder for its temporary files. Beam's own start
    would wait without end for a server that does not come up, and its handler of Ctrl-C hangs at a second Ctrl-C.
    Raises BeamTaxiError if the server does not start.
    """
    folder = tempfile.mkdtemp(prefix="beam_taxi-job-server-")
    process = None
    try:
        command, address = server(folder).subprocess_cmd_and_endpoint()
        log = Path(folder, "log")
        with log.open("wb") as output:
            words = [str(word) for word in command]
            process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        _wait(process, address, log, show)
        yield address
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path, show: Callable[[str], None]) -> None:
    """Return when the server answers."""
    start = time.monotonic()
    while True:
        try:
            return connect(address)
        except UsageError as error:
            seconds = time.monotonic() - start
            if process.poll() is not None or seconds > _START_SECONDS:
                cause = cause_of(log.read_text(encoding="utf-8", errors="replace"))[:500]
                ended = f"ended with status {process.poll()}" if process.poll() is not None else "does not answer"
                raise BeamTaxiError(f"the job server did not start: it {ended}: {cause}") from error
            if seconds > _SILENT_SECONDS:
                show("waiting for the job server to start")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
