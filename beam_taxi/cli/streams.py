"""The standard streams of a command: closed, full, or in an encoding that lacks some characters."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TextIO


def make_usable() -> None:
    """Let the standard streams take every character, and lead those that are closed to the null device.

    A file that is opened later would otherwise get the descriptor of a closed stream, and what is meant for the stream.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(descriptor, "r" if descriptor == 0 else "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        # A notebook or a test may have replaced it.
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):
                stream.reconfigure(errors="backslashreplace")


def write(stream: TextIO, text: str) -> None:
    """Write a text, which is lost if the stream cannot be written to."""
    with suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()
        return
    discard(stream)


def flush(stream: TextIO) -> OSError | None:
    """Write what is buffered; if that fails, drop it and return why. A reader that has left is no failure."""
    try:
        stream.flush()
    except BrokenPipeError:
        discard(stream)
    except OSError as error:
        discard(stream)
        return error
    return None


def discard(stream: TextIO) -> None:
    """Lead a stream to the null device: what is still buffered would fail again when the process ends."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
