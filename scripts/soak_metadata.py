"""Try out records of runs much more than the tests do, on every kind of store; print what was seen.

    .venv/bin/python scripts/soak_metadata.py table [--tries 20] [--stores none sqlite …] [--situations killed …]
    .venv/bin/python scripts/soak_metadata.py writers [--recorders 100] [--runs 20]

`table` prints, for each store (none, SQLite, MariaDB, gRPC) and situation, how many tries went as they must, and below
the table what the others did. The situations are twins at once, another manifest with a known id, the same manifest
again, 8 processes that start and record at once, a server that stops answering, a killed launch, its record reaped, its
id used again. `writers` lets 8 processes start and record runs at once, and kills recorders and whole runs. The exit
status is 1 if anything went otherwise.

After scripts/setup.sh --dev; needs mariadb-server.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from beam_taxi.metadata.recorder import init  # noqa: E402
from beam_taxi.samples import taxi  # noqa: E402
from tests.metadata import chaos, situations  # noqa: E402
from tests.metadata.conftest import MariaDB, running, served  # noqa: E402

PROCESSES, RUNS_EACH = 8, 25


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the two commands; return 1 if something went otherwise than it must."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    table = commands.add_parser("table")
    table.add_argument("--tries", type=int, default=20)
    table.add_argument("--stores", nargs="+", default=situations.STORES, choices=situations.STORES)
    table.add_argument("--situations", nargs="+", default=list(situations.SITUATIONS), choices=situations.SITUATIONS)
    writers = commands.add_parser("writers")
    writers.add_argument("--recorders", type=int, default=100, help="how many recorders to kill")
    writers.add_argument("--runs", type=int, default=20, help="how many whole runs to kill")
    args = parser.parse_args(argv)
    os.chdir(ROOT)
    os.environ["PATH"] += ":/usr/sbin"
    os.environ["BEAM_TAXI_METADATA_PASSWORD"] = MariaDB.password
    with tempfile.TemporaryDirectory() as folder, running() as server:
        sample = Path(folder, "trips.csv")
        taxi.main(["--rows", "500", "--seed", "3", "--out", str(sample)])
        if args.command == "table":
            return print_table(args.tries, args.stores, args.situations, sample, server)
        return print_writers(args.recorders, args.runs, sample, server)


def print_table(tries: int, stores: Sequence[str], names: Sequence[str], sample: Path, server: MariaDB) -> int:
    """Print a row for each situation, then what went otherwise than it must."""
    print(f"{'of ' + str(tries) + ' tries':<26}" + "".join(f"{store:>9}" for store in stores), flush=True)
    faults: list[str] = []
    for name in names:
        print(f"{name:<26}", end="", flush=True)
        for store in stores:
            if not situations.applies(name, store):
                print(f"{'-':>9}", end="", flush=True)
                continue
            folder = sample.with_name(f"{store} {name}".replace(" ", "-").replace(",", ""))
            with situations.standing(store, folder, sample, server) as stand:
                seen = situations.try_out(stand, name, tries)
            print(f"{tries - len(seen):>9}", end="", flush=True)
            faults += [f"{name}, {store}: {what}" for what in seen]
        print(flush=True)
    print("\n".join(faults))
    return int(bool(faults))


def print_writers(recorders: int, runs: int, sample: Path, server: MariaDB) -> int:
    """Print a row for each trial and store."""

    def kill_runs(store: str) -> Counter[str]:
        output = sample.with_name(store.partition(":")[0])
        return chaos.kill_runs(store, ["--input", sample, "--output", output, "--metadata_store", store], runs)

    trials: dict[str, Callable[[str], Counter[str]]] = {
        f"{PROCESSES} processes, distinct runs": lambda store: chaos.record_at_once(store, PROCESSES, RUNS_EACH, False),
        f"{PROCESSES} processes, the same runs": lambda store: chaos.record_at_once(store, PROCESSES, RUNS_EACH, True),
        "kill -9 of recorders": lambda store: chaos.kill_recorders(store, recorders),
    }
    if runs:
        trials["kill -9 of whole runs"] = kill_runs
    is_good = True
    for number, (name, trial) in enumerate(trials.items()):
        with served(f"sqlite:///{sample.parent}/served{number}.sqlite") as (grpc, _):
            for store in (f"sqlite:///{sample.parent}/{number}.sqlite", server.tcp(f"trial{number}"), grpc):
                init(store)
                start = time.monotonic()
                found = trial(store)
                counts = ", ".join(f"{key} {count}" for key, count in found.items())
                seconds = time.monotonic() - start
                print(f"{name:<30} {store.partition(':')[0]:<7} {seconds:6.0f} s  {counts}", flush=True)
                is_good &= not any(found[bad] for bad in chaos.BAD)
    return int(not is_good)


if __name__ == "__main__":
    sys.exit(main())
