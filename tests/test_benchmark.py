"""The benchmarks run, on few rows, with the contenders that need no environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[1] / "scripts"
SCRIPT = SCRIPTS / "benchmark.py"
CORES = sorted({1, len(os.sched_getaffinity(0))})


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_benchmark_prints_one_table_with_the_machine(tmp_path: Path):
    figures, cores = tmp_path / "figures.json", ",".join(map(str, CORES))
    done = run("--rows", "2000", "--repeat", "1", "--contenders", "job,parts", "--cores", cores, "--json", figures)
    assert done.stderr == ""
    first, *lines = done.stdout.splitlines()
    for told in ("cores", "GB", "Linux", "Python 3.", "apache-beam 2.", "medians of 1"):
        assert told in first
    assert "2,000 rows, 0 MB:" in lines
    table = [cells(line) for line in lines if line.startswith("| **")]
    assert [(row[0].split("**")[1], row[1]) for row in table] == [
        *(("job", str(count)) for count in CORES),
        ("parts", "1"),
    ]
    # The job takes as long as the job.
    assert [row[-2] for row in table[:-1]] == ["1.00"] * len(CORES)
    found = json.loads(figures.read_text())["2000"]
    assert found["job 1"][0]["written_mb"] > 0
    # TensorFlow alone takes as much.
    assert found["job 1"][0]["peak_mb"] > 200
    assert any(line.startswith("- encode, split, frame:") for line in lines)


def test_another_table_than_trips(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a,b\n" + "1,x\n" * 10)
    done = run("--input", tmp_path / "x.csv", "--repeat", "1", "--contenders", "statistics")
    assert done.stderr == ""
    assert "10 rows, 0 MB:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--contenders", "jub"], "--contenders: unknown 'jub'; use job, statistics"),
        (["--cores", "0"], "--cores: must be between 1 and"),
        (["--cores", "1,100000"], "--cores: must be between 1 and"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments: list[str], message: str):
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_profile_knows_every_step():
    done = run("--rows", "2000", "--profile")
    steps = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[1:]]
    assert len(steps) == 12


def test_the_memory_of_processes_that_share_it_counts_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(SCRIPTS / "benchmarks"))
    from machine import PeakMemory

    # The child of a fork shares the 256 MiB, and both wait until standard input ends.
    program = "import os, sys; x = os.urandom(256 << 20); os.fork(); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read(2) == b"\n\n"
        with PeakMemory(process.pid) as peak:
            pass
        process.stdin.close()
    assert 256 << 20 < peak.bytes < 400 << 20
    assert len(peak.each) == 2


def test_the_memory_of_a_command():
    command = [sys.executable, "-c", "import os, sys; x = os.urandom(64 << 20); sys.exit(3)"]
    done = subprocess.run(
        [sys.executable, SCRIPTS / "benchmarks" / "memory.py", *command], capture_output=True, text=True
    )
    assert done.returncode == 3
    assert done.stdout.startswith("memory     ")


def test_a_wide_table_has_every_kind_of_column(tmp_path: Path):
    script = SCRIPTS / "benchmarks" / "wide.py"
    command = [sys.executable, script, "--columns", "5", "--rows", "20", "--out", tmp_path / "x.csv"]
    subprocess.run(command, check=True)
    header, *rows = (tmp_path / "x.csv").read_text().splitlines()
    assert header == "decimal_00000,integer_00001,flag_00002,text_00003,decimal_00004"
    assert len(rows) == 20


def test_what_grows_with_the_input_is_measured_step_by_step():
    command = [sys.executable, SCRIPTS / "benchmarks" / "planning.py", "--blocks", "700", "--files", "120"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "ignore"}
    )
    assert done.returncode == 0, done.stderr
    assert "700 blocks, 0.02 TB in 120 files" in done.stdout
    for step in (
        "plan from its file",
        "merge content, 128 shares",
        "reconcile",
        "manifest from JSON",
        "record of the end",
    ):
        assert f"\n{step}" in done.stdout


def test_the_commands_on_stores_are_timed():
    script = SCRIPTS / "benchmarks" / "metadata.py"
    command = [sys.executable, script, "--runs", "3,6", "--stores", "sqlite", "--repeat", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]
    assert header == ["CPU seconds", "sqlite 3", "sqlite 6"]
    assert {name for name, *_ in rows} >= {"`runs list`", "`runs lineage RUN`", "`--cache`, other content"}
    assert all(float(seconds) >= 0 for _, *figures in rows for seconds in figures)
