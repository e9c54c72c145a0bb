"""The parts of a launch that depend on the runner, as those have them of which nothing more is known."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from beam_taxi.metadata.address import StoreAddress
from beam_taxi.runners.flags import BeamFlags
from beam_taxi.settings import Settings

if TYPE_CHECKING:
    from beam_taxi.ingest.plan import InputPlan


class Runner:
    """A runner by its name and Beam's flags; `args` are our own options.

    `in_process` tells that the run ends with this process.
    """

    in_process = False

    def __init__(self, name: str, flags: BeamFlags, args: Namespace) -> None:
        self.name = name
        self.flags = flags
        self.args = args

    def faults(self, settings: Settings, store: StoreAddress | None) -> Iterator[str]:
        """Yield what stands against a launch, each with what to do; nothing heavy is imported."""
        yield from ()

    def described(self, plan: InputPlan) -> Iterator[tuple[str, str]]:
        """Yield name and value of the lines of a plan."""
        yield "runner", self.name

    def beam_args(self, plan: InputPlan) -> list[str]:
        """Return Beam's options: the user's, and defaults for what they leave open."""
        return ["--runner", self.name, *self.flags.words]

    def worker_versions(self) -> Mapping[str, str]:
        """Return the versions, by the names of the manifest, that a worker must have."""
        return {}

    def wait(self, result: Any) -> None:
        """Wait for the job, a PipelineResult; raises what the runner raises for one that failed."""
        result.wait_until_finish()
