"""The programs that are compared, how each is run, and what is measured."""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from machine import PeakMemory, first_cores

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent
JOB = [sys.executable, "-m", "beam_taxi.main", "--metadata_store", "none", "--log_format", "json"]
SWEEP = {
    "--gzip_level": ("0", "1", "2", "3"),
    "--unit_bytes": ("8388608", "33554432", "134217728"),
    "--batch_bytes": ("1048576", "4194304", "16777216"),
}
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}


@dataclass
class Contender:
    """A command that prints one line of JSON with `seconds`, and is given the input and a fresh folder.

    `peer` names the environment that the command needs. `most_rows` are those that it is given at most, and
    `scales` is False if it uses one core whatever there is, or takes too long to be run more than once a round.
    """

    name: str
    what: str
    command: list[str]
    peer: str = ""
    most_rows: int = 10**12
    scales: bool = True
    cores: int = 1
    found: list[dict[str, float]] = field(default_factory=list)


CONTENDERS = (
    Contender("job", "Examples, statistics, schema, report", JOB),
    Contender("statistics", "the job with `--no_examples`", [*JOB, "--no_examples"]),
    Contender("parts", "what the job calls, without a runner", ["parts.py"], scales=False),
    Contender("duckdb", "`SUMMARIZE`, statistics only", ["duckdb_summarize.py"], "duckdb"),
    Contender("polars", "`read_csv().describe()`", ["polars_describe.py"], "polars"),
    Contender("pandas", "`read_csv().describe()`", ["pandas_describe.py"], "pandas", 3_000_000, False),
    Contender("ydata", "ydata-profiling's minimal report", ["ydata_minimal.py"], "ydata", 300_000, False),
    Contender("tfdv", "`generate_statistics_from_csv`", ["tfdv_csv.py"], "", 3_000_000, False),
    Contender("tfx", "CsvExampleGen, StatisticsGen, SchemaGen", ["tfx_pipeline.py"], "tfx", 3_000_000, False),
)


def chosen(names: set[str], rows: int, cores: list[int]) -> list[Contender]:
    """Return those that can run here, once for each number of cores, and tell of those that cannot."""
    found = list[Contender]()
    for one in CONTENDERS:
        if (names and one.name not in names) or rows > one.most_rows:
            continue
        try:
            command = (
                one.command if one.command[0] == sys.executable else [python_of(one), str(FOLDER / one.command[0])]
            )
        except subprocess.CalledProcessError as error:
            print(f"{one.name}: could not be installed: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        counts = cores if one.scales else [1 if one.name == "parts" else max(cores)]
        found += [replace(one, command=command, cores=count, found=[]) for count in counts]
    return found


def variants(cores: int) -> list[Contender]:
    """Return the job with the defaults, and with each other value of an option."""
    found = [Contender("job", "", JOB, cores=cores)]
    for option, values in SWEEP.items():
        found += [
            Contender(f"{option.removeprefix('--')} {value}", "", [*JOB, option, value], cores=cores)
            for value in values
        ]
    return found


def python_of(contender: Contender) -> str:
    """Return the Python of a contender; the environment of a peer is made at the first use."""
    if not contender.peer:
        return sys.executable
    script = ["bash", str(FOLDER / "environment.sh"), contender.peer]
    return subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def measure(contender: Contender, path: Path, out: Path) -> None:
    """Run a contender once; one that fails is told of, and has no figures."""
    pinned = ["taskset", "--cpu-list", first_cores(contender.cores)]
    arguments = ["--input", str(path), "--output", str(out)]
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as errors:
        start, cpu = time.perf_counter(), _cpu_seconds()
        process = subprocess.Popen(
            [*pinned, *contender.command, *arguments], stdout=told, stderr=errors, cwd=ROOT, env=ENVIRONMENT
        )
        with PeakMemory(process.pid) as peak:
            status = process.wait()
            seconds, cpu = time.perf_counter() - start, _cpu_seconds() - cpu
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
    figures = {"run": run, "all": seconds, "cpu": cpu, "peak_mb": peak.bytes / 1e6, "written_mb": written / 1e6}
    contender.found.append(figures | {f"part {name}": time_ for name, time_ in answer.get("parts", {}).items()})
    shutil.rmtree(out, ignore_errors=True)


def medians(contender: Contender) -> dict[str, float]:
    """Return the medians of all rounds, by the name of the figure."""
    return {key: statistics.median(found[key] for found in contender.found) for key in contender.found[0]}


def _cpu_seconds() -> float:
    """Return the CPU seconds of all processes below this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
