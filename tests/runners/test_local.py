"""The runner in this process, in threads."""

from __future__ import annotations

import time
from typing import Any

import apache_beam as beam
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


def test_elements_that_take_long_to_pickle_arrive_whole():
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
    launch = parse(["--input", "x.csv", "--output", "out", "--metadata_store", "none"])
    LocalRunner(launch).run(pipeline, TerminalConsole(as_json=True))
