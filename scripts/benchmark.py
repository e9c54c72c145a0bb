"""Time the job, its peers and its bare parts on generated taxi trips, in turn, and print medians as Markdown.

Usage: .venv/bin/python scripts/benchmark.py [--rows 300000,3000000] [--contenders NAMES] [--cores 1,2] [--repeat 3]
       .venv/bin/python scripts/benchmark.py --input FILE [--contenders NAMES] [--cores 1,2] [--repeat 3]
       .venv/bin/python scripts/benchmark.py --sweep | --profile [--rows 3000000]

Each contender is a process of its own, held to so many cores. `seconds` is its time without start-up (imports); `peak`
is the memory of all its processes together at the worst moment, where what they share counts once (PSS, sampled up to
ten times a second). Every round runs each contender once, so that a machine that gets slower does so for all; only the
ratios within one table mean something. Peers are installed at the first use, each into an environment of its own in the
repository's folder; one that cannot be is named and left out.

    job          examples, statistics, schema and report, as on the command line
    statistics   the same with --no_examples
    parts        what the job calls on each batch, in a loop on one core, without a runner; `seconds` is the sum without
                 the first pass, by which the job knows types and record boundaries
    duckdb       SUMMARIZE, statistics only
    polars       read_csv().describe()
    pandas       read_csv().describe(), up to 3,000,000 rows
    ydata        ydata-profiling's minimal report, up to 300,000 rows
    tfdv         generate_statistics_from_csv, up to 3,000,000 rows
    tfx          CsvExampleGen, StatisticsGen and SchemaGen in a LocalDagRunner, up to 3,000,000 rows

With several numbers of cores, job, statistics, duckdb and polars run on each of them, the others on the most.
"""

from __future__ import annotations

import argparse
import json
import os
import pstats
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).with_name("benchmarks")))

import machine  # noqa: E402
import tables  # noqa: E402
from contenders import CONTENDERS, ENVIRONMENT, Contender, chosen, measure, variants  # noqa: E402

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


def main() -> None:
    """Run what the arguments say."""
    args = parsed()
    figures = {}
    if not args.profile:
        print(f"{machine.described()}; medians of {args.repeat}")
    with tempfile.TemporaryDirectory() as temporary:
        for path, rows in inputs(args, Path(temporary)):
            if args.profile:
                profile(path, Path(temporary))
                continue
            running = variants(max(args.cores)) if args.sweep else chosen(args.contenders, rows, args.cores)
            for _ in range(args.repeat):
                for one in running:
                    measure(one, path, Path(temporary, "out"))
            show(running, rows, path.stat().st_size)
            figures[rows] = {f"{one.name} {one.cores}": one.found for one in running}
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    """Return the arguments."""
    every = len(os.sched_getaffinity(0))
    names = [one.name for one in CONTENDERS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=numbers, default="300000,3000000", help="sizes (default: %(default)s)")
    parser.add_argument("--input", type=Path, metavar="FILE", help="a CSV file in place of generated trips")
    parser.add_argument(
        "--contenders",
        type=lambda text: set(filter(None, text.split(","))),
        default="",
        help=f"default: {','.join(names)}",
    )
    parser.add_argument("--cores", type=numbers, default=str(every), help="numbers of cores (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="all figures of all rounds")
    parser.add_argument("--sweep", action="store_true", help="the job with other levels, units and batches")
    parser.add_argument("--profile", action="store_true", help="where the time of the job goes, on one core")
    args = parser.parse_args()
    unknown = sorted(args.contenders.difference(names))
    if unknown:
        parser.error(f"--contenders: unknown {unknown[0]!r}; use {', '.join(names)}")
    if not 1 <= min(args.cores) <= max(args.cores) <= every:
        parser.error(f"--cores: must be between 1 and {every}, the cores that this process may use")
    return args


def numbers(text: str) -> list[int]:
    """Return whole numbers with commas between."""
    return [int(number) for number in text.split(",")]


def inputs(args: argparse.Namespace, folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield each input with its number of rows; generated trips are removed again."""
    if args.input is not None:
        with args.input.open("rb") as file:
            yield args.input.resolve(), sum(1 for _ in file) - 1
        return
    for rows in args.rows:
        with trips(folder / "trips.csv", rows) as path:
            yield path, rows


@contextmanager
def trips(path: Path, rows: int) -> Iterator[Path]:
    """Yield a file of generated trips."""
    sample = [sys.executable, "-m", "beam_taxi", "sample", "--rows", str(rows), "--out", str(path)]
    subprocess.run(sample, cwd=ROOT, check=True)
    yield path
    path.unlink()


def show(measured: Sequence[Contender], rows: int, size: int) -> None:
    """Print a table, and the parts of the job, if they were measured."""
    print(f"\n{rows:,} rows, {size / 1e6:,.0f} MB:\n")
    for lines in (tables.table(measured, rows), tables.parts(measured)):
        print(*lines, "", sep="\n")


def profile(path: Path, folder: Path) -> None:
    """Print the time in and below the functions that do the work of each step."""
    out = folder / "profile"
    command = [sys.executable, "-m", "cProfile", "-o", str(out), "-m", "beam_taxi.main", "--input", str(path)]
    command += ["--output", str(folder / "out"), "--metadata_store", "none", "--direct_num_workers", "1"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    found: dict[tuple[str, int, str], Any] = pstats.Stats(str(out)).stats  # type: ignore[attr-defined]
    print("seconds under the profiler, which slows Python down and the libraries beneath it not")
    for step, (file, function) in STEPS.items():
        times = [values[3] for (name, _, called), values in found.items() if name.endswith(file) and called == function]
        print(f"    {step:22}{max(times):8.2f}")


if __name__ == "__main__":
    main()
