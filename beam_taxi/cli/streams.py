"""The standard streams of a command: closed, full, or in an encoding that lacks some characters."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

OUTPUT = "standard output"
"""The file name of an OSError that is raised when standard output cannot be written to."""


class _Output(io.FileIO):
    """Standard output, whose errors say that it is what failed."""

    def write(self, content: ReadableBuffer, /) -> int | None:  # type: ignore[override]
        try:
            return super().write(content)
        except OSError as error:
            raise OSError(error.errno, error.strerror, OUTPUT) from error


def make_usable() -> None:
    """Let the standard streams take every character, and lead those that are closed to the null device.

    A file that is opened later would otherwise get the descriptor of a closed stream, and what is meant for the stream.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    sys.stdout = _usable(sys.stdout, 1, lambda: _Output(1, "w", closefd=False))
    sys.stderr = _usable(sys.stderr, 2, lambda: io.FileIO(2, "w", closefd=False))


def _usable(stream: TextIO | None, descriptor: int, opened: Callable[[], io.FileIO]) -> TextIO:
    """Return a stream to the descriptor, or the same stream if a notebook or a test has replaced it."""
    encoding, by_line = "utf-8", False
    if stream is not None:
        with suppress(OSError, ValueError):
            stream.flush()
        try:
            if stream.fileno() != descriptor:
                return stream
        except (OSError, ValueError):
            return stream
        encoding, by_line = stream.encoding, descriptor == 2 or stream.isatty()
    return io.TextIOWrapper(io.BufferedWriter(opened()), encoding, "backslashreplace", line_buffering=by_line)


def write(stream: TextIO, text: str) -> None:
    """Write a text, which is lost if the stream cannot be written to."""
    with suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()
        return
    discard(stream)


def discard(stream: TextIO) -> None:
    """Lead a stream to the null device: what is still buffered would fail again when the process ends."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
