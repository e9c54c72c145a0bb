"""The runner on this machine: which workers it has, and Beam's threads."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_taxi.cli.terminal import TerminalConsole
from beam_taxi.launch.command import parse
from beam_taxi.launch.machine import usable_cores
from beam_taxi.launch.runners.local import LocalRunner

pytestmark = pytest.mark.slow


class SlowToPickle:
    """Takes longer to be pickled than what a thread has written waits for the next flush."""

    def __reduce__(self) -> tuple[Any, ...]:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            pass
        return SlowToPickle, ()


def make_pipeline() -> beam.Pipeline:
    words = ["--runner", "FnApiRunner", "--direct_running_mode", "multi_threading", "--direct_num_workers", "2"]
    pipeline = beam.Pipeline(options=PipelineOptions(words))
    grouped = (
        pipeline
        | beam.Create(range(4))
        | beam.Map(lambda number: (number % 2, SlowToPickle()))
        | beam.GroupByKey()
        | beam.MapTuple(lambda key, values: (key, len(list(values))))
    )
    assert_that(grouped, equal_to([(0, 2), (1, 2)]))
    return pipeline


def run_by_ours() -> None:
    launch = parse(["--input", "x.csv", "--output", "out", "--metadata_store", "none"])
    LocalRunner(launch).run(make_pipeline(), TerminalConsole(as_json=True), lambda _: None)


def run_by_beam() -> None:
    make_pipeline().run().wait_until_finish()


@pytest.mark.parametrize("run", [run_by_ours, run_by_beam])
def test_elements_that_take_long_to_pickle_arrive_whole(run: Callable[[], None]):
    """Beam alone breaks them: if it no longer does, LocalRunner need not set DATA_BUFFER_TIME_LIMIT_MS."""
    code = f"from tests.runners.test_local import {run.__name__}; {run.__name__}()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode == 0) == (run is run_by_ours), done.stderr


CORES = usable_cores()
A_THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"

# Options, what has happened in the process before, and the workers.
WORKERS: dict[str, tuple[str, str, str]] = {
    "a unit": ("--num_shards 1", "", "1 worker, in_memory"),
    "units": (
        "--num_shards 1000",
        "",
        f"{CORES} workers, forked" if CORES > 1 else "1 worker, in_memory",
    ),
    "units, and a thread": (
        "--num_shards 1000",
        A_THREAD,
        f"{min(CORES, 4)} workers, multi_threading" if CORES > 1 else "1 worker, in_memory",
    ),
    "a number": ("--direct_num_workers 8", "", "8 workers, forked"),
    "a number, and a thread": ("--direct_num_workers 8", A_THREAD, "8 workers, multi_threading"),
    "one": ("--num_shards 8 --direct_num_workers 1", "", "1 worker, in_memory"),
    "a mode": ("--num_shards 8 --direct_running_mode multi_threading", "", "1 worker, multi_threading"),
    "both": ("--direct_running_mode multi_processing --direct_num_workers 2", "", "2 workers, multi_processing"),
}


@pytest.mark.parametrize(("options", "before", "workers"), WORKERS.values(), ids=WORKERS)
def test_the_choice_of_workers(tmp_path: Path, options: str, before: str, workers: str):
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n" * 1000)
    code = f"import os, sys\n{before}\nfrom beam_taxi.main import main\nmain(sys.argv[1:])\n"
    words = ["--input", tmp_path / "x.csv", "--output", tmp_path, "--plan", *options.split()]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("runner "))
    assert line == f"runner     FnApiRunner, {workers}"
