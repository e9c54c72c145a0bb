"""Time the job and DuckDB's SUMMARIZE on tables with many columns, in turn.

Usage: .venv/bin/python scripts/benchmarks/wide.py [--columns 500,1000,2000,4000] [--rows 20000] [OPTION ...]
       .venv/bin/python scripts/benchmarks/wide.py --columns 2000 --rows 20000 --out FILE

A quarter each of the columns are decimals, integers, flags, and strings of 50 different values. Options that are not of
this script go to the job. `seconds` are without imports, `CPU` is of all processes with imports, and `peak` is what all
processes of a contender take together at one time, in MB: their resident memory, shared pages once.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
JOB = (sys.executable, "-m", "beam_taxi.main", "--metadata_store", "none", "--log_format", "json")
KINDS = ("decimal", "integer", "flag", "text")
WORDS = np.array([f"word{i:02d}" for i in range(50)])
ROWS_AT_A_TIME = 1000
INTERVAL = 0.1
"""Seconds between looks at the memory."""


class Found(NamedTuple):
    """What a run took, in seconds and in MB."""

    seconds: float
    cpu: float
    peak: float


def main() -> None:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", default="500,1000,2000,4000", help="(default: %(default)s)")
    parser.add_argument("--rows", type=int, default=20_000, help="(default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=1, help="rounds, of which the medians are (default: %(default)s)")
    parser.add_argument("--out", metavar="FILE", help="write the first table, and measure nothing")
    args, options = parser.parse_known_args()
    sizes = [int(columns) for columns in args.columns.split(",")]
    if args.out:
        write_table(Path(args.out), sizes[0], args.rows)
        return
    environment = ["bash", str(Path(__file__).with_name("environment.sh")), "duckdb"]
    duckdb = subprocess.run(environment, capture_output=True, text=True, check=True).stdout.strip()
    peer = [duckdb, str(Path(__file__).with_name("duckdb_summarize.py"))]
    print(f"{args.rows:,} rows, medians of {args.repeat}, {len(os.sched_getaffinity(0))} cores")
    print(
        f"{'columns':>8}{'MB':>7}" + "".join(f"{name:>10}{'CPU':>8}{'peak':>8}" for name in ("job", "duckdb")),
        "  ratio",
    )
    with tempfile.TemporaryDirectory() as temporary:
        for columns in sizes:
            path, out = Path(temporary, "wide.csv"), Path(temporary, "out")
            write_table(path, columns, args.rows)
            rounds = [(run([*JOB, *options], path, out), run(peer, path, out)) for _ in range(args.repeat)]
            job, other = (Found(*map(statistics.median, zip(*one, strict=True))) for one in zip(*rounds, strict=True))
            figures = "".join(f"{one.seconds:10.1f}{one.cpu:8.1f}{one.peak:8,.0f}" for one in (job, other))
            print(
                f"{columns:8,}{path.stat().st_size / 1e6:7,.0f}{figures}{job.seconds / other.seconds:8.2f}", flush=True
            )


def write_table(path: Path, columns: int, rows: int) -> None:
    """Write a CSV file of so many columns and rows, the same on every call."""
    generator = np.random.default_rng(1)
    for start in range(0, rows, ROWS_AT_A_TIME):
        size = min(ROWS_AT_A_TIME, rows - start)
        table = {f"{KINDS[i % 4]}_{i:05d}": values(KINDS[i % 4], size, generator) for i in range(columns)}
        pd.DataFrame(table).to_csv(path, mode="a" if start else "w", header=not start, index=False)


def values(kind: str, size: int, generator: np.random.Generator) -> npt.NDArray[Any]:
    """Return values of a kind of column."""
    if kind == "decimal":
        return generator.lognormal(2, 1, size).round(3)
    if kind == "text":
        return WORDS[generator.integers(0, len(WORDS), size)]
    return generator.integers(0, 100_000 if kind == "integer" else 2, size)


def run(command: Sequence[str], path: Path, out: Path) -> Found:
    """Run a contender, which prints one line of JSON with `seconds`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        [*command, "--input", str(path), "--output", str(out)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"},
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(map(memory, descendants(process.pid))))
        time.sleep(INTERVAL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.stdout is not None
    printed = process.stdout.read()
    shutil.rmtree(out, ignore_errors=True)
    if process.returncode:
        sys.exit(f"wide: {' '.join(command[:3])} ended with status {process.returncode}")
    inner = json.loads(printed.splitlines()[-1])["seconds"]
    seconds = sum(time_ for part, time_ in inner.items() if part != "imports") if isinstance(inner, dict) else inner
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Found(seconds, cpu, peak)


def descendants(pid: int) -> list[int]:
    """Return a process and all that it started, and these, and so on."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def memory(pid: int) -> float:
    """Return the resident memory of a process in MB, with its share of what it shares; 0 if it has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return 0.0


if __name__ == "__main__":
    main()
