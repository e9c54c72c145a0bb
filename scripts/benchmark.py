"""Time the job, its peers and its bare parts on generated taxi trips, in turn, and print medians and ratios.

Usage: .venv/bin/python scripts/benchmark.py [--rows 300000,3000000] [--large] [--only NAMES] [--repeat 3] [--json FILE]
       .venv/bin/python scripts/benchmark.py --sweep | --profile [--rows 3000000]

Each contender is a process of its own. `run` is its time without start-up (imports), `all` with it, in seconds; `peak`
is the resident memory of its largest process. Every round runs each contender once, so that a machine that gets slower
does so for all; only the ratios within one table mean something. Peers are installed at the first use, each into an
environment of its own in the repository's folder; one that cannot be is named and left out.

    job, job 1 core           examples, statistics and schema, as on the command line
    statistics, … 1 core      the same with --no_examples
    parts                     what the job calls on each batch, in a loop on one core, without a runner; `run` is the
                              sum without the first pass, by which the job knows types and record boundaries
    duckdb                    SUMMARIZE, statistics only
    tfdv                      generate_statistics_from_csv
    tfx                       CsvExampleGen, StatisticsGen and SchemaGen in a LocalDagRunner
"""

from __future__ import annotations

import argparse
import json
import os
import pstats
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(__file__).with_name("benchmarks")
PEERS = ("duckdb", "tfx")
LARGE = 30_000_000
JOB = [sys.executable, "-m", "beam_taxi.main", "--metadata_store", "none", "--log_format", "json"]
SWEEP = {
    "--gzip_level": ("0", "1", "2", "3"),
    "--unit_bytes": ("8388608", "33554432", "134217728"),
    "--batch_bytes": ("1048576", "4194304", "16777216"),
}
STEPS = {
    "first pass": ("file.py", "scan"),
    "read and parse": ("reading.py", "read"),
    "encode": ("encode.py", "encode_examples"),
    "checksums": ("tfrecord.py", "record_checksums"),
    "frames": ("tfrecord.py", "frame_records"),
    "compress": ("tfrecord.py", "write"),
    "list columns": ("batches.py", "to_list_columns"),
    "statistics: batches": ("stats_impl.py", "add_input"),
    "statistics: results": ("stats_impl.py", "extract_output"),
    "build the graph": ("pipeline.py", "build"),
    "close the run": ("reconcile.py", "process"),
    "run the graph": ("fn_runner.py", "run_pipeline"),
}


@dataclass
class Contender:
    """A command that prints one line of JSON with `seconds`, and is given the input and a fresh folder."""

    name: str
    command: list[str]
    one_core: bool = False
    found: list[dict[str, float]] = field(default_factory=list)


def main() -> None:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="300000,3000000", help="sizes, with commas between (default: %(default)s)")
    parser.add_argument("--large", action="store_true", help="30,000,000 rows too, without tfx and tfdv")
    parser.add_argument("--only", default="", help="contenders, with commas between")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="all figures of all rounds")
    parser.add_argument("--sweep", action="store_true", help="the job with other levels, units and batches")
    parser.add_argument("--profile", action="store_true", help="where the time of the job goes, on one core")
    args = parser.parse_args()
    sizes = [int(rows) for rows in args.rows.split(",")] + ([LARGE] if args.large else [])
    figures = {}
    with tempfile.TemporaryDirectory() as temporary:
        for rows in sizes:
            path = Path(temporary, "trips.csv")
            subprocess.run(
                [sys.executable, "-m", "beam_taxi", "sample", "--rows", str(rows), "--out", path], check=True
            )
            if args.profile:
                profile(path, Path(temporary))
                continue
            running = variants() if args.sweep else contenders(set(filter(None, args.only.split(","))), rows)
            for _ in range(args.repeat):
                for one in running:
                    measure(one, path, Path(temporary, "out"))
            print_table(rows, path.stat().st_size, [one for one in running if one.found])
            figures[rows] = {one.name: one.found for one in running}
            path.unlink()
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")


def variants() -> list[Contender]:
    """Return the job with the defaults, and with each other value of an option."""
    found = [Contender("job", JOB)]
    for option, values in SWEEP.items():
        found += [Contender(f"{option.removeprefix('--')} {value}", [*JOB, option, value]) for value in values]
    return found


def contenders(only: set[str], rows: int) -> list[Contender]:
    """Return those that can run here, and tell of the others."""
    python = sys.executable
    found = [
        Contender("job", JOB),
        Contender("job 1 core", JOB, one_core=True),
        Contender("statistics", [*JOB, "--no_examples"]),
        Contender("statistics 1 core", [*JOB, "--no_examples"], one_core=True),
        Contender("parts", [python, str(FOLDER / "parts.py")], one_core=True),
        Contender("duckdb", [str(FOLDER / "duckdb_summarize.py")]),
    ]
    if rows < LARGE:
        found.append(Contender("tfdv", [python, str(FOLDER / "tfdv_csv.py")]))
        found.append(Contender("tfx", [str(FOLDER / "tfx_pipeline.py")]))
    kept = [one for one in found if not only or one.name in only]
    for one in list(kept):
        if one.name in PEERS:
            try:
                one.command.insert(0, environment(one.name))
            except subprocess.CalledProcessError as error:
                print(f"{one.name}: could not be installed: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                kept.remove(one)
    return kept


def environment(name: str) -> str:
    """Return the Python of the environment of a peer, which is made at the first use."""
    script = ["bash", str(FOLDER / "environment.sh"), name]
    return subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def measure(contender: Contender, path: Path, out: Path) -> None:
    """Run a contender once; one that fails is told of, and has no figures."""
    pinned = ["taskset", "--cpu-list", "0"] if contender.one_core else []
    arguments = ["--input", str(path), "--output", str(out)]
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            [*pinned, *contender.command, *arguments],
            stdout=told,
            stderr=errors,
            cwd=ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"},
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        told.seek(0)
        errors.seek(0)
        if status:
            last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            print(f"{contender.name}: failed: {' '.join(last)}", file=sys.stderr)
            return
        answer: dict[str, Any] = json.loads(told.read().splitlines()[-1])
    inner = answer["seconds"]
    run = sum(time_ for part, time_ in inner.items() if part != "imports") if isinstance(inner, dict) else inner
    written = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) if out.exists() else 0
    figures = {"run": run, "all": seconds, "peak_mb": used.ru_maxrss / 1024, "written_mb": written / 1e6}
    contender.found.append(figures | {f"part {name}": time_ for name, time_ in answer.get("parts", {}).items()})
    shutil.rmtree(out, ignore_errors=True)


def print_table(rows: int, size: int, measured: list[Contender]) -> None:
    """Print medians, and how many times as long as the job each one takes."""
    medians = {
        one.name: {key: statistics.median(found[key] for found in one.found) for key in one.found[0]}
        for one in measured
    }
    print(f"\n{rows:,} rows, {size / 1e6:,.0f} MB, medians of {max(len(one.found) for one in measured)}")
    titles = [f"{f'run / {name}':>17}" for name in ("job", "statistics", "duckdb") if name in medians]
    print(f"{'':22}{'run':>8}{'all':>8}{'rows/s':>11}{'peak MB':>9}{'written MB':>11}" + "".join(titles))
    for name, one in medians.items():
        ratios = [f"{one['run'] / medians[b]['run']:17.2f}" for b in ("job", "statistics", "duckdb") if b in medians]
        print(
            f"{name:22}{one['run']:8.2f}{one['all']:8.2f}{rows / one['run']:11,.0f}{one['peak_mb']:9,.0f}"
            f"{one['written_mb']:11,.1f}" + "".join(ratios)
        )
    parts = {key[5:]: time_ for key, time_ in medians.get("parts", {}).items() if key.startswith("part ")}
    for name, time_ in parts.items():
        print(f"    {name:22}{time_:8.2f}")


def profile(path: Path, folder: Path) -> None:
    """Print the time in and below the functions that do the work of each step."""
    out = folder / "profile"
    command = [sys.executable, "-m", "cProfile", "-o", str(out), "-m", "beam_taxi.main", "--input", str(path)]
    command += ["--output", str(folder / "out"), "--metadata_store", "none", "--direct_num_workers", "1"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    found: dict[tuple[str, int, str], Any] = pstats.Stats(str(out)).stats  # type: ignore[attr-defined]
    print("seconds under the profiler, which slows Python down and the libraries beneath it not")
    for step, (file, function) in STEPS.items():
        times = [values[3] for (name, _, called), values in found.items() if name.endswith(file) and called == function]
        print(f"    {step:22}{max(times):8.2f}")


if __name__ == "__main__":
    main()
