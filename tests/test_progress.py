"""Progress on a terminal, a real one: a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def stderr_on_a_terminal(command: list[str]) -> tuple[int, str]:
    """Run a command; return its status, and what it wrote to its terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, "COLUMNS": "100"})
    os.close(theirs)
    written = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:  # Linux says so when the last writer has closed its end.
            break
        if not data:
            break
        written += data
    os.close(ours)
    return process.wait(), re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())


@pytest.mark.parametrize("mode", [None, "in_memory", "multi_threading", "multi_processing"])
def test_bars_on_a_terminal(tmp_path: Path, mode: str | None):
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n" * 5000)
    command = [
        *(sys.executable, "-m", "beam_taxi.main", "--input", str(tmp_path / "x.csv"), "--output", str(tmp_path)),
        *("--metadata_store", "none", "--direct_num_workers", "2"),
        *(() if mode is None else ("--direct_running_mode", mode)),
    ]
    status, text = stderr_on_a_terminal(command)
    assert status == 0
    last = text.replace("\r", "\n").splitlines()
    for stage in ("scan", "write"):
        line = next(line for line in reversed(last) if line.startswith(stage))
        assert "19.5/19.5 KiB" in line
        assert "5,000 rows" in line
