"""Beam's FnApiRunner, on this machine: the default."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from beam_taxi.errors import UsageError
from beam_taxi.launch import interrupts
from beam_taxi.launch.children import children, end_children
from beam_taxi.launch.console import Console
from beam_taxi.launch.fork_server import can_fork
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.machine import usable_cores, usable_memory
from beam_taxi.launch.options import Launch
from beam_taxi.launch.proxies import except_loopback
from beam_taxi.launch.runners.base import Runner
from beam_taxi.launch.runners.estimate import Memory

if TYPE_CHECKING:
    from apache_beam import Pipeline
    from apache_beam.options.pipeline_options import PipelineOptions

    from beam_taxi.launch.runners.forked_workers import ForkedWorkers
    from beam_taxi.sources.plan import TablePlan

_MODE, _WORKERS = "direct_running_mode", "direct_num_workers"
_IN_MEMORY, _THREADS = "in_memory", "multi_threading"
_MAX_THREADS = 4


class LocalRunner(Runner):
    """FnApiRunner, with a worker for each core that the process may use, and for which there are a unit and memory.

    The workers are processes that are forked after the imports, see `forked_workers`, or threads where a fork is not
    safe: on other systems than Linux, and if gRPC has been used before, as for tables in BigQuery. Threads wait for
    Python's lock for about half of the time, so there are no more than 4. A single worker is this process.

    `--direct_num_workers` is the number of workers, and `--direct_running_mode` is one of Beam's own kinds of them.
    """

    beam_log_level = logging.CRITICAL

    def __init__(self, launch: Launch) -> None:
        super().__init__(launch)
        self._forked: ForkedWorkers | None = None

    @property
    def in_process(self) -> bool:
        return True

    def check_plan(self, plan: TablePlan) -> None:
        one, usable = self._memory(plan, 1), usable_memory()
        if one.bytes > usable:
            raise UsageError(
                f"{one.columns:,} columns in {one.splits} split{'' if one.splits == 1 else 's'} need about "
                f"{one.bytes / 1e9:.1f} GB of memory, and this machine has {usable / 1e9:.1f} GB; choose fewer columns "
                "with --columns, --drop_columns or --stats_features, or use a larger machine"
            )

    def described(self, plan: TablePlan) -> Iterator[tuple[str, str]]:
        chosen = self._defaults(plan)
        mode = self.flags.get(_MODE, chosen.get(_MODE, _IN_MEMORY))
        workers = int(self.flags.get(_WORKERS, chosen.get(_WORKERS, "1"))) or os.cpu_count() or 1
        is_forked = _MODE not in {*self.flags, *chosen} and workers > 1
        kind = "forked" if is_forked else mode
        yield "runner", f"{self.name}, {workers} worker{'' if workers == 1 else 's'}, {kind}"
        if is_forked or mode in (_IN_MEMORY, _THREADS):
            is_limited = not {_MODE, _WORKERS} & {*self.flags} and workers < self._most_workers(plan)
            more = f"; {workers + 1} workers would need more than {usable_memory() / 1e9:.1f} GB" if is_limited else ""
            yield "memory", str(self._memory(plan, workers, is_forked)) + more

    def beam_args(self, plan: TablePlan) -> list[str]:
        return ["--runner", self.name, *self.flags.with_defaults(self._defaults(plan))]

    @contextmanager
    def workers(self, options: PipelineOptions) -> Iterator[None]:
        from apache_beam.options.pipeline_options import DirectOptions

        # The runner talks to its workers by gRPC.
        except_loopback()
        direct = options.view_as(DirectOptions)
        if _MODE in self.flags or direct.direct_running_mode != _IN_MEMORY or direct.direct_num_workers == 1:
            yield
            return
        from beam_taxi.launch.runners.forked_workers import ForkedWorkers

        with closing(ForkedWorkers(options)) as self._forked:
            yield

    def run(self, pipeline: Pipeline, console: Console, launched: Callable[[LaunchedJob], None]) -> None:
        from apache_beam.runners.portability.fn_api_runner import worker_handlers

        # With threads, another thread flushes each second what a worker has written: an element that is being pickled
        # then, such as TFDV's accumulators of 2,000 features, arrives in two halves. The flush came with
        # https://github.com/apache/beam/pull/10246; no issue about the halves is known. tests/runners/test_local.py
        # notices when it is harmless, or when the limit has no effect any more.
        worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0
        if self._forked is not None:
            with interrupts.preceded_by(self._forked.end), self._forked.runner() as pipeline.runner:
                super().run(pipeline, console, launched)
            return
        # With processes for workers, Beam would wait until they have done what they are at.
        before = children()
        with interrupts.preceded_by(lambda: end_children(before)):
            super().run(pipeline, console, launched)

    def _defaults(self, plan: TablePlan) -> Mapping[str, str]:
        """Return Beam's options as far as the user leaves them to us; workers in memory stand for forked ones."""
        if _MODE in self.flags:
            return {}
        workers = int(self.flags.get(_WORKERS, "0")) or self._workers(plan)
        if workers == 1:
            return {}
        if can_fork():
            return {_WORKERS: str(workers)}
        return {_MODE: _THREADS, _WORKERS: str(workers)}

    def _workers(self, plan: TablePlan) -> int:
        """Return the number of workers for which there are cores, units and memory; at least 1."""
        numbers, usable = range(self._most_workers(plan), 1, -1), usable_memory()
        return next((n for n in numbers if self._memory(plan, n, can_fork()).bytes <= usable), 1)

    def _most_workers(self, plan: TablePlan) -> int:
        most = min(usable_cores(), plan.n_units)
        return most if can_fork() else min(most, _MAX_THREADS)

    def _memory(self, plan: TablePlan, workers: int, is_forked: bool = False) -> Memory:
        columns = self.settings.statistics.described_columns() or plan.columns
        column_bytes = plan.size // max(1, len(plan.columns))
        return Memory(workers, len(columns), len(self.settings.splits), column_bytes, is_forked)
