"""Runs of many days, as a user starts them: missing, late and bad days, interrupts, and what goes on from there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from beam_taxi.metadata.queries import list_runs
from beam_taxi.run.folder import read_manifest
from beam_taxi.run.validation import CHECKS, DRIFT
from tests.command import call

SOUND = "id,fare\n" + "".join(f"{i},{i / 4}\n" for i in range(200))
BAD = SOUND + "1,2,3\n"
ODD = SOUND.replace(",1.25\n", ",-1.25\n")
CHECK = "version: 1\nrows:\n  - rule: fare >= 0\n"


class Days:
    """A folder with a file for each day, and the backfills of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"

    @property
    def store(self) -> str:
        return f"sqlite:///{self.out}/metadata.sqlite"

    def put(self, **content: str) -> None:
        """Write the files of days, such as d24."""
        for day, text in content.items():
            path = self.folder / f"in/day=2024-02-{day[1:]}/a.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def words(self, first: int, last: int, *more: str) -> list[str]:
        words = ["--from", f"2024-02-{first}", "--to", f"2024-02-{last}", "--output", str(self.out)]
        pattern = f"{self.folder}/in/day={{YYYY}}-{{MM}}-{{DD}}/*.csv"
        return ["backfill", *words, "--input", pattern, *more]

    def backfill(self, first: int, last: int, *more: str) -> subprocess.CompletedProcess[str]:
        return call(*self.words(first, last, *more))

    def states(self, done: subprocess.CompletedProcess[str]) -> list[tuple[str, str, int]]:
        """Return day, state and exit status of each day, from JSON."""
        days = json.loads(done.stdout)["days"]
        return [(one["date"][-2:], one["state"], one["exit_status"]) for one in days]

    def runs(self) -> list[str]:
        """Return the days that have a run, by the folders; nothing else may be there."""
        return sorted(path.parent.name[: len("2024-02-24")] for path in self.out.glob("*/manifest.json"))

    def left(self) -> list[Path]:
        """Return folders without a manifest."""
        return [path for path in self.out.iterdir() if path.is_dir() and not (path / "manifest.json").exists()]


@pytest.fixture
def days(tmp_path: Path) -> Days:
    return Days(tmp_path)


def test_a_missing_a_late_and_a_bad_day(days: Days):
    days.put(d24=SOUND, d26=BAD, d27=ODD, d28=SOUND)
    (days.folder / "checks.yaml").write_text(CHECK)
    options = ("--checks", str(days.folder / "checks.yaml"), "--baseline", "previous", "--log_format", "json")
    done = days.backfill(24, 28, *options)
    assert days.states(done) == [
        *(("24", "complete", 0), ("25", "missing", 2), ("26", "refused", 3), ("27", "not accepted", 4)),
        ("28", "complete", 0),
    ]
    assert done.returncode == 2
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [one["exit_status"] for one in told] == [2, 3, 4]
    assert "day=2024-02-26/a.csv: line 202" in told[1]["error"]
    assert not days.left()

    # The late day has come, and the bad one was corrected; the day that was not accepted stays.
    days.put(d25=SOUND, d26=SOUND)
    done = days.backfill(24, 28, *options)
    assert done.returncode == 0, done.stderr
    assert [state for _, state, _ in days.states(done)] == ["exists", "complete", "complete", "exists", "exists"]
    assert days.runs() == [f"2024-02-{day}" for day in range(24, 29)]

    # Each day was compared with the last accepted day before it, whenever that was made.
    runs = {run.properties["date"]: run for run in list_runs(days.store) if run.state == "COMPLETE"}
    manifests = [read_manifest(run.manifest) for _, run in sorted(runs.items())]
    baselines = [str(one.settings.validation.baseline).rpartition("/")[2][-9:-7] for one in manifests]
    assert baselines == ["p", "24", "25", "24", "24"]
    histories = [[uri[-9:-7] for uri in one.settings.validation.history] for one in manifests]
    assert histories == [[], ["24"], ["24", "25"], ["24"], ["24"]]
    assert [one.span for one in manifests] == [19777, 19778, 19779, 19780, 19781]
    assert {kind for one in manifests[1:] for kind in one.settings.fail_on} <= {CHECKS, DRIFT}
    assert manifests[0].settings.input == manifests[1].settings.input


def test_windows_are_runs_of_their_own(days: Days):
    days.put(d26=SOUND, d27=SOUND, d28=SOUND)
    assert days.backfill(27, 27).returncode == 0
    done = days.backfill(27, 28, "--window", "3", "--allow_missing", "1", "--log_format", "json")
    assert days.states(done) == [("27", "complete", 0), ("28", "complete", 0)]
    assert days.runs() == ["2024-02-27", "2024-02-27", "2024-02-28"]
    missing, _ = json.loads(done.stdout)["days"]
    assert missing["message"].endswith("no file for 2024-02-25")
    assert missing["message"].startswith("400 rows")
    assert any(missing["message"].endswith(one) for one in read_manifest(f"{days.out}/{missing['run_id']}").warnings)


def test_a_plan_runs_nothing(days: Days):
    days.put(d24=SOUND, d26=SOUND)
    assert days.backfill(24, 24).returncode == 0
    done = days.backfill(24, 26, "--plan")
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows, counts = done.stdout.splitlines()
    assert header.split() == ["date", "state", "run", "note"]
    assert [row.split()[1] for row in rows] == ["exists", "missing", "planned"]
    assert counts == "3 days: 1 exists, 1 missing, 1 planned"
    assert days.runs() == ["2024-02-24"]


def test_what_is_not_a_run_of_the_day_does_not_count(days: Days):
    days.put(d24=SOUND)
    assert days.backfill(24, 24, "--pipeline_name", "other").returncode == 0
    (days.out / "2024-02-24-strange").mkdir()
    (days.out / "2024-02-24-strange/manifest.json").write_text("{}")
    claimed = days.out / "2024-02-24-dead/_staging"
    claimed.mkdir(parents=True)
    (claimed / "claim").write_text('{"token": "x"}')
    done = days.backfill(24, 24)
    assert done.returncode == 0
    assert "2024-02-24-strange/manifest.json: not the manifest of a run; it does not count as a run" in done.stderr
    assert days.runs().count("2024-02-24") == 3


def test_a_day_whose_run_was_pruned_is_not_made_again(days: Days):
    days.put(d24=SOUND, d25=SOUND, d26=SOUND)
    assert days.backfill(24, 25).returncode == 0
    words = ["runs", "prune", "--keep", "1", "--yes", "--metadata_store", days.store]
    assert subprocess.run([sys.executable, "-m", "beam_taxi", *words], check=False).returncode == 0
    assert days.runs() == ["2024-02-25"]
    done = days.backfill(24, 26, "--log_format", "json")
    assert days.states(done) == [("24", "pruned", 0), ("25", "exists", 0), ("26", "complete", 0)]
    # Another folder, pipeline or window had no run.
    for more in (["--output", f"{days.out}2", "--metadata_store", days.store], ["--pipeline_name", "o"]):
        assert days.states(days.backfill(24, 24, "--plan", "--log_format", "json", *more)) == [("24", "planned", 0)]
    (days.out / "metadata.sqlite").write_text("no database")
    done = days.backfill(24, 24, "--plan")
    assert done.returncode == 0
    assert "warning: cannot look up pruned runs, so their days are made again: " in done.stderr


REFUSED = {
    "the order": (["--from", "2024-02-25", "--to", "2024-02-24"], "--from 2024-02-25 is after --to 2024-02-24"),
    "too many": (["--from", "1990-01-01", "--to", "2024-02-24"], "there must be no more than 3,660"),
    "no day": (["--from", "x", "--to", "2024-02-24"], "--from 'x': must be a day from 1970-01-01"),
    "no end": (["--from", "2024-02-24"], "the following arguments are required: --to"),
    "a date": (["--date", "2024-02-24"], "--date cannot be used with backfill: the days are those from --from to --to"),
    "an id": (["--run_id=r"], "--run_id cannot be used with backfill: each day has a run of its own"),
    "a typo": (["--windw", "7"], "unknown flag --windw; did you mean --window?"),
    "an early window": (["--from", "1970-01-02", "--to", "2024-02-24"], "no more than"),
    "no placeholder": (["--input", "a.csv"], "no --input has {YYYY}"),
    "a baseline": (["--baseline", "none/here"], "--baseline none/here: not found"),
    "no store": (["--baseline", "previous", "--metadata_store", "none"], "--baseline previous requires"),
    "an output": (["--output", "/dev/null/out"], "--output: /dev/null is not a directory"),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_options_are_refused_once(days: Days, words: Sequence[str], message: str):
    days.put(d24=SOUND)
    command = days.words(24, 25)
    if words[0] in command:
        place = command.index(words[0])
        del command[place : place + 2]
    if words[:1] == ["--from"]:
        del command[command.index("--to") : command.index("--to") + 2]
    done = call(*command, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)
    assert not days.out.exists()


LARGE = "id,note,x\n" + "".join(f"{i},note {i % 97},{i / 8}\n" for i in range(500_000))
INT, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL
ENDS = {
    "Ctrl-C": (INT, True, 1),
    "SIGINT to the process": (INT, False, 1),
    "SIGTERM to the process": (TERM, False, 143),
    "SIGKILL": (KILL, False, -9),
}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "to_group", "status"), ENDS.values(), ids=ENDS)
def test_an_interrupted_backfill_goes_on_where_it_stopped(
    days: Days, number: signal.Signals, to_group: bool, status: int
):
    days.put(d24=SOUND, d25=LARGE, d26=SOUND)
    pipe = subprocess.PIPE
    # With one shard, nothing is staged before its end but the claim.
    words = days.words(24, 26, "--log_format", "json", "--num_shards", "4")
    command = [sys.executable, "-m", "beam_taxi", *words]
    running = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    while len(list(days.out.glob("2024-02-25-*/_staging/*"))) < 2:
        assert running.poll() is None, running.communicate()
    os.killpg(running.pid, number) if to_group else running.send_signal(number)
    out, err = running.communicate()
    assert running.returncode == status
    assert days.runs() == ["2024-02-24"]
    _wait_for_the_end_of(running.pid)
    if number != KILL:
        assert [one["state"] for one in json.loads(out)["days"]] == ["complete", "interrupted", "not reached"]
        assert err.count("\n") == 2
        assert not days.left()
        assert [run.state for run in list_runs(days.store)] == ["COMPLETE", "CANCELED"]

    done = days.backfill(24, 26, "--log_format", "json", "--num_shards", "4")
    assert done.returncode == 0, done.stderr
    assert days.states(done) == [("24", "exists", 0), ("25", "complete", 0), ("26", "complete", 0)]
    assert days.runs() == ["2024-02-24", "2024-02-25", "2024-02-26"]


def _wait_for_the_end_of(session: int) -> None:
    """Wait until no process of a session is running: the kernel ends the children of one that was killed."""
    while any(_session(folder) == session for folder in Path("/proc").glob("[0-9]*")):
        pass


def _session(process: Path) -> int:
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[3])
