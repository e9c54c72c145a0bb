"""What the tests take from the shell that starts them, and what a choice of them leaves out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHELL = {
    "http_proxy": "nonsense",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "NO_PROXY": "*",
    "LC_ALL": "C",
    "PYTHONIOENCODING": "latin-1",
    "HOME": "/nonexistent",
    "TERM": "dumb",
    "COLUMNS": "7",
    "BEAM_TAXI_METADATA_STORE": "sqlite:////nonexistent/m.sqlite",
    "GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent",
}
SEEN = """
import json, os, signal, sys
import tests.conftest
handlers = {name: str(signal.getsignal(getattr(signal, name))) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")}
print(json.dumps([dict(os.environ), handlers, os.listdir(os.environ["HOME"]), list(signal.pthread_sigmask(0, ()))]))
"""


def test_the_shell_changes_nothing(tmp_path: Path):
    kept = {name: value for name, value in os.environ.items() if name not in SHELL}
    ignoring = 'trap "" INT TERM HUP QUIT; exec "$0" "$@" <&-'
    done = subprocess.run(
        ["bash", "-c", ignoring, sys.executable, "-c", SEEN],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**kept, **SHELL, "TMPDIR": str(tmp_path)},
    )
    variables, handlers, home, blocked = json.loads(done.stdout)
    assert {name: variables[name] for name in SHELL if name in variables and name != "HOME"} == {"TERM": "xterm"}
    assert (variables["LANG"], home, blocked) == ("C.UTF-8", [], [])
    assert Path(variables["HOME"]).parent == tmp_path
    assert not list(tmp_path.iterdir())
    assert "default_int_handler" in handlers.pop("SIGINT")
    assert {handler.rpartition(".")[2] for handler in handlers.values()} <= {"SIG_DFL", "0"}


@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_is_left_out_is_named(workers: str):
    words = ["-n", workers, "-m", "not slow", "tests/engines/test_worker_pool.py", "tests/test_dates.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout
    assert "3 tests are left out: tests/engines 3\n" in done.stdout
