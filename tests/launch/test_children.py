"""Ending the processes that this one has started, on real processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from beam_taxi.launch import children
from beam_taxi.launch.children import end_children

PAUSE = "import signal, sys\n{}print('ready', flush=True)\nsignal.pause()"
STARTED = {
    "a process": ["python3", "-c", PAUSE.format("")],
    "one that ignores SIGTERM": ["python3", "-c", PAUSE.format("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n")],
    "the child of a shell that has ended": ["sh", "-c", 'python3 -c "$0" & wait', PAUSE.format("")],
    "a group of its own": ["setsid", "python3", "-c", PAUSE.format("")],
}


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[str]]:
    """Yield a process that is to stay."""
    process = _start(STARTED["a process"])
    yield process
    process.kill()
    process.wait()


def _start(command: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("command", STARTED.values(), ids=STARTED)
def test_all_descendants_end_but_those_that_are_spared(
    command: list[str], bystander: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(children, "_TERM_SECONDS", 0.5)
    before = children.children()
    process = _start(command)
    started = children.children() - before
    assert len(started) == 1 + (command[0] == "sh")
    end_children(but=before)
    assert not started & children.children()
    process.wait()
    assert process.stdout is not None
    # The pipe is closed by the last of them.
    assert process.stdout.read() == ""
    assert bystander.poll() is None
