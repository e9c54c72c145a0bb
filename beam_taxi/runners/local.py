"""Beam's FnApiRunner, in this process: the default."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from beam_taxi.runners.base import Runner

if TYPE_CHECKING:
    from beam_taxi.ingest.plan import InputPlan

_MODE, _WORKERS = "direct_running_mode", "direct_num_workers"
_MAX_THREADS = 4


class LocalRunner(Runner):
    """FnApiRunner, with a thread for each core that the input has units for, but no more than 4.

    Arrow, the compressor and TFDV's sketches work without Python's lock, the rest holds it for about half of the time.
    Processes (`--direct_running_mode multi_processing`) import the libraries anew, and were slower on two cores.
    """

    in_process = True

    def described(self, plan: InputPlan) -> Iterator[tuple[str, str]]:
        """Yield name and value of the lines of a plan."""
        chosen = self._defaults(plan)
        mode = self.flags.get(_MODE, chosen.get(_MODE, "in_memory"))
        workers = self.flags.get(_WORKERS, chosen.get(_WORKERS, "1"))
        yield "runner", f"{self.name}, {mode}, {workers} worker(s)"

    def beam_args(self, plan: InputPlan) -> list[str]:
        """Return Beam's options, with as many threads as there is work for, unless the user says how to run."""
        return ["--runner", self.name, *self.flags.with_defaults(self._defaults(plan))]

    def _defaults(self, plan: InputPlan) -> Mapping[str, str]:
        threads = min(len(os.sched_getaffinity(0)), plan.n_units, _MAX_THREADS)
        if threads < 2 or _MODE in self.flags or _WORKERS in self.flags:
            return {}
        return {_MODE: "multi_threading", _WORKERS: str(threads)}
