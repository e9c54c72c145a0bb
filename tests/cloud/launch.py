"""The command line of a launch on the stand-in of Dataflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cloud.conftest import GoogleCloud
from tests.cloud.dataflow_service import ENDPOINT

ROOT = Path(__file__).parents[2]
OPTIONS = {
    "input": "gs://bucket/in/*.csv",
    "output": "gs://bucket/out",
    "runner": "DataflowRunner",
    "project": "project",
    "region": "us-east1",
    "temp_location": "gs://bucket/tmp",
    "staging_location": "gs://bucket/staging",
    "setup_file": "./setup.py",
    "dataflow_endpoint": ENDPOINT,
}


def command(*more: str, **changed: str | None) -> list[str]:
    """Return the command, with options changed, or left out where they are None."""
    options = {name: value for name, value in {**OPTIONS, **changed}.items() if value is not None}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [sys.executable, "-m", "beam_taxi.main", *words, *more]


def run(cloud: GoogleCloud, *more: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
    """Launch, and return when the launcher ends."""
    words = command(*more, **changed)
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, env=cloud.environment)
