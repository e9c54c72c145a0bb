"""Record the start of a launch, and look up an earlier run that it can reuse: `--cache` and `--explain_cache`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from beam_taxi.cli import summary
from beam_taxi.launch.job import manifest_of_inputs
from beam_taxi.launch.quiet import Timings
from beam_taxi.launch.record import RunRecord
from beam_taxi.launch.runners.base import Runner
from beam_taxi.run.manifest import InputEntry, RunManifest


class Reuse:
    """Records the start, and looks up an earlier run, once each, as soon as the inputs and their content are known.

    For a query, that is before it runs, if possible. `claim` is the token of the claimed folder; without one, nothing
    is recorded.
    """

    def __init__(self, runner: Runner, record: RunRecord, timings: Timings) -> None:
        self._runner = runner
        self._launch = runner.launch
        self._record = record
        self._timings = timings
        self._has_looked = False
        self._planned: RunManifest | None = None
        self.claim = ""
        self.earlier: RunManifest | None = None
        """The manifest of the run to reuse."""

    def look_up(self, inputs: Sequence[InputEntry], content_hashes: Callable[[], list[str]] | None) -> bool:
        """Record the start; return whether there is a run to reuse, which is not known without the content.

        Raises UsageError if the store has a run of this id, or if there is no store to look in.
        """
        options = self._launch.options
        if self._planned is None:
            self._planned = manifest_of_inputs(self._launch, inputs)
            if self.claim:
                with self._timings.part("record"):
                    self._record.start(self._planned, self._runner.name, self._runner.in_process, self.claim)
        if self._has_looked or content_hashes is None or not (options.cache or options.explain_cache):
            return False
        self._has_looked = True
        self._planned = manifest_of_inputs(self._launch, inputs)
        with self._timings.part("cache"):
            found = self._record.look_up(self._planned, content_hashes, options.explain_cache)
        if options.explain_cache:
            summary.print_lookup(found)
        if options.cache and not options.plan:
            self.earlier = found.earlier
        return self.earlier is not None

    def record(self) -> Mapping[str, int]:
        """Record that the run reuses the earlier one; return the ids. Raises BeamTaxiError."""
        assert self._planned is not None
        assert self.earlier is not None
        with self._timings.part("record"):
            return self._record.cached(self._planned, self.earlier)
