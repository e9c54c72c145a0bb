"""Kill parts of a cluster at random moments of jobs on it, and print what each job left: a table in Markdown.

Usage: .venv/bin/python scripts/engines/chaos.py spark|flink [KILLS [SEED [KIND ...]]]     default: 40 kills, seed 1
After scripts/setup.sh --dev; Linux, with the ports of cluster.sh in a network of its own. Exit status 1 if a run looked
whole with wrong content, a launcher ended with 0 without its run, or a record does not agree with the files.
"""

from __future__ import annotations

import io
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.engines.chaos import KINDS, trials  # noqa: E402
from tests.engines.cluster import Cluster  # noqa: E402

ROWS = 20000


def main(engine: str, kills: int = 40, seed: int = 1, *kinds: str) -> int:
    """Print a row for each kill; return 1 if something came out that must never happen."""
    from beam_taxi.main import main as run
    from beam_taxi.samples import taxi

    chosen = [(kinds or KINDS)[number % len(kinds or KINDS)] for number in range(kills)]
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        taxi.main(["--rows", str(ROWS), "--seed", "3", "--out", f"{folder}/trips.csv"])
        args = ["--input", f"{folder}/trips.csv", "--num_shards", "4"]
        args += ["--parallelism", "2"] if engine == "flink" else []
        local = args[:4]
        assert run([*local, "--output", str(folder), "--run_id", "local", "--metadata_store", "none"]) == 0
        cluster = Cluster(engine)
        print("| # | killed | after s | exit | record | files | after reap: record | files | faults | told |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        try:
            for number, one in enumerate(trials(cluster, args, folder / "local", folder, chosen, seed), 1):
                faults += len(one.faults)
                cells = [number, one.killed, f"{one.after_seconds:.1f}", one.exit_status, one.state, one.files]
                cells += [one.reaped_state, one.reaped_files, "; ".join(one.faults) or "-", one.told[:120]]
                print("|", " | ".join(map(str, cells)), "|", flush=True)
        finally:
            with redirect_stdout(io.StringIO()):
                cluster.stop()
    return 1 if faults else 0


if __name__ == "__main__":
    kills_and_seed = [int(word) for word in sys.argv[2:4]]
    sys.exit(main(sys.argv[1], *kills_and_seed, *sys.argv[4:]))
