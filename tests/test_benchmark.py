"""The benchmark runs, on few rows, with the contenders that need no environment of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "benchmark.py"


def test_the_benchmark_tells_times_and_ratios(tmp_path: Path):
    figures = tmp_path / "figures.json"
    command = [sys.executable, SCRIPT, "--rows", "2000", "--repeat", "1", "--only", "job,parts", "--json", figures]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "2,000 rows, 0 MB, medians of 1" in done.stdout
    found = json.loads(figures.read_text())["2000"]
    assert set(found) == {"job", "parts"}
    assert found["job"][0]["written_mb"] > 0
    assert "part encode, split, frame" in found["parts"][0]


def test_the_profile_knows_every_step():
    command = [sys.executable, SCRIPT, "--rows", "2000", "--profile"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    steps = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[1:]]
    assert len(steps) == 12


def test_the_commands_on_stores_are_timed():
    script = SCRIPT.parent / "benchmarks" / "metadata.py"
    command = [sys.executable, script, "--runs", "3,6", "--stores", "sqlite", "--repeat", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
    assert header == ["CPU seconds", "sqlite 3", "sqlite 6"]
    assert {name for name, *_ in rows} >= {"`runs list`", "`runs lineage RUN`", "`--cache`, other content"}
    assert all(float(seconds) >= 0 for _, *figures in rows for seconds in figures)
