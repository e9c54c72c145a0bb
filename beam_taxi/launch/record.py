"""The record of a launch in ML Metadata, and what other systems are told of it.

An unreachable store never stops or fails a run, and never loses one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.launch.console import Console
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.lineage import RunLineage
from beam_taxi.launch.outcome import Consequence, Done, Outcome, consequence
from beam_taxi.metadata import waiting
from beam_taxi.metadata.address import StoreAddress, StoreError
from beam_taxi.metadata.store import reap_command
from beam_taxi.metadata.stores.base import StoreFailure, StoreStalled
from beam_taxi.run.folder import MANIFEST
from beam_taxi.run.manifest import RunManifest

if TYPE_CHECKING:
    from beam_taxi.metadata.cache import Lookup


class RunRecord:
    """Records start and end of a run in a store, or nothing if `store` is None.

    What cannot be recorded is reported in one line, with the command that records it later.
    """

    def __init__(self, store: StoreAddress | None, run_id: str, console: Console) -> None:
        self._store = store
        self._run_id = run_id
        self._console = console
        self._claim = ""
        self._attempt: int | None = None
        self._may_be_started = False
        self.lineage = RunLineage(console)
        self.job: LaunchedJob | None = None
        """The job outside this process, once it exists."""

    def start(self, planned: RunManifest, runner: str, in_process: bool, claim: str) -> None:
        """Record RUNNING executions. Raises UsageError if the store has a run with this id that runs or has a result.

        `planned` is the manifest as far as it is known before the run. `in_process` means that the run ends with this
        process; `claim` is the token of its folder.
        """
        if self._store is not None:
            self._start(planned, self._store, runner, in_process, claim)
        self.lineage.start(planned)

    def _start(self, planned: RunManifest, store: StoreAddress, runner: str, in_process: bool, claim: str) -> None:
        from beam_taxi.metadata import recorder

        self._claim = claim
        # An interrupt may come just before or just after the transaction.
        self._may_be_started = True
        try:
            self._attempt = recorder.start(planned, store, runner, in_process, claim)
        except KeyboardInterrupt:
            # Who did not want to wait for the store does not want to wait for it again.
            self._may_be_started = not waiting.has_stalled(store.uri)
            raise
        except BeamTaxiError as error:
            # What a store that has stalled was sent may be stored nevertheless.
            self._may_be_started = isinstance(error, StoreStalled)
            if error.exit_status == 2 and not isinstance(error, StoreError):
                raise
            self._console.warn(
                f"the start was not recorded: {error}; the run continues, and is recorded once it is complete, if the "
                "store is back"
            )

    def launched(self, job: LaunchedJob) -> None:
        """Record which job outside this process the run is, so that its end can be asked for later."""
        self.job = job
        if self._store is None or self._attempt is None:
            return
        from beam_taxi.metadata import recorder

        try:
            recorder.note_job(self._run_id, self._store, job.to_properties(), self._attempt)
        except BeamTaxiError as error:
            self._console.warn(f"the job was not recorded: {error}")

    def look_up(self, planned: RunManifest, content_hashes: Callable[[], list[str]], explain: bool) -> Lookup:
        """Find an earlier run with the same content, settings and code. Raises UsageError if there is no store.

        The input is read only if a run had the same settings, or if the explanation needs it.
        """
        from beam_taxi.metadata.cache import look_up

        if self._store is None:
            raise UsageError("--cache and --explain_cache require a --metadata_store")

        def with_hashes() -> RunManifest:
            entries = zip(planned.inputs, content_hashes(), strict=True)
            return replace(planned, inputs=tuple(replace(entry, content_hash=text) for entry, text in entries))

        return look_up(planned, self._store, with_hashes, explain)

    def cached(self, planned: RunManifest, earlier: RunManifest) -> Mapping[str, int]:
        """Record the run as CACHED, with the artifacts of an earlier run; return the ids. Raises BeamTaxiError."""
        from beam_taxi.metadata import recorder

        assert self._store is not None
        ids = recorder.record_cached(planned, earlier, self._store, self._attempt)
        self.lineage.cached(earlier)
        return ids

    def end(self, outcome: Outcome, on_worker: bool) -> Mapping[str, int]:
        """Record the end that an outcome is; return the ids of a complete run.

        If the store cannot be used, or the user does not want to wait for it, that is a warning with the command that
        records the run later, and there are no ids. Raises BeamTaxiError if the store refuses a complete run, since its
        id is that of another. If a worker has recorded the run, the ids are those of that record.
        """
        try:
            return {} if self._store is None else self._end(outcome, self._store, on_worker)
        finally:
            self.lineage.end(outcome, on_worker)

    def _end(self, outcome: Outcome, store: StoreAddress, on_worker: bool) -> Mapping[str, int]:
        if isinstance(outcome, Done):
            return self._complete(outcome.manifest, store, on_worker)
        follows = consequence(outcome)
        if self._may_be_started:
            self._abandon(follows, store)
        return {}

    def _complete(self, manifest: RunManifest, store: StoreAddress, on_worker: bool) -> Mapping[str, int]:
        from beam_taxi.metadata import recorder

        try:
            return recorder.record(manifest, store, self._attempt)
        except (BeamTaxiError, KeyboardInterrupt) as error:
            if isinstance(error, BeamTaxiError) and not isinstance(error, (StoreError, StoreFailure)):
                # The id is that of another run, which no retry changes.
                raise type(error)(f"{manifest.run_uri} is complete but was not recorded: {error}") from error
            if on_worker:
                self._console.warn(f"cannot read here what the worker recorded: {error}")
                return {}
            place = f"{manifest.run_uri}/{MANIFEST}"
            later = f"python -m beam_taxi record --manifest {place} --metadata_store '{store.uri}'"
            self._console.warn(f"the run is complete but was not recorded: {error}; record it later: {later}")
            return {}

    def _abandon(self, follows: Consequence, store: StoreAddress) -> None:
        from beam_taxi.metadata import recorder

        if follows.state is None:
            return
        try:
            recorder.fail(
                self._run_id, store, follows.message, follows.state.value, self._attempt, follows.step, self._claim
            )
        except (BeamTaxiError, KeyboardInterrupt) as error:
            if self._attempt is None:
                return
            later = reap_command(store, self._run_id)
            self._console.warn(f"the end was not recorded: {error}; record it later: {later}")
