"""The parts of a launch that depend on the runner, as those have them of which nothing more is known."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from beam_taxi.launch.runners.flags import BeamFlags
from beam_taxi.launch.runners.store_check import store_fault
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.settings import Settings

if TYPE_CHECKING:
    from beam_taxi.sources.plan import InputPlan


class Check(NamedTuple):
    """One thing looked at before a launch: a fault stands against it, a note does not; each says what to do.

    `is_data` tells that the fault is one of the data.
    """

    name: str
    fault: str = ""
    note: str = ""
    is_data: bool = False


class Runner:
    """A runner by its name and Beam's flags; `args` are our own options.

    `in_process` tells that the run ends with this process; `ticks` that workers may be on this machine, whose progress
    is shown as bars.
    """

    in_process = False
    ticks = True

    def __init__(self, name: str, flags: BeamFlags, args: Namespace) -> None:
        self.name = name
        self.flags = flags
        self.args = args

    def faults(self, settings: Settings, store: StoreAddress | None) -> Iterator[str]:
        """Yield what stands against a launch, each with what to do; nothing heavy is imported."""
        yield from ()

    def checks(self, settings: Settings, store: StoreAddress | None) -> Iterator[Check]:
        """Yield what is looked at before a launch."""
        faults = list(self.faults(settings, store))
        if self.in_process and self.args.no_wait:
            faults.append(f"--no_wait: {self.name} ends with this process; leave it out")
        yield from (Check("runner", fault) for fault in faults or [""])
        # A launch goes on without its store, and says so itself.
        yield Check("metadata store", store_fault(store) if self.args.preflight else "")

    def described(self, plan: InputPlan) -> Iterator[tuple[str, str]]:
        """Yield name and value of the lines of a plan."""
        yield "runner", self.name

    def beam_args(self, plan: InputPlan) -> list[str]:
        """Return Beam's options: the user's, and defaults for what they leave open."""
        return ["--runner", self.name, *self.flags.words]

    def worker_versions(self) -> Mapping[str, str]:
        """Return the versions, by the names of the manifest, that a worker must have."""
        return {}

    def run(self, pipeline: Any) -> None:
        """Run a pipeline, a beam.Pipeline, to its end; raises what the runner raises where it fails."""
        self.wait(pipeline.run())

    def wait(self, result: Any) -> None:
        """Wait for the job, a PipelineResult, if so asked; raises what the runner raises for one that failed."""
        if not self.args.no_wait:
            result.wait_until_finish()
