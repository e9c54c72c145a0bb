"""What can happen to an id, on each kind of store, as a user meets it: every function is one try, by commands alone.

A try returns what was seen, which is empty if it is what must be seen.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from beam_taxi.errors import BeamTaxiError
from beam_taxi.metadata.queries import get_run, list_runs
from beam_taxi.metadata.recorder import init
from tests.metadata import chaos
from tests.metadata.conftest import MariaDB, served, stopped

NAMES_THE_LAUNCH = r"process \d+ on \S+(, launched)? at \S+ UTC"
SECONDS = 120


@dataclass(frozen=True)
class Stand:
    """A store of one kind, the data of the launches, and a folder for them; `server` is the process to stall."""

    store: str
    data: Path
    folder: Path
    server: subprocess.Popen[str] | None = None

    @property
    def has_store(self) -> bool:
        return self.store != "none"

    def launch(self, run_id: str, output: str = "a") -> subprocess.Popen[str]:
        """Start a run under an id."""
        words = ["--input", self.data, "--output", self.folder / output, "--run_id", run_id]
        return chaos.launch(*words, "--metadata_store", self.store)

    def state(self, run_id: str) -> str:
        """Return the state of a run in the store."""
        return get_run(self.store, run_id).state


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return exit status and standard error of a process, -9 if it does not end."""
    try:
        _, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return -9, f"no end within {SECONDS} s"
    return process.returncode, err.strip()


def wait_until_running(stand: Stand, run_id: str, process: subprocess.Popen[str]) -> None:
    """Return when the start of a run is recorded, or its process has ended."""
    while process.poll() is None:
        with suppress(BeamTaxiError):
            if stand.state(run_id) == "RUNNING":
                return


def verb(*words: str) -> tuple[int, str]:
    """Return the exit status of a verb, and all that it printed."""
    command = [sys.executable, "-m", "beam_taxi", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    return done.returncode, done.stdout + done.stderr


def advised(text: str) -> tuple[int, str]:
    """Run the command that a message ends with."""
    command = re.search(r"python -m beam_taxi (.*)", text)
    return verb(*shlex.split(command[1])) if command else (-1, f"no command in: {text}")


def twins_at_once(stand: Stand, run_id: str) -> str:
    """Two launches with one id: in two outputs if a store has to decide, else in one."""
    outputs = ["a", "b"] if stand.has_store else ["a", "a"]
    ends = [end(one) for one in [stand.launch(run_id, output) for output in outputs]]
    if sorted(status for status, _ in ends) != [0, 2]:
        return f"ended {ends}"
    (refusal,) = (err for status, err in ends if status)
    if not re.search(NAMES_THE_LAUNCH, refusal):
        return f"does not name the other: {refusal}"
    winner = stand.folder / outputs[[status for status, _ in ends].index(0)] / run_id / "manifest.json"
    if not winner.exists() or len(list(stand.folder.glob(f"[ab]/{run_id}"))) != 1:
        return "the folders are not those of one run"
    return "" if not stand.has_store or get_run(stand.store, run_id).manifest == str(winner) else "another's record"


def another_manifest(stand: Stand, run_id: str) -> str:
    """Record a run, then a manifest of its id with other artifacts."""
    status, err = end(stand.launch(run_id))
    path = stand.folder / "a" / run_id / "manifest.json"
    if status:
        return err
    values = json.loads(path.read_text())
    values["artifacts"]["schema"]["files"][0]["sha256"] = "0" * 64
    other = path.with_name("other.json")
    other.write_text(json.dumps(values))
    status, said = verb("record", "--manifest", str(other), "--metadata_store", stand.store)
    digests = set(re.findall(r"\b[0-9a-f]{64}\b", said))
    return "" if (status, len(digests)) == (2, 2) else f"status {status}: {said}"


def same_manifest(stand: Stand, run_id: str) -> str:
    """Record a run that is recorded already, twice."""
    status, err = end(stand.launch(run_id))
    words = ["record", "--manifest", str(stand.folder / "a" / run_id), "--metadata_store", stand.store]
    answers = [(status, err), verb(*words), verb(*words)]
    is_retry = [one[0] for one in answers] == [0, 0, 0] and answers[1] == answers[2]
    return "" if is_retry else f"{answers}"


def started_first(stand: Stand, run_id: str) -> str:
    """Start and record a run in each of 8 processes at once, the first ones of their pipeline."""
    init(stand.store)
    before = {run.run_id for run in list_runs(stand.store)}
    words = [sys.executable, "-m", "tests.metadata.runs", stand.store]
    ends = [end(one) for one in [chaos.piped([*words, f"{run_id}-{n}", run_id]) for n in range(8)]]
    faults = [err for status, err in ends if status]
    new = [run.state for run in list_runs(stand.store) if run.run_id not in before]
    return "" if not faults and new == ["COMPLETE"] * 8 else f"{new} {faults}"


def stalled_server(stand: Stand, run_id: str) -> str:
    """Stop the server once the start is recorded: the run ends, and its warning says how to record it later."""
    assert stand.server is not None
    process = stand.launch(run_id)
    wait_until_running(stand, run_id, process)
    with stopped(stand.server):
        status, err = end(process)
    if status or "warning" not in err:
        return f"status {status}: {err}"
    recorded = advised(err)
    return "" if recorded[0] == 0 and stand.state(run_id) == "COMPLETE" else f"{recorded}"


def killed(stand: Stand, run_id: str) -> str:
    """Kill a launch once it has its id: the next one is told so, and with what command to go on."""
    process = stand.launch(run_id)
    folder = stand.folder / "a" / run_id
    if stand.has_store:
        wait_until_running(stand, run_id, process)
    while process.poll() is None and not folder.exists():
        pass
    process.kill()
    process.communicate()
    if (folder / "manifest.json").exists():
        return "ended before it was killed"
    status, err = end(stand.launch(run_id))
    is_told = status == 2 and "dead" in err and re.search(NAMES_THE_LAUNCH, err)
    return "" if is_told else f"status {status}: {err}"


def reaped(stand: Stand, run_id: str) -> str:
    """Kill a launch, and reap it: its record ends, and its parts are gone."""
    if fault := killed(stand, run_id):
        return fault
    status, said = verb("runs", "reap", run_id, "--metadata_store", stand.store)
    parts = (stand.folder / "a" / run_id).exists()
    return "" if (status, stand.state(run_id), parts) == (0, "CANCELED", False) else f"status {status}: {said}"


def id_again(stand: Stand, run_id: str) -> str:
    """Kill a launch, do what the next one is told to do, and launch it once more."""
    if fault := killed(stand, run_id):
        return fault
    _, err = end(stand.launch(run_id))
    if stand.has_store:
        advised(err)
    else:
        subprocess.run(shlex.split(err.rpartition("remove it with: ")[2]), check=True)
    status, err = end(stand.launch(run_id))
    is_done = status == 0 and (not stand.has_store or stand.state(run_id) == "COMPLETE")
    return "" if is_done else f"status {status}: {err}"


SITUATIONS: dict[str, Callable[[Stand, str], str]] = {
    "twins at once": twins_at_once,
    "another manifest": another_manifest,
    "same manifest": same_manifest,
    "started first, 8 at once": started_first,
    "stalled server": stalled_server,
    "killed": killed,
    "reaped": reaped,
    "id again": id_again,
}
STORES = ("none", "sqlite", "mariadb", "grpc")
_WITHOUT_STORE = {"twins at once", "killed", "id again"}


def applies(situation: str, store: str) -> bool:
    """Return whether a store of this kind can be in a situation: only a server can stall."""
    if situation == "stalled server":
        return store in ("mariadb", "grpc")
    return store != "none" or situation in _WITHOUT_STORE


@contextmanager
def standing(kind: str, folder: Path, data: Path, server: MariaDB) -> Iterator[Stand]:
    """Yield a store of a kind, with a server of its own if it needs one."""
    folder.mkdir()
    if kind == "none":
        yield Stand("none", data, folder)
    elif kind == "sqlite":
        yield Stand(f"sqlite:///{folder}/m.sqlite", data, folder)
    elif kind == "mariadb":
        yield Stand(server.tcp("situations"), data, folder, server.process)
    else:
        with served(f"sqlite:///{folder}/served.sqlite") as (uri, process):
            yield Stand(uri, data, folder, process)


def try_out(stand: Stand, situation: str, tries: int) -> Sequence[str]:
    """Return what was seen in each try that was not as it must be."""
    name, seen = situation.split()[0], []
    for number in range(tries):
        try:
            seen.append(SITUATIONS[situation](stand, f"{name}{number}"))
        except (BeamTaxiError, subprocess.SubprocessError) as error:
            seen.append(f"{type(error).__name__}: {error}")
    return [one for one in seen if one]
