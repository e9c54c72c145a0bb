"""From what a runner does to an outcome, and what follows from it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from beam_taxi.errors import BeamTaxiError, DataError, JobCancelled, StillRunning
from beam_taxi.launch import interrupts
from beam_taxi.launch.interrupts import Interrupt
from beam_taxi.launch.outcome import Cancelled, Consequence, Done, Failed, State, Unknown, consequence, outcome_of
from beam_taxi.launch.traces import cause_of
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import RunManifest
from beam_taxi.settings import Settings


@dataclass(frozen=True)
class Runner:
    in_process: bool = False
    waits: bool = True


@pytest.fixture(autouse=True)
def _no_signal_before() -> Iterator[None]:
    with interrupts.raised():
        yield


HERE, THERE, LEFT = Runner(in_process=True), Runner(), Runner(waits=False)


def raising(error: BaseException) -> Callable[[], None]:
    def job() -> None:
        raise error

    return job


def manifest_in(folder: Path) -> RunManifest:
    settings = Settings(("a.csv",), str(folder), "r")
    manifest = RunManifest("r", "p", str(folder), settings, settings.sha256(), {}, (), ())
    RunFolder(str(folder)).write_manifest(manifest)
    return manifest


def test_a_run_that_has_its_manifest_is_done(tmp_path: Path):
    done = Done(manifest_in(tmp_path))
    folder = RunFolder(str(tmp_path))
    assert outcome_of(lambda: None, folder, HERE) == done
    for error in (KeyboardInterrupt(), RuntimeError("a step after it"), StillRunning("lost"), JobCancelled("late")):
        assert outcome_of(raising(error), folder, HERE) == done
    assert consequence(done) == Consequence(State.COMPLETE, False, 0, "")


OUTCOMES = {
    "launched": (
        lambda: None,
        LEFT,
        Unknown("the job was launched", True),
        Consequence(None, False, 0, "the job was launched"),
    ),
    "lost": (raising(StillRunning("lost")), THERE, Unknown("lost"), Consequence(None, False, 1, "lost")),
    "lost, as text": (
        raising(RuntimeError("beam_taxi.errors.StillRunning: lost")),
        THERE,
        Unknown("lost"),
        Consequence(None, False, 1, "lost"),
    ),
    "cancelled": (
        raising(JobCancelled("there")),
        THERE,
        Cancelled("there"),
        Consequence(State.CANCELED, True, 1, "there"),
    ),
    "interrupted here": (
        raising(KeyboardInterrupt()),
        HERE,
        Cancelled("interrupted"),
        Consequence(State.CANCELED, True, 1, "interrupted"),
    ),
    "interrupted elsewhere": (
        raising(KeyboardInterrupt()),
        THERE,
        Unknown("interrupted; the job may still be running"),
        Consequence(None, False, 1, "interrupted; the job may still be running"),
    ),
}


@pytest.mark.parametrize(("job", "runner", "outcome", "told"), OUTCOMES.values(), ids=OUTCOMES)
def test_outcomes(tmp_path: Path, job: Callable[[], None], runner: Runner, outcome: object, told: Consequence):
    found = outcome_of(job, RunFolder(str(tmp_path)), runner)
    assert found == outcome
    assert consequence(found) == told


def test_a_job_that_ends_without_a_manifest_has_failed(tmp_path: Path):
    found = outcome_of(lambda: None, RunFolder(str(tmp_path)), THERE)
    assert isinstance(found, Failed)
    assert str(found.error) == "the job has ended without an error, but the run has no manifest"


def test_an_interrupt_that_the_runner_wraps_in_its_own_error(tmp_path: Path):
    def job() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Interrupt as interrupt:
            raise RuntimeError("Interrupt [while running 'WriteUnits']") from interrupt

    assert outcome_of(job, RunFolder(str(tmp_path)), HERE) == Cancelled("ended by SIGTERM")


def test_a_manifest_that_cannot_be_read_removes_nothing(tmp_path: Path):
    (tmp_path / "manifest.json").write_text("{")
    found = outcome_of(raising(RuntimeError("x")), RunFolder(str(tmp_path)), HERE)
    assert isinstance(found, Unknown)
    assert not consequence(found).removes_folder


@pytest.mark.parametrize(
    ("error", "kind", "status", "message"),
    [
        (DataError("x.csv: line 3: bad"), DataError, 3, "x.csv: line 3: bad"),
        (RuntimeError("beam_taxi.errors.DataError: bad [while running 'Read']"), DataError, 3, "bad"),
        (ZeroDivisionError("division by zero"), BeamTaxiError, 1, "the run failed: division by zero (trace: "),
        (ZeroDivisionError(), BeamTaxiError, 1, "the run failed: ZeroDivisionError (trace: "),
    ],
)
def test_failures(tmp_path: Path, error: Exception, kind: type[BeamTaxiError], status: int, message: str):
    found = outcome_of(raising(error), RunFolder(str(tmp_path)), HERE)
    assert isinstance(found, Failed)
    assert type(found.error) is kind
    assert found.error.__cause__ is error
    told = consequence(found)
    assert (told.state, told.removes_folder, told.exit_status) == (State.FAILED, True, status)
    assert told.message.startswith(message)
    if "trace: " in message:
        trace = Path(told.message.partition("trace: ")[2].removesuffix(")"))
        assert "ZeroDivisionError" in trace.read_text()
        trace.unlink()


TRACES = {
    "python in java": (
        "java.util.concurrent.ExecutionException: java.lang.RuntimeException: Error received from SDK harness for "
        'instruction 7: Traceback (most recent call last):\n  File "apache_beam/runners/common.py", line 1498, in '
        "process\n  File \"/x/units.py\", line 65, in plan_units\n    check(plan)\n    ^^^^^\nKeyError: 'a' [while "
        "running 'PlanUnits']\n\n\tat org.apache.beam.Fn.get(Fn.java:1)\nCaused by: java.lang.RuntimeException: y\n",
        "KeyError: 'a' (/x/units.py:65)",
    ),
    "java": (
        "java.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\nCaused by: io.grpc.StatusRuntimeException: "
        "CANCELLED: call already cancelled\n\t... 31 more\n",
        "io.grpc.StatusRuntimeException: CANCELLED: call already cancelled",
    ),
    "java in python": (
        "Pipeline job_1 failed in state FAILED: java.lang.IllegalAccessError: class a.B cannot access\n",
        "java.lang.IllegalAccessError: class a.B cannot access",
    ),
    "neither": ("first\nlast\n\n", "last"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("trace", "line"), TRACES.values(), ids=TRACES)
def test_the_line_that_names_the_cause(trace: str, line: str):
    assert cause_of(trace) == line
