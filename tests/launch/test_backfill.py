"""A day in a process of its own: what comes back from it, however it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, os, signal, sys
from dataclasses import asdict
from beam_taxi.launch import backfill, interrupts, stderr
from beam_taxi.launch.backfill import Day, for_day, run_day
from beam_taxi.launch.command import parse
from beam_taxi.launch.fork_server import can_fork

launch = for_day(parse(["--input", "{SPAN}", "--output", "/out", "--date", "2026-11-24"]), "2026-11-23")
parent = os.getpid()
backfill.import_libraries = lambda: None  # They take seconds, and nothing here needs them.
assert can_fork()

def work(launch):
    assert os.getpid() != parent
    %s
    return Day(launch.settings.dates.date, "complete", launch.settings.run_id, message="x" * 5_000_000)

with interrupts.raised(), stderr.captured():
    found = run_day(launch, work)
    wanted, log = interrupts.is_wanted(), stderr._Process.capture.log.name
print(json.dumps({**asdict(found), "wanted": wanted, "log": os.path.exists(log)}))
"""

CASES = {
    "complete": ("pass", "complete", 0, "x" * 5_000_000, False),
    "killed": (
        "os.kill(os.getpid(), signal.SIGKILL)",
        "failed",
        1,
        "the process of the run was killed by SIGKILL",
        False,
    ),
    "ended": ("os._exit(3)", "failed", 1, "the process of the run ended with exit status 3", False),
    "a trace": ("return Day('d', 'failed', '', 1, stderr.keep('trace'))", "failed", 1, "beam_taxi-", False),
    "a signal that is held": (
        "interrupts.hold(); os.kill(parent, signal.SIGTERM)",
        "complete",
        0,
        "x" * 5_000_000,
        True,
    ),
    # The pipe is full at times, and what was read or written so far must not be lost.
    "signals while it reports": (
        "interrupts.hold(); signal.signal(signal.SIGALRM, lambda *_: os.kill(parent, signal.SIGTERM)); "
        "signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)",
        "complete",
        0,
        "x" * 5_000_000,
        True,
    ),
}


@pytest.mark.parametrize(("does", "state", "status", "message", "wanted"), CASES.values(), ids=CASES)
def test_what_becomes_of_a_day(does: str, state: str, status: int, message: str, wanted: bool):
    done = subprocess.run([sys.executable, "-c", PROGRAM % does], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["state"], found["exit_status"], found["wanted"]) == (state, status, wanted)
    assert message in found["message"]
    assert found["log"] == ("beam_taxi-" in found["message"])
    if found["log"]:
        Path(found["message"]).unlink()
    if state == "complete":
        assert found["date"] == "2026-11-23"
        assert found["run_id"].startswith("2026-11-23-")


def test_a_run_without_a_fork_is_a_run_all_the_same():
    program = PROGRAM.replace("assert can_fork()", "backfill.can_fork = lambda: False").replace(
        "!= parent", "== parent"
    )
    does = "interrupts.hold(); os.kill(parent, signal.SIGTERM)"
    done = subprocess.run([sys.executable, "-c", program % does], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["state"], found["wanted"]) == ("complete", True)
