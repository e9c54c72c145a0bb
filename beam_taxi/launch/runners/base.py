"""What every runner has; the defaults are those of a runner that is not known here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from beam_taxi.launch.console import Console
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.options import Launch
from beam_taxi.launch.outcome import Outcome, Unknown

if TYPE_CHECKING:
    from apache_beam import Pipeline
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.runner import PipelineResult

    from beam_taxi.sources.plan import TablePlan


class Check(NamedTuple):
    """The result of a check before a launch. A fault forbids the launch, a note does not; both say what to do.

    `is_data` means that the fault is in the data.
    """

    name: str
    fault: str = ""
    note: str = ""
    is_data: bool = False


class Runner:
    """Runs the graph of a launch. A subclass is a module beside this, and a line in `registry.py`."""

    has_local_workers: ClassVar[bool] = True
    """Whether workers may be on this machine, whose progress is then shown as bars."""
    has_own_flags: ClassVar[bool] = False
    """Whether the runner knows flags that Beam's source does not name, so that it has to check them itself."""
    log_level: ClassVar[int] = logging.ERROR
    """The level from which log messages of libraries are shown."""
    beam_log_level: ClassVar[int] = logging.WARNING
    """The level from which log messages of Beam are shown, whose failures are reported in one line anyway."""

    def __init__(self, launch: Launch) -> None:
        self.name = launch.options.runner
        self.launch = launch
        self.flags = launch.beam
        self.options = launch.options
        self.settings = launch.settings

    @property
    def in_process(self) -> bool:
        """Whether the job ends with this process."""
        return False

    @property
    def waits(self) -> bool:
        """Whether the launcher waits for the end of the job."""
        return not self.options.no_wait

    def faults(self) -> Iterator[str]:
        """Yield what forbids a launch, each with what to do; nothing heavy is imported."""
        yield from ()

    def checks(self) -> Iterator[Check]:
        """Yield the results of the checks before a launch."""
        faults = list(self.faults())
        if self.in_process and self.options.no_wait:
            faults.append(f"--no_wait: cannot be used with {self.name}, which ends with this process; remove it")
        yield from (Check("runner", fault) for fault in faults or [""])
        # An unreachable store never stops a run, which warns of it.
        store = self.launch.store
        yield Check("metadata store", store.fault() if store is not None and self.options.preflight else "")

    def check_plan(self, plan: TablePlan) -> None:
        """Raises UsageError if the input is too large for the workers."""

    def described(self, plan: TablePlan) -> Iterator[tuple[str, str]]:
        """Yield names and values of what `--plan` shows of the runner."""
        yield "runner", self.name

    def beam_args(self, plan: TablePlan) -> list[str]:
        """Return Beam's options: those of the user, and defaults for the rest."""
        return ["--runner", self.name, *self.flags.words]

    def worker_versions(self) -> Mapping[str, str]:
        """Return the versions that a worker must have, by their names in the manifest."""
        return {}

    @contextmanager
    def workers(self, options: PipelineOptions) -> Iterator[None]:
        """Have workers ready in the block, in which `run` is called.

        The imports are done, and the launch has not opened the connections of a run yet.
        """
        yield

    def run(self, pipeline: Pipeline, console: Console, launched: Callable[[LaunchedJob], None]) -> None:
        """Run a pipeline until the job ends, or is launched if nobody is to wait.

        `launched` is called once with a job that runs outside this process, as soon as it exists.

        An Interrupt cancels the job if a user asked for it, or if the job ends with this process. Else it is left
        running.

        Raises JobCancelled if the job has ended because it was cancelled, StillRunning if it may still be running, with
        how to watch and cancel it, and whatever the runner raises if the job has ended otherwise without success.
        """
        self.wait(pipeline.run())

    def wait(self, result: PipelineResult) -> None:
        """Wait for the job unless nobody is to wait; raises what `run` raises."""
        if self.waits:
            result.wait_until_finish()

    @classmethod
    def end_of(cls, job: LaunchedJob) -> Outcome:
        """Return how a job has ended that was launched earlier, by any process; Unknown if it may still be running.

        The caller has found no manifest, so a job that is done has failed.
        """
        return Unknown(f"{job.runner} cannot be asked for the job {job.id}")
