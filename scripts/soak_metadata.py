"""Record concurrently and under `kill -9`, much more than the tests do, on SQLite and MariaDB; print a table.

Usage: .venv/bin/python scripts/soak_metadata.py [KILLED_RECORDERS [KILLED_RUNS]]     default: 100 20, of each store
After scripts/setup.sh --dev; needs mariadb-server. With 0 KILLED_RUNS no whole run is started. Exit status 1 if a run
was lost, recorded twice, left RUNNING, or seen as complete without being so.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from beam_taxi.metadata.recorder import init  # noqa: E402
from beam_taxi.samples import taxi  # noqa: E402
from tests.metadata import chaos  # noqa: E402
from tests.metadata.conftest import MariaDB, running  # noqa: E402

PROCESSES, RUNS_EACH = 8, 25


def main(recorders: int = 100, runs: int = 20) -> int:
    """Print a row for each store and trial; returns 1 if one found what must never happen."""
    os.chdir(ROOT)
    os.environ["PATH"] += ":/usr/sbin"
    os.environ["BEAM_TAXI_METADATA_PASSWORD"] = MariaDB.password
    is_good = True
    with tempfile.TemporaryDirectory() as folder, running() as server:
        sample = Path(folder, "trips.csv")
        taxi.main(["--rows", "500", "--seed", "3", "--out", str(sample)])

        def kill_runs(store: str) -> Counter[str]:
            output = Path(folder, store.partition(":")[0])
            return chaos.kill_runs(store, ["--input", sample, "--output", output, "--metadata_store", store], runs)

        trials: dict[str, Callable[[str], Counter[str]]] = {
            f"{PROCESSES} processes, distinct runs": lambda store: chaos.record_at_once(
                store, PROCESSES, RUNS_EACH, False
            ),
            f"{PROCESSES} processes, the same runs": lambda store: chaos.record_at_once(
                store, PROCESSES, RUNS_EACH, True
            ),
            "kill -9 of recorders": lambda store: chaos.kill_recorders(store, recorders),
        }
        if runs:
            trials["kill -9 of whole runs"] = kill_runs
        for number, (name, trial) in enumerate(trials.items()):
            for store in (f"sqlite:///{folder}/{number}.sqlite", server.tcp(f"trial{number}")):
                init(store)
                start = time.monotonic()
                found = trial(store)
                counts = ", ".join(f"{key} {count}" for key, count in found.items())
                seconds = time.monotonic() - start
                print(f"{name:<30} {store.partition(':')[0]:<7} {seconds:6.0f} s  {counts}", flush=True)
                is_good &= not any(found[bad] for bad in chaos.BAD)
    return int(not is_good)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
