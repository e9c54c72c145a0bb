"""Plant faults in fresh tables, run the job on each, and print which faults its judgement names.

Usage: .venv/bin/python scripts/validation/faults.py [--rows 300 15000 300000] [--faults NAME ...] [--data CSV]

The clean table has synthetic taxi trips, and further columns. It is the baseline, and the schema is frozen from it.
Each fault is planted in a new table of the same distribution, which is run against both, and its validation.json is
read. A fault is found if a failed or warned result names its column, and is printed with the names of these results; a
result that names any other column is a false alarm. If nothing else names a fault, `ranges` are TFDV's anomalies by the
schema of `schema freeze --ranges`; they are counted separately, since another sample often exceeds a range by chance.
With --data, both tables are random samples from two halves of a file of trips, and have no row in common.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow_data_validation as tfdv
from fault_kinds import FAULTS
from planted import CHECKS, ROWS, Fault, Table, halves, synthetic, write
from tensorflow_metadata.proto.v0 import anomalies_pb2

from beam_taxi.cli import run, schema
from beam_taxi.run.validation import DRIFT, FAILED, PASSED, WARNED, Result, Validation
from beam_taxi.statistics.read import read_statistics
from beam_taxi.validation.limits import MINIMUM_EFFECTS

DONE = (0, 4)
"""The exit status of a run that is accepted, and of one that is not."""

REFUSED = 3
"""The exit status of a run whose rows do not have the types of the schema."""


@dataclass(frozen=True)
class Judged:
    """What a run says about a table: the names of results that failed or warned, by column, and the other results.

    `by_ranges` are the anomalies by the schema with ranges. `refused` is the message of a run that did not end.
    """

    named: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: Mapping[str, Result] = field(default_factory=dict)
    by_ranges: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refused: str = ""

    def of(self, fault: Fault) -> str:
        """Return the names of the results that name a fault, empty if there are none."""
        if self.refused:
            return "refused" if any(column in self.refused for column in fault.columns) else ""
        found = dict.fromkeys(name for column in fault.columns for name in self.named.get(column, ()))
        return ", ".join(found)

    def of_ranges(self, fault: Fault) -> str:
        """Return the anomalies by ranges that name a fault, empty if there are none."""
        return ", ".join(dict.fromkeys(name for column in fault.columns for name in self.by_ranges.get(column, ())))

    def false_alarms(self, fault: Fault | None) -> list[str]:
        """Return the results of columns without a fault."""
        return [f"{column} {name}" for column, names in _others(self.named, fault).items() for name in names]

    def false_ranges(self, fault: Fault | None) -> list[str]:
        """Return the columns without a fault that ranges name."""
        return [column for column in _others(self.by_ranges, fault) if column not in self.named]


class Bench:
    """A folder with a clean table of a size, its run, and the schemas that are frozen from it."""

    def __init__(self, folder: Path, rows: int, seed: int, data: Path | None, splits: str) -> None:
        self._folder, self._rows, self._data, self._splits = folder, rows, data, splits
        folder.mkdir()
        (folder / "checks.yaml").write_text(CHECKS, encoding="utf-8")
        self._clean, self._frozen, self._ranges = (str(folder / n) for n in ("clean", "frozen.pbtxt", "ranges.pbtxt"))
        self._seed = seed
        clean, _ = self._tables(0)
        status, message = self._run("clean", clean)
        if status:
            raise SystemExit(f"the run of the clean table failed: {message}")
        schema.main(["freeze", self._clean, "--out", self._frozen])
        schema.main(["freeze", self._clean, "--ranges", "--out", self._ranges])

    def fresh(self, number: int) -> Table:
        """Return another table with the distribution of the clean one; different numbers give independent tables."""
        return self._tables(number)[1]

    def judge(self, table: Table) -> Judged:
        """Run the job on a table, and return its judgement."""
        checks = str(self._folder / "checks.yaml")
        folder = self._folder / "judged"
        try:
            words = ("--schema", self._frozen, "--baseline", self._clean, "--checks", checks)
            status, message = self._run(folder.name, table, *words)
            if status == REFUSED:
                return Judged(refused=message)
            if status not in DONE:
                raise SystemExit(f"the run failed with exit status {status}: {message}")
            text = (folder / "validation.json").read_text(encoding="utf-8")
            return _judged(Validation.from_json(json.loads(text)).results, self._by_ranges(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _tables(self, number: int) -> tuple[Table, Table]:
        """Return the clean table, and one to plant a fault in."""
        if self._data is not None:
            return halves(self._data, self._rows, self._seed, self._seed + number)
        seeds = self._seed * 1000, self._seed * 1000 + 1 + number
        return synthetic(self._rows, seeds[0]) if not number else {}, synthetic(self._rows, seeds[1])

    def _run(self, name: str, table: Table, *words: str) -> tuple[int, str]:
        """Return the exit status and the messages."""
        path = self._folder / f"{name}.csv"
        write(table, path)
        common = ("--input", str(path), "--output", str(self._folder), "--run_id", name, "--metadata_store", "none")
        errors = io.StringIO()
        with redirect_stdout(io.StringIO()), redirect_stderr(errors):
            status = run.main([*common, "--no_examples", "--splits", self._splits, *words])
        return status, errors.getvalue()

    def _by_ranges(self, folder: Path) -> dict[str, list[str]]:
        limits = tfdv.load_schema_text(self._ranges)
        found: dict[str, list[str]] = {}
        for statistics in read_statistics(str(folder)).values():
            for column, info in tfdv.validate_statistics(statistics, limits).anomaly_info.items():
                names = [anomalies_pb2.AnomalyInfo.Type.Name(reason.type) for reason in info.reason]
                found.setdefault(column, []).extend(names)
        return found


def _others(named: Mapping[str, Sequence[str]], fault: Fault | None) -> dict[str, Sequence[str]]:
    true = (*fault.columns, *fault.consequences) if fault else ()
    return {column: names for column, names in named.items() if column not in true}


def _judged(results: Sequence[Result], by_ranges: Mapping[str, Sequence[str]]) -> Judged:
    named: dict[str, list[str]] = {}
    others: dict[str, Result] = {}
    for one in results:
        for column in one.features or (ROWS,):
            if one.outcome in (FAILED, WARNED):
                found = named.setdefault(column, [])
                name = f"{one.kind} {one.name}"
                found += [name] * (name not in found)
            elif one.kind == DRIFT:
                others.setdefault(column, one)
    return Judged(named, others, by_ranges)


def why(judged: Judged, fault: Fault) -> Iterator[str]:
    """Yield why each column of a fault was missed: no effect exceeds chance, or those that do are below the limit."""
    for column in fault.columns:
        result = judged.others.get(column)
        if result is None or result.outcome != PASSED:
            yield result.text if result else judged.refused or f"{column}: not compared"
            continue
        numbers = {key: value for key, value in result.evidence.items() if isinstance(value, int | float)}
        beyond = [name for name in MINIMUM_EFFECTS if numbers.get(name, 0) > numbers.get(f"{name}_chance", np.inf)]
        reason = f"below the limit ({', '.join(beyond)})" if beyond else "chance"
        yield f"{reason}: {result.text}"


@dataclass
class Tally:
    """The faults found and missed in tables of one size."""

    found: int = 0
    by_ranges: int = 0
    falsely: int = 0
    falsely_by_ranges: int = 0
    missed: list[str] = field(default_factory=list)

    def add(self, judged: Judged, fault: Fault | None) -> str:
        """Count a fault, or a table without one, and return what names it."""
        self.falsely += bool(judged.false_alarms(fault))
        self.falsely_by_ranges += bool(judged.false_ranges(fault))
        if fault is None:
            return "-"
        by, ranges = judged.of(fault), judged.of_ranges(fault)
        self.found += bool(by)
        self.by_ranges += bool(ranges and not by)
        self.missed += [] if by else [f"  {fault.name}: {one}" for one in why(judged, fault)]
        return by or (f"MISSED; ranges {ranges}" if ranges else "MISSED")


def benchmark(bench: Bench, rows: int, faults: Sequence[Fault], controls: int) -> None:
    """Print a line for each table without and with a fault, and the number of faults that were found."""
    tally = Tally()
    for number, fault in enumerate([*[None] * controls, *faults]):
        started = time.monotonic()
        table = bench.fresh(1 + number)
        judged = bench.judge(fault.plant(table, np.random.default_rng(number)) if fault else table)
        told = tally.add(judged, fault)
        alarms = "; ".join(judged.false_alarms(fault)) or "-"
        name = fault.name if fault else "(no fault)"
        print(f"{name:32}{rows:>9,}  {told:70}  {alarms:12}  {time.monotonic() - started:7.1f}", flush=True)
    runs = controls + len(faults)
    print(f"{rows:,} rows: {tally.found} of {len(faults)} faults found, and {tally.by_ranges} by ranges alone")
    print(f"  false alarms in {tally.falsely} of {runs} runs, of ranges in {tally.falsely_by_ranges}")
    print(*tally.missed, sep="\n", end="\n\n", flush=True)


def main(words: Sequence[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[300, 15_000, 300_000], help="rows of the tables")
    parser.add_argument("--faults", nargs="+", metavar="NAME", help=f"only these: {', '.join(f.name for f in FAULTS)}")
    parser.add_argument("--data", type=Path, metavar="CSV", help="a file of taxi trips, instead of synthetic ones")
    parser.add_argument("--controls", type=int, default=3, help="tables without a fault, of each size")
    parser.add_argument("--splits", default="all:1", help="splits of the runs")
    parser.add_argument("--seed", type=int, default=1)
    flags = parser.parse_args(words)
    wanted = {name.strip() for name in flags.faults or ()}
    unknown = wanted - {fault.name for fault in FAULTS}
    if unknown:
        parser.error(f"unknown faults: {', '.join(sorted(unknown))}")
    faults = [fault for fault in FAULTS if not wanted or fault.name in wanted]
    print(f"{'fault':32}{'rows':>9}  {'named by':70}  {'false alarms':12}  seconds")
    with tempfile.TemporaryDirectory() as folder:
        for rows in flags.rows:
            bench = Bench(Path(folder, str(rows)), rows, flags.seed, flags.data, flags.splits)
            benchmark(bench, rows, faults, flags.controls)


if __name__ == "__main__":
    main(sys.argv[1:])
