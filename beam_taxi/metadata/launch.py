"""The record of a launch: a run never fails, and is never lost, because its store is away."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from beam_taxi import layout
from beam_taxi.errors import BeamTaxiError
from beam_taxi.metadata.address import StoreAddress, StoreError


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

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Record what ends the block: FAILED with the error's text, or CANCELED for an interrupt.

        A job that runs elsewhere outlives an interrupt of its launcher.
        """
        try:
            yield
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

    def complete(self, manifest: Mapping[str, Any]) -> Mapping[str, int]:
        """Record the run as COMPLETE and return its ids. Raises BeamTaxiError with the command that does it later."""
        if self._store is None:
            return {}
        from beam_taxi.metadata import recorder

        try:
            return recorder.record(manifest, self._store)
        except BeamTaxiError as error:
            place = f"{manifest['run_uri']}/{layout.MANIFEST}"
            later = f"python -m beam_taxi.record --manifest {place} --metadata_store '{self._store.uri}'"
            raise BeamTaxiError(f"the run is whole, but not recorded: {error}; record it later: {later}") from None


def _warn(text: str) -> None:
    print(f"beam_taxi: warning: {text}", file=sys.stderr)
