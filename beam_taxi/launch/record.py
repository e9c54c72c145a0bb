"""The record of a launch: a run never fails, and is never lost, because its store is away."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from beam_taxi import layout
from beam_taxi.errors import BeamTaxiError, JobCancelled, StillRunning, UsageError
from beam_taxi.metadata.address import StoreAddress, StoreError

if TYPE_CHECKING:
    from beam_taxi.metadata.cache import Lookup


class RunRecord:
    """Records start and end of a run in a store, or nothing where `store` is None.

    `planned` is the manifest as far as it is known before the run. What cannot be recorded is told in one line on
    standard error, with the command that makes up for it. `in_process` tells that the run ends with this process.
    """

    def __init__(self, store: StoreAddress | None, planned: Mapping[str, Any], runner: str, in_process: bool) -> None:
        self._store = store
        self._planned = planned
        self._runner = runner
        self._in_process = in_process
        self._is_started = False

    def start(self) -> None:
        """Record RUNNING executions. Raises UsageError where the store has a run of this id."""
        if self._store is None:
            return
        from beam_taxi.metadata import recorder

        try:
            recorder.start(self._planned, self._store, self._runner, self._in_process)
            self._is_started = True
        except BeamTaxiError as error:
            if error.exit_status == 2 and not isinstance(error, StoreError):
                raise
            _warn(
                f"the start is not recorded: {error}; the run goes on, and will be recorded if the store is back then"
            )

    def look_up(self, content_hashes: Callable[[], list[str]], explain: bool) -> Lookup:
        """Find an earlier run that has made what this one would. Raises UsageError where there is no store.

        The input is read only if a run had the same settings, or for a whole explanation.
        """
        from beam_taxi.metadata.cache import look_up

        if self._store is None:
            raise UsageError("--cache and --explain_cache need a --metadata_store")

        def with_hashes() -> Mapping[str, Any]:
            pairs = zip(self._planned["inputs"], content_hashes(), strict=True)
            return {**self._planned, "inputs": [{**one, "content_hash": found} for one, found in pairs]}

        return look_up(self._planned, self._store, with_hashes, explain)

    def cached(self, earlier: Mapping[str, Any]) -> Mapping[str, int]:
        """Record the run as CACHED, with the artifacts of an earlier run. Raises BeamTaxiError."""
        from beam_taxi.metadata import recorder

        assert self._store is not None
        own = ("run_id", "pipeline_name", "settings", "settings_sha256")
        return recorder.record_cached({**earlier, **{key: self._planned[key] for key in own}}, earlier, self._store)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Record what ends the block: FAILED with the error's text, or CANCELED for an interrupt.

        A job that runs elsewhere outlives an interrupt of its launcher.
        """
        try:
            yield
        except StillRunning:
            raise
        except JobCancelled as error:
            self._end("CANCELED", str(error))
            raise
        except BeamTaxiError as error:
            self._end("FAILED", str(error))
            raise
        except KeyboardInterrupt:
            if self._in_process:
                self._end("CANCELED", "interrupted")
            raise

    def _end(self, state: str, error: str) -> None:
        if self._store is None or not self._is_started:
            return
        from beam_taxi.metadata import recorder

        try:
            recorder.fail(self._planned["run_id"], self._store, error, state)
        except BeamTaxiError as fault:
            later = f"python -m beam_taxi.runs reap --metadata_store '{self._store.uri}'"
            _warn(f"the end is not recorded: {fault}; record it later: {later}")

    def complete(self, manifest: Mapping[str, Any], on_worker: bool = False) -> Mapping[str, int]:
        """Record the run as COMPLETE and return its ids. Raises BeamTaxiError with the command that does it later.

        Where a worker has recorded it the ids are those of that record, and a store that is away is no error.
        """
        if self._store is None:
            return {}
        from beam_taxi.metadata import recorder

        try:
            return recorder.record(manifest, self._store)
        except BeamTaxiError as error:
            if on_worker:
                _warn(f"what the worker has recorded cannot be read here: {error}")
                return {}
            place = f"{manifest['run_uri']}/{layout.MANIFEST}"
            later = f"python -m beam_taxi.record --manifest {place} --metadata_store '{self._store.uri}'"
            raise BeamTaxiError(f"the run is whole, but not recorded: {error}; record it later: {later}") from None


def _warn(text: str) -> None:
    print(f"beam_taxi: warning: {text}", file=sys.stderr)
