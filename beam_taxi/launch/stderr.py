"""Standard error belongs to the user: what libraries and their subprocesses write to it goes to a log file instead."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TextIO

VERBOSE = ("-v", "--verbose")
"""The option of every verb by which nothing is captured: what libraries write is shown, and the traces of errors."""


class _Capture:
    """Descriptor 2 and `sys.stderr` lead to a log file, or nowhere without a folder for it; `terminal` to the user."""

    def __init__(self) -> None:
        self.log = _open_log()
        self.is_kept = False
        self._stream = sys.stderr
        self._saved = os.dup(2)
        # A notebook or a test replaces the stream, which then has another descriptor.
        self.terminal = _text_stream(self._saved, self._stream.encoding) if _is_on(self._stream, 2) else self._stream
        target = os.open(os.devnull, os.O_WRONLY) if self.log is None else self.log.fileno()
        os.dup2(target, 2)
        if self.log is None:
            os.close(target)
        if self.terminal is self._stream:
            sys.stderr = _text_stream(2, "utf-8")

    def remove_log(self) -> None:
        """Remove the log file, which may still be written to, unless it is kept."""
        if self.log is not None and not self.is_kept:
            with suppress(OSError):
                os.unlink(self.log.name)

    def end(self) -> None:
        """Restore the descriptor and the stream."""
        with suppress(OSError, ValueError):
            self.terminal.flush()
        sys.stderr = self._stream
        os.dup2(self._saved, 2)
        os.close(self._saved)
        if self.log is not None:
            self.log.close()


class _Process:
    """Standard error, of which a process has only one."""

    capture: _Capture | None = None
    is_verbose = False


def terminal() -> TextIO:
    """Return the standard error that the user sees, also while it is captured."""
    return sys.stderr if _Process.capture is None else _Process.capture.terminal


def is_verbose() -> bool:
    """Return whether the user wants to see traces, and what libraries write."""
    return _Process.is_verbose


@contextmanager
def captured(verbose: bool = False, stays: bool = False) -> Iterator[None]:
    """Send what is written to standard error to a log file while the block runs, except by `terminal`.

    If `verbose`, everything is shown. With `stays`, the redirection outlasts the block, since threads of libraries may
    fail until the process ends. The log file is removed unless a trace was kept in it; if the process dies, it remains.
    """
    if _Process.capture is not None or _Process.is_verbose:
        yield
        return
    if verbose:
        _Process.is_verbose = True
        try:
            yield
        finally:
            _Process.is_verbose = stays
        return
    capture = _Process.capture = _Capture()
    try:
        yield
    finally:
        capture.remove_log()
        if not stays:
            _Process.capture = None
            capture.end()


def show(trace: str) -> None:
    """Write a trace to standard error if the user wants to see it."""
    if _Process.is_verbose:
        with suppress(OSError, ValueError):
            print(trace.rstrip(), file=terminal(), flush=True)


def keep(trace: str) -> str:
    """Write a trace to the log file, after what was captured, and keep the file; return its path.

    The path is empty if the trace cannot be kept.
    """
    content = trace.encode("utf-8", "backslashreplace")
    capture = _Process.capture
    log = _open_log() if capture is None else capture.log
    if log is None:
        return ""
    try:
        log.write(content)
        log.flush()
    except OSError:
        return ""
    if capture is None:
        log.close()
    else:
        capture.is_kept = True
    return log.name


def keep_named(text: str) -> None:
    """Keep the log file if a text names it: a child of this process has kept a trace in it."""
    capture = _Process.capture
    if capture is not None and capture.log is not None and capture.log.name in text:
        capture.is_kept = True


def _open_log() -> IO[bytes] | None:
    """Return a temporary file that is appended to, None if there is no folder for it or no space."""
    with suppress(OSError):
        return tempfile.NamedTemporaryFile("ab", 0, prefix="beam_taxi-", suffix=".log", delete=False)
    return None


def _is_on(stream: TextIO, descriptor: int) -> bool:
    """Return whether a stream writes to a descriptor."""
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError):
        return False


def _text_stream(descriptor: int, encoding: str) -> TextIO:
    """Return a stream that writes lines to a descriptor, which it does not close."""
    return open(descriptor, "w", 1, encoding, "backslashreplace", closefd=False)
