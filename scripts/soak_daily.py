"""Make the runs of thirty days as a user would, with a missing, a late and a bad day; print what was seen.

    .venv/bin/python scripts/soak_daily.py [--days 30] [--rows 2000]

Each day is launched by itself, as cron would, and compared with the last accepted run. The late files arrive at the
end, and so do good ones for the bad day; `backfill` makes the runs that are missing. All days are then merged, and the
result is compared with that of one run over all of them. In the end a backfill and a prune are killed at several
moments, and started again. The exit status is 1 if anything went otherwise than it must.

After scripts/setup.sh --dev.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from beam_taxi.metadata.queries import artifacts_of, list_runs  # noqa: E402
from beam_taxi.run.folder import MANIFEST, RunFolder, read_manifest  # noqa: E402
from beam_taxi.samples import taxi  # noqa: E402

FIRST = date(2026, 10, 1)


class Days:
    """The files of some days in a folder, the runs over them, and what was seen."""

    def __init__(self, folder: Path, count: int, rows: int) -> None:
        self.input = folder / "in"
        self.output = folder / "out"
        self.store = f"sqlite:///{self.output}/metadata.sqlite"
        self.days = [FIRST + timedelta(days=number) for number in range(count)]
        self.missing, self.late, self.bad = (self.days[count * share // 10] for share in (3, 5, 7))
        self._rows = rows
        self.faults = 0

    def arrive(self, day: date) -> None:
        """Write the file of a day."""
        path = self.input / f"day={day}" / "trips.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        taxi.main(["--rows", str(self._rows), "--seed", str(day.toordinal()), "--out", str(path)])

    def arrive_broken(self, day: date) -> None:
        """Write the file of a day with a row that was cut short."""
        self.arrive(day)
        with open(self.input / f"day={day}" / "trips.csv", "a") as file:
            file.write("1,2,3\n")

    def options(self, output: Path | None = None) -> list[str]:
        """Return the arguments of each run."""
        pattern = f"{self.input}/day={{YYYY}}-{{MM}}-{{DD}}/*.csv"
        return ["--input", pattern, "--output", str(output or self.output), "--baseline", "previous"]

    def check(self, what: str, found: object, expected: object) -> None:
        """Print a row of the table."""
        ok = found == expected
        self.faults += not ok
        print(f"| {what} | {found if ok else f'**{found}**, not {expected}'} |", flush=True)

    def runs(self) -> dict[str, str]:
        """Return the ids of the complete runs by day."""
        found = {}
        for path in sorted(self.output.glob(f"*/{MANIFEST}")):
            manifest = read_manifest(str(path))
            found[str(manifest.settings.dates.date)] = manifest.run_id
        return found


def main(argv: Sequence[str] | None = None) -> int:
    """Try everything out; return 1 if something went otherwise than it must."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--rows", type=int, default=2000, help="rows of each day")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        days = Days(Path(folder), args.days, args.rows)
        print("| | |\n|---|---|")
        run_daily(days)
        backfill(days)
        merge(days)
        kill_backfill(days)
        kill_prune(days)
    return int(bool(days.faults))


def beam_taxi(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this package, and return its end."""
    return subprocess.run([sys.executable, "-m", "beam_taxi", *words], cwd=ROOT, capture_output=True, text=True)


def last_line(told: str) -> str:
    return (told.strip().splitlines() or [""])[-1]


def run_daily(days: Days) -> None:
    """Launch each day when its files are there, or should be."""
    for day in days.days:
        if day == days.bad:
            days.arrive_broken(day)
        elif day not in (days.missing, days.late):
            days.arrive(day)
    ends = {day: beam_taxi("run", *days.options(), "--date", str(day)) for day in days.days}
    good = [end.returncode for day, end in ends.items() if day not in (days.missing, days.late, days.bad)]
    days.check(f"exit status of {len(good)} days with good files", set(good), {0})
    for name, day, status in (("missing", days.missing, 2), ("late", days.late, 2), ("bad", days.bad, 3)):
        days.check(
            f"exit status of the {name} day: `{last_line(ends[day].stderr)[-110:]}`", ends[day].returncode, status
        )
    days.check("folders without a manifest", unfinished(days.output), [])


def backfill(days: Days) -> None:
    """The late files arrive, then good ones for the bad day."""
    words = [*days.options(), "--from", str(days.days[0]), "--to", str(days.days[-1])]
    before = days.runs()
    days.arrive(days.late)
    end = beam_taxi("backfill", *words)
    days.check("backfill with the late files: exit status", end.returncode, 2)
    after = days.runs()
    days.check("new runs", sorted(after.keys() - before.keys()), [str(days.late)])
    days.check("the other runs are untouched", {day: after[day] for day in before} == before, True)
    late = read_manifest(str(days.output / after[str(days.late)] / MANIFEST))
    earlier = max(day for day in before if day < str(days.late))
    days.check("baseline of the late day", late.settings.validation.baseline, f"{days.output}/{before[earlier]}")
    days.arrive(days.bad)
    end = beam_taxi("backfill", *words)
    days.check("backfill with good files for the bad day: exit status", end.returncode, 2)
    days.check("new runs", sorted(days.runs().keys() - after.keys()), [str(days.bad)])
    days.check(
        "days without a run", [str(day) for day in days.days if str(day) not in days.runs()], [str(days.missing)]
    )
    spans = {}
    for run in list_runs(days.store):
        if run.state == "COMPLETE":
            spans[run.run_id] = artifacts_of(days.store, run)["examples"].properties["span"]
    expected = {run_id: (date.fromisoformat(day) - date(1970, 1, 1)).days for day, run_id in days.runs().items()}
    days.check("spans in ML Metadata are those of the days", spans == expected, True)


def merge(days: Days) -> None:
    """Compare the merged runs with one run over all days."""
    folders = [str(days.output / run_id) for run_id in days.runs().values()]
    start = time.monotonic()
    end = beam_taxi("merge", *folders, "--output", f"{days.output}-merged", "--run_id", "m")
    seconds = time.monotonic() - start
    days.check(f"merge of {len(folders)} runs: exit status", end.returncode, 0)
    window = ["--date", str(days.days[-1]), "--window", str(len(days.days)), "--allow_missing", "1"]
    words = [word for word in days.options(Path(f"{days.output}-merged")) if word not in ("--baseline", "previous")]
    start = time.monotonic()
    end = beam_taxi("run", *words, *window, "--run_id", "w")
    print(f"| seconds to merge, and to run over all files | {seconds:.1f}, {time.monotonic() - start:.1f} |")
    days.check("run over all days: exit status", end.returncode, 0)
    merged, whole = (RunFolder(f"{days.output}-merged/{run_id}") for run_id in "mw")
    for what, differing in compare(merged, whole):
        days.check(what, differing, [])


def compare(merged: RunFolder, whole: RunFolder) -> Iterator[tuple[str, list[str]]]:
    """Yield what is compared between two runs, and what differs beyond what the profile states as its error."""
    schemas = [Path(one.uri, "schema", "schema.pbtxt").read_text() for one in (merged, whole)]
    yield "schemas differ in", [] if schemas[0] == schemas[1] else ["text"]
    profiles = [one.read_profile().splits() for one in (merged, whole)]
    yield "splits of the profiles differ in", sorted(profiles[0].keys() ^ profiles[1].keys())
    differing, estimated = [], set()
    for split, dataset in profiles[1].items():
        for name, feature in dataset.features.items():
            other = profiles[0][split].features[name]
            for field, value in vars(feature).items():
                if field in ("mean", "std") and value is not None:
                    same = abs(getattr(other, field) - value) <= 1e-9 * max(1.0, abs(value))
                else:
                    same = getattr(other, field) == value
                if not same and not getattr(value, "exact", True):
                    estimated.add(f"{field} of {name}")
                elif not same:
                    differing.append(f"{split} {name} {field}")
        rows = (profiles[0][split].rows, dataset.rows)
        differing += [] if rows[0] == rows[1] else [f"{split} rows"]
    yield f"exact values of the profile that differ ({len(estimated)} estimated ones do)", differing


def unfinished(output: Path) -> list[str]:
    """Return the folders of runs that have no manifest."""
    return [path.name for path in output.iterdir() if path.is_dir() and not (path / MANIFEST).exists()]


def kill_backfill(days: Days) -> None:
    """Kill a backfill three times, then let it end."""
    output = Path(f"{days.output}-killed")
    words = [*days.options(output), "--from", str(days.days[0]), "--to", str(days.days[2])]
    command = [sys.executable, "-m", "beam_taxi", "backfill", *words]
    for number, seconds in enumerate((3.0, 5.0, 7.0)):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
        left = unfinished(output) if output.exists() else []
        print(f"| folders without a manifest after kill {number + 1} of a backfill | {len(left)} |")
    end = beam_taxi("backfill", *words)
    days.check("backfill after three kills: exit status", end.returncode, 0)
    dates = sorted(str(read_manifest(str(path)).settings.dates.date) for path in output.glob(f"*/{MANIFEST}"))
    days.check("its runs, one for each day", dates, [str(day) for day in days.days[:3]])


def kill_prune(days: Days) -> None:
    """Kill a prune three times, then let it end."""
    words = ["runs", "prune", "--keep", "7", "--yes", "--metadata_store", days.store]
    asked = json.loads(beam_taxi(*words, "--dry_run", "--json").stdout)
    going = {one["run_id"] for one in asked if one["result"] == "would be removed"}
    kept = {one["run_id"]: one["result"] for one in asked if one["run_id"] not in going}
    print(f"| runs that a prune would remove, of {len(days.runs())}; what it keeps | {len(going)}; {kept or '-'} |")
    folders = [days.output / run_id for run_id in going]
    for number in range(3):
        wanted = len(going) - 3 * (number + 1)
        with subprocess.Popen([sys.executable, "-m", "beam_taxi", *words], cwd=ROOT, stdout=subprocess.DEVNULL) as one:
            while one.poll() is None and sum(folder.exists() for folder in folders) > wanted:
                time.sleep(0.001)
            one.kill()
        days.check(f"LIVE artifacts without files after kill {number + 1} of a prune", live_without_files(days), [])
    days.check("prune after three kills: exit status", beam_taxi(*words).returncode, 0)
    days.check("folders of removed runs", [folder.name for folder in folders if folder.exists()], [])
    days.check("LIVE artifacts without files", live_without_files(days), [])
    shutil.rmtree(days.output)


def live_without_files(days: Days) -> list[str]:
    """Return the runs whose outputs are LIVE in the store though a file is missing."""
    found = []
    for run in list_runs(days.store):
        outputs = [one for key, one in artifacts_of(days.store, run).items() if not key.startswith(("input/", "base"))]
        folder = Path(run.manifest).parent
        if run.state == "COMPLETE" and any(one.state == "LIVE" for one in outputs):
            whole = (folder / MANIFEST).exists()
            files = read_manifest(run.manifest).named_files() if whole else {"manifest.json": None}
            found += [run.run_id for path in files if not (folder / path).exists()][:1]
    return found


if __name__ == "__main__":
    sys.exit(main())
