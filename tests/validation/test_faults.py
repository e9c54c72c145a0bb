"""The benchmark of planted faults tells what names them, what is missed and why, and false alarms."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "validation" / "faults.py"


def faults(*words: str) -> list[str]:
    """Return the lines that the script prints."""
    command = [sys.executable, str(SCRIPT), "--rows", "300", *words]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path})
    return done.stdout.splitlines()


def test_planted_faults_are_named():
    lines = faults("--controls", "1", "--faults", "negated", "text among numbers, one row", "new category, 0.2%")
    header, control, text, category, negated, *summary = (line.split("  ") for line in lines)
    assert header[0] == "fault"
    assert [line[0] for line in (control, text, category, negated)] == [
        "(no fault)",
        "text among numbers, one row",
        "new category, 0.2%",
        "negated",
    ]
    assert "refused" in text
    assert "MISSED" in category
    assert "drift outside" in negated
    assert summary[0] == ["300 rows: 2 of 3 faults found, and 0 by ranges alone"]
    assert summary[1][1].startswith("false alarms in 0 of 4 runs")
    assert summary[2][1].startswith("new category, 0.2%: chance: payment_type: no drift;")


def test_an_unknown_fault_is_refused():
    done = subprocess.run([sys.executable, str(SCRIPT), "--faults", "gremlins"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("error: unknown faults: gremlins")
