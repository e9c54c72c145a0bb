"""Throughput of the CSV reader on one core, beside Python's csv and Arrow's reader on the same bytes.

Usage: .venv/bin/python scripts/benchmarks/ingest.py [MEGABYTES]
Columns: MB/s of text. `boundaries` finds the record ends for both states a range may begin in; `pass 1` is that with
hash, types and checks (all of planning but the plan itself); `pass 2` is the typed parse.
"""

from __future__ import annotations

import csv
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from beam_taxi.settings import Dialect, Settings
from beam_taxi.sources.csv.parse import cut_chunks, parse_typed
from beam_taxi.sources.csv.records import RecordScan
from beam_taxi.sources.csv.states import INSIDE, OUTSIDE
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.plan import TablePlan, plan_input

ROUNDS = 3


def rows(shape: str, size: int) -> bytes:
    lines, number = ["id,name,fare,note\n"], 0
    length = 0
    while length < size:
        number += 1
        note = f'"two\nlines of ""{number}"""' if shape == "1 % quoted" and number % 25 == 0 else "plain note"
        cells = [str(number), f"name {number % 97}", f"{number % 1000 / 8}", note]
        if shape == "all quoted":
            cells = [f'"{cell}"' for cell in cells]
        lines.append(",".join(cells) + "\n")
        length += len(lines[-1])
    return "".join(lines).encode()


def seconds(work: Callable[[], object]) -> float:
    """Return the least time of a few rounds: what the machine's other work adds is not of interest."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def boundaries(plan: TablePlan, data: bytes) -> None:
    for start in range(0, len(data), plan.part_bytes):
        part = RecordScan(data[start : start + plan.part_bytes], Dialect(), 0, min(plan.part_bytes, len(data) - start))
        for state in (OUTSIDE, INSIDE):
            part.record_ends(state)
            part.state_after(state)


def measure(shape: str, size: int, folder: Path) -> None:
    data = rows(shape, size)
    path = folder / "x.csv"
    path.write_bytes(data)
    settings = Settings((str(path),), "unused", "run")
    plan = plan_input(settings, {})
    parts = list(plan.parts(0))
    found, _ = plan_table(plan, settings)
    source = plan.sources[0]
    columns, start = source.info.columns, len(data.partition(b"\n")[0]) + 1
    ends = RecordScan(data, Dialect(), start, len(data)).record_ends(OUTSIDE)
    chunks = [data[a:b] for a, b in cut_chunks(start, ends, settings.batch_bytes)]
    text = data.decode()
    arrow = pa_csv.ReadOptions(use_threads=False), pa_csv.ParseOptions(newlines_in_values=True)
    times = {
        "boundaries": seconds(lambda: boundaries(plan, data)),
        "pass 1": seconds(lambda: [source.scan(part) for part in parts]),
        "pass 2": seconds(lambda: [parse_typed(chunk, columns, Dialect(), found.kinds) for chunk in chunks]),
        "pyarrow": seconds(lambda: pa_csv.read_csv(pa.BufferReader(data), *arrow)),
        "csv": seconds(lambda: sum(1 for _ in csv.reader(io.StringIO(text, newline="")))),
    }
    print(f"{shape:12}" + "".join(f"{name:>12} {len(data) / 1e6 / time_:6.0f}" for name, time_ in times.items()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for one in ("no quotes", "1 % quoted", "all quoted"):
            measure(one, int(float(sys.argv[1] if len(sys.argv) > 1 else 100) * 1e6), Path(temporary))
