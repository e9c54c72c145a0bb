"""The programs that make a report of a CSV file, each in an environment of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(__file__).with_name("peers")
PACKAGES = {
    "skrub": ("skrub==0.11.0", "pandas==3.1.1", "pyarrow"),
    # It imports pkg_resources without requiring it.
    "ydata": ("ydata-profiling==4.18.4", "setuptools<81"),
}
OURS = "beam_taxi"
LIMIT = 900
"""Seconds that a report may take."""


@dataclass(frozen=True)
class Report:
    """A report: its file, and the seconds of the process that made it, with its imports."""

    page: Path
    seconds: float


@dataclass(frozen=True)
class Peer:
    """Another program: its script and arguments, and the environment that it runs in."""

    name: str
    environment: str
    script: str
    arguments: Sequence[str] = ()

    def report(self, table: Path, page: Path, folder: Path) -> Report:
        """Make its report of a table."""
        python = environment(self.environment, folder)
        return _timed([python, PEERS / self.script, table, page, *self.arguments], page)


PEER_REPORTS = (
    Peer("skrub TableReport", "skrub", "skrub_report.py"),
    Peer("ydata-profiling, minimal", "ydata", "ydata_report.py", ["minimal"]),
    Peer("ydata-profiling", "ydata", "ydata_report.py"),
)


def run_ours(table: Path, output: Path, run_id: str, arguments: Sequence[str]) -> Report:
    """Run the job on a table; its report is that of the run."""
    command = [sys.executable, "-m", "beam_taxi.main", "--input", table, "--output", output, "--run_id", run_id]
    command += ["--metadata_store", "none", *arguments]
    return _timed(command, output / run_id / "report.html")


def our_json(run: Path) -> dict[str, Any]:
    """Return the report of a run for programs."""
    command = [sys.executable, "-m", "beam_taxi", "report", "--json", str(run)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def environment(name: str, folder: Path) -> Path:
    """Return the Python of a peer's environment, which is made at first use."""
    place = folder / f"environment-{name}"
    python, ready = place / "bin" / "python", place / "ready"
    if not ready.exists():
        uv = shutil.which("uv") or str(ROOT / ".venv-uv" / "bin" / "uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", "3.11", place], check=True)
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *PACKAGES[name]]
        subprocess.run(install, check=True)
        ready.touch()
    return python


def _timed(command: Sequence[str | Path], page: Path) -> Report:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=LIMIT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()[-2000:]}")
    return Report(page, time.perf_counter() - start)
