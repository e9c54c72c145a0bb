"""The command in this process: a test whose subject is not the process saves the seconds of its imports."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from typing import BinaryIO

import pytest

from beam_taxi.cli import main


def call(*words: str | Path, **variables: str) -> CompletedProcess[str]:
    """Call `beam-taxi` under these environment variables; return what a process of its own would leave."""
    given = [str(word) for word in words]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with pytest.MonkeyPatch.context() as patch, _leading_to(1, out), _leading_to(2, err):
            for name, value in variables.items():
                patch.setenv(name, value)
            status = _status_of(given)
        out.seek(0)
        err.seek(0)
        return CompletedProcess(given, status, out.read().decode(), err.read().decode())


def _status_of(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1


@contextmanager
def _leading_to(descriptor: int, file: BinaryIO) -> Iterator[None]:
    """Lead a descriptor and its stream to a file: libraries in C write to the one, Python to the other."""
    stream, redirect = (sys.stdout, redirect_stdout) if descriptor == 1 else (sys.stderr, redirect_stderr)
    stream.flush()
    saved = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    try:
        with open(descriptor, "w", encoding="utf-8", closefd=False) as ours, redirect(ours):
            yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
