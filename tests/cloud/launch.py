"""The command line of a launch on the stand-in of Dataflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from beam_taxi.storage import gcs
from tests.cloud.conftest import GoogleCloud
from tests.cloud.dataflow_service import ENDPOINT
from tests.command import call

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


def words(*more: str, **changed: str | None) -> list[str]:
    """Return the options of a launch, with some changed, or left out where they are None."""
    options = {name: value for name, value in {**OPTIONS, **changed}.items() if value is not None}
    return [*(word for name, value in options.items() for word in (f"--{name}", value)), *more]


def command(*more: str, **changed: str | None) -> list[str]:
    """Return the command of a launch in a process of its own."""
    return [sys.executable, "-m", "beam_taxi.main", *words(*more, **changed)]


def run(cloud: GoogleCloud, *more: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
    """Launch from this process, and return when the launcher is done."""
    gcs.client.cache_clear()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            return call("run", *words(*more, **changed), **cloud.variables)
    finally:
        gcs.client.cache_clear()


def run_in_child(cloud: GoogleCloud, *more: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
    """Launch in a process of its own, since Beam keeps the first credentials that a process has used."""
    child = command(*more, **changed)
    return subprocess.run(child, capture_output=True, text=True, check=False, cwd=ROOT, env=cloud.environment)
