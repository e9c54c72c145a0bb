"""Signals that end a launcher: what is recorded, what is left, and the exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_taxi.launch import interrupts
from beam_taxi.launch.interrupts import Interrupt
from beam_taxi.metadata.queries import list_runs

pytestmark = pytest.mark.slow

TERM, HUP, INT = signal.SIGTERM, signal.SIGHUP, signal.SIGINT
THREADS = ("--direct_running_mode", "multi_threading", "--direct_num_workers", "2")
PROCESSES = ("--direct_running_mode", "multi_processing", "--direct_num_workers", "2")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file whose shards take some seconds to write."""
    path = tmp_path_factory.mktemp("data") / "data.csv"
    path.write_text("id,note,x\n" + "".join(f"{i},note {i % 97},{i / 8}\n" for i in range(500_000)))
    return path


def start(data: Path, out: Path, *more: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start a run, and return when it is writing shards."""
    words = [*before, sys.executable, "-m", "beam_taxi.main", "--input", str(data), "--output", str(out)]
    words += ["--run_id", "r", "--num_shards", "4", *more]
    run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while len(list(out.glob("r/_staging/*"))) < 2:  # The first is the claim.
        try:
            run.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(run.communicate())
    return run


def living(session: int) -> Iterator[str]:
    """Yield the command lines of processes in a session that have not ended."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] not in "ZX":
                yield (folder / "cmdline").read_text()
        except OSError:
            continue


CASES = {
    "Ctrl-C twice": ([INT, INT], (), 1, "interrupted"),
    "SIGTERM, 8 workers": ([TERM], ("--direct_num_workers", "8"), 143, "ended by SIGTERM"),
    "SIGTERM, one worker": ([TERM], ("--direct_num_workers", "1"), 143, "ended by SIGTERM"),
    "SIGHUP, threads": ([HUP], THREADS, 129, "ended by SIGHUP"),
    "SIGTERM to the launcher alone, processes": ([TERM], PROCESSES, 143, "ended by SIGTERM"),
}


@pytest.mark.parametrize(("numbers", "more", "status", "reason"), CASES.values(), ids=CASES)
def test_a_signal_ends_a_local_run(
    data: Path, tmp_path: Path, numbers: list[signal.Signals], more: tuple[str, ...], status: int, reason: str
):
    run = start(data, tmp_path, *more)
    for number in numbers:
        run.send_signal(number)
    out, err = run.communicate()
    assert (run.returncode, out, err) == (status, "", f"beam_taxi: error: {reason}\n")
    assert not list(living(run.pid))
    assert not (tmp_path / "r").exists()
    (entry,) = list_runs(f"sqlite:///{tmp_path}/metadata.sqlite")
    assert (entry.state, entry.properties["error"]) == ("CANCELED", reason)


@pytest.mark.parametrize("number", [INT, TERM, HUP])
def test_a_signal_to_the_group_ends_a_local_run(data: Path, tmp_path: Path, number: signal.Signals):
    """As a terminal sends Ctrl-C, or the end of a session: the workers get it, too."""
    run = start(data, tmp_path)
    os.killpg(run.pid, number)
    out, err = run.communicate()
    assert (out, err.count("\n")) == ("", 1)
    assert ("interrupted" if number == INT else number.name) in err
    assert not list(living(run.pid))


def test_an_interrupted_id_can_be_used_again(data: Path, tmp_path: Path):
    run = start(data, tmp_path)
    run.send_signal(INT)
    run.communicate()
    again = start(data, tmp_path)
    assert again.communicate()[1] == ""
    assert again.returncode == 0
    assert [entry.state for entry in list_runs(f"sqlite:///{tmp_path}/metadata.sqlite")] == ["COMPLETE"]


def test_the_first_process_of_a_container_ends_too(data: Path, tmp_path: Path):
    run = start(data, tmp_path, before=("unshare", "--user", "--map-root-user", "--fork", "--pid", "--mount-proc"))
    (first,) = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    os.kill(int(first), TERM)
    assert run.communicate()[1] == "beam_taxi: error: ended by SIGTERM\n"
    assert run.returncode == 143
    assert not (tmp_path / "r").exists()


def test_a_signal_that_the_parent_ignores_stays_ignored(data: Path, tmp_path: Path):
    run = start(data, tmp_path, before=("nohup",))
    run.send_signal(HUP)
    run.communicate()
    assert run.returncode == 0
    assert (tmp_path / "r" / "manifest.json").exists()


def test_interrupts_are_raised_once_and_then_held():
    before = signal.getsignal(TERM)
    with interrupts.raised():
        assert interrupts.received() is None
        with pytest.raises(Interrupt) as raised:
            os.kill(os.getpid(), TERM)
        os.kill(os.getpid(), TERM)  # An impatient supervisor.
        interrupts.hold()
        os.kill(os.getpid(), INT)
        assert (raised.value.exit_status, raised.value.wants_cancel) == (143, False)
        first = interrupts.received()
        assert first is not None
        assert first.number == TERM
    assert signal.getsignal(TERM) is before


def test_an_action_precedes_the_interrupt():
    order: list[str] = []
    with interrupts.raised(), interrupts.preceded_by(lambda: order.append("ended")), pytest.raises(Interrupt):
        os.kill(os.getpid(), HUP)
    assert order == ["ended"]
