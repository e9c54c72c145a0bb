"""The runner in this process, in threads."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from beam_taxi.cli.terminal import TerminalConsole
from beam_taxi.launch.command import parse
from beam_taxi.launch.runners.local import LocalRunner


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
