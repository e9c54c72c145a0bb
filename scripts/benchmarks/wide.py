"""Time the job and DuckDB's SUMMARIZE on tables with many columns, in turn.

Usage: .venv/bin/python scripts/benchmarks/wide.py [--columns 500,1000,2000,4000] [--rows 20000] [OPTION ...]
       .venv/bin/python scripts/benchmarks/wide.py --columns 2000 --rows 20000 --out FILE

A quarter each of the columns are decimals, integers, flags, and strings of 50 different values. Options that are not of
this script go to the job. `seconds` are without imports, `CPU` is of all processes with imports, and `peak` is the
memory in MB that all processes of a contender use together at most, where what they share counts once.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from contenders import Contender, chosen, measure, medians

KINDS = ("decimal", "integer", "flag", "text")
WORDS = np.array([f"word{i:02d}" for i in range(50)])
ROWS_AT_A_TIME = 1000


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
    cores = len(os.sched_getaffinity(0))
    print(f"{args.rows:,} rows, medians of {args.repeat}, {cores} cores")
    with tempfile.TemporaryDirectory() as temporary:
        for columns in sizes:
            path = Path(temporary, "wide.csv")
            write_table(path, columns, args.rows)
            running = chosen({"job", "duckdb"}, args.rows, [cores])
            running[0].command = [*running[0].command, *options]
            for _ in range(args.repeat):
                for one in running:
                    measure(one, path, Path(temporary, "out"))
            show(columns, path.stat().st_size, running)


def show(columns: int, size: int, measured: Sequence[Contender]) -> None:
    """Print the figures of a table, and how many times as long as the first contender the others take."""
    print(f"{columns:,} columns, {size / 1e6:,.0f} MB")
    found = {one.name: medians(one) for one in measured if one.found}
    for name, one in found.items():
        ratio = one["run"] / next(iter(found.values()))["run"]
        print(
            f"  {name:8}{one['run']:8.1f} seconds{one['cpu']:8.1f} CPU{one['peak_mb']:8,.0f} MB peak{ratio:8.2f} times",
            flush=True,
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


if __name__ == "__main__":
    main()
