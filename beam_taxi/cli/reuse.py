"""Look for an earlier run that produced what this one would: `--cache` and `--explain_cache`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from beam_taxi.cli import summary
from beam_taxi.launch.console import Console
from beam_taxi.launch.job import manifest_of_inputs
from beam_taxi.launch.options import Launch
from beam_taxi.launch.outcome import Done, consequence
from beam_taxi.launch.quiet import Timings
from beam_taxi.launch.record import RunRecord
from beam_taxi.run.manifest import InputEntry, RunManifest


class Reuse:
    """Looks once, as soon as the content of all inputs is known: that of a query before it runs, if possible."""

    def __init__(self, launch: Launch, console: Console, timings: Timings) -> None:
        self._launch = launch
        self._console = console
        self._timings = timings
        self._has_looked = False
        self._planned: RunManifest | None = None
        self.earlier: RunManifest | None = None
        """The manifest of the run to reuse."""

    def look_up(self, inputs: Sequence[InputEntry], content_hashes: Callable[[], list[str]]) -> bool:
        """Return whether there is a run to reuse. Raises UsageError if there is no store."""
        options = self._launch.options
        if self._has_looked or not (options.cache or options.explain_cache):
            return False
        self._has_looked = True
        self._planned = manifest_of_inputs(self._launch, inputs)
        with self._timings.part("cache"):
            found = self._record(self._planned).look_up(content_hashes, options.explain_cache)
        if options.explain_cache:
            summary.print_lookup(found)
        if options.cache and not options.plan:
            self.earlier = found.earlier
        return self.earlier is not None

    def end(self) -> int:
        """Record and print that the run reuses the earlier one; return the exit status."""
        assert self._planned is not None
        assert self.earlier is not None
        with self._timings.part("record"):
            ids = self._record(self._planned).cached(self.earlier)
        summary.print_end(self._launch, self.earlier, ids, self._timings, cached=self._launch.settings.run_id)
        return consequence(Done(self.earlier)).exit_status

    def _record(self, planned: RunManifest) -> RunRecord:
        return RunRecord(self._launch.store, planned, self._console)
