"""Beam's FnApiRunner, in this process: the default."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from beam_taxi.launch import interrupts
from beam_taxi.launch.children import children, end_children
from beam_taxi.launch.console import Console
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.proxies import except_loopback
from beam_taxi.launch.runners.base import Runner
from beam_taxi.launch.runners.wide_tables import check_memory

if TYPE_CHECKING:
    from apache_beam import Pipeline

    from beam_taxi.sources.plan import TablePlan

_MODE, _WORKERS = "direct_running_mode", "direct_num_workers"
_MAX_THREADS = 4


class LocalRunner(Runner):
    """FnApiRunner, with a thread for each core that the input has a unit for, but no more than 4.

    Arrow, the compressor and TFDV's sketches release Python's lock; the rest holds it for about half of the time.
    Processes (`--direct_running_mode multi_processing`) import the libraries again, and were slower on two cores.
    """

    beam_log_level = logging.CRITICAL

    @property
    def in_process(self) -> bool:
        return True

    def check_plan(self, plan: TablePlan) -> None:
        check_memory(len(self.settings.statistics.described_columns() or plan.columns), len(self.settings.splits))

    def described(self, plan: TablePlan) -> Iterator[tuple[str, str]]:
        chosen = self._defaults(plan)
        mode = self.flags.get(_MODE, chosen.get(_MODE, "in_memory"))
        workers = self.flags.get(_WORKERS, chosen.get(_WORKERS, "1"))
        yield "runner", f"{self.name}, {mode}, {workers} worker(s)"

    def beam_args(self, plan: TablePlan) -> list[str]:
        return ["--runner", self.name, *self.flags.with_defaults(self._defaults(plan))]

    def run(self, pipeline: Pipeline, console: Console, launched: Callable[[LaunchedJob], None]) -> None:
        from apache_beam.runners.portability.fn_api_runner import worker_handlers

        # With threads, another thread flushes each second what a worker has written: an element that is being pickled
        # then, such as TFDV's accumulators of 2,000 features, arrives in two halves. The flush came with
        # https://github.com/apache/beam/pull/10246; no issue about the halves is known. tests/runners/test_local.py
        # notices when it is harmless, or when the limit has no effect any more.
        worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0
        # The runner talks to its threads by gRPC.
        except_loopback()
        # With processes for workers, Beam would wait until they have done what they are at.
        before = children()
        with interrupts.preceded_by(lambda: end_children(before)):
            super().run(pipeline, console, launched)

    def _defaults(self, plan: TablePlan) -> Mapping[str, str]:
        threads = min(len(os.sched_getaffinity(0)), plan.n_units, _MAX_THREADS)
        if threads < 2 or _MODE in self.flags or _WORKERS in self.flags:
            return {}
        return {_MODE: "multi_threading", _WORKERS: str(threads)}
