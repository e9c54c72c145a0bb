"""The claim of a run id: the folder of the run belongs to one launch, whose process it names."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.launch import interrupts
from beam_taxi.launch.console import Console
from beam_taxi.launch.folders import nearest_folder
from beam_taxi.launch.options import Launch
from beam_taxi.launch.outcome import Cancelled, Failed, Outcome
from beam_taxi.launch.record import RunRecord
from beam_taxi.launch.traces import as_fault
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.metadata.process import is_gone, name_of, this_process
from beam_taxi.metadata.store import reap_command
from beam_taxi.run.folder import Holder, RunFolder, new_token


class Claim:
    """The folder of a run, from the moment at which this launch claims it.

    `in_process` means that the run ends with this process.
    """

    def __init__(self, launch: Launch, in_process: bool) -> None:
        self.folder = RunFolder(launch.settings.run_uri)
        self.token = ""
        """The token of the claim, empty until the folder is claimed."""
        self._store = launch.store
        self._in_process = in_process
        self._existing = ""

    def take(self) -> None:
        """Claim the folder. Raises UsageError, which names the launch that has it, if it exists."""
        check_free(self.folder, self._store)
        if not storage.is_remote(self.folder.uri):
            self._existing = nearest_folder(self.folder.uri)
        token = new_token()
        try:
            self.folder.claim({"in_process": int(self._in_process), **this_process()}, token)
            self.token = token
        except UsageError as error:
            raise UsageError(_refusal(self.folder, self._store)) from error
        except KeyboardInterrupt:
            # It may have come just after the folder was created.
            self.token = token
            raise

    def release(self, console: Console) -> None:
        """Remove the folder of a run whose job has ended without a manifest, or never was."""
        if not self.token:
            return
        try:
            self.folder.remove_claimed(self.token)
        except OSError as error:
            console.warn(f"{self.folder.uri}: parts of the run remain: {error}")
        self._remove_parents()

    @contextmanager
    def until_job(self, record: RunRecord, console: Console) -> Iterator[None]:
        """If the block raises, before there is a job, record the end and leave nothing behind."""
        try:
            yield
        except BaseException as error:
            interrupts.hold()
            record.end(_end_before_job(error), on_worker=False)
            self.release(console)
            raise

    def _remove_parents(self) -> None:
        """Remove the folders above that of the run which its claim created, if they are empty."""
        path = os.path.dirname(self.folder.uri)
        with suppress(OSError):
            while self.token and len(path) > len(self._existing) > 0:
                os.rmdir(path)
                path = os.path.dirname(path)


def _end_before_job(error: BaseException) -> Outcome:
    if isinstance(error, Exception):
        return Failed(as_fault(error))
    return Cancelled(str(error) or "interrupted")


def check_free(folder: RunFolder, store: StoreAddress | None) -> None:
    """Raises UsageError, which says what is there, if the folder of a run exists."""
    if storage.exists(folder.uri):
        raise UsageError(_refusal(folder, store))


def _refusal(folder: RunFolder, store: StoreAddress | None) -> str:
    """Return why the folder of a run cannot be claimed, and what to do."""
    run_id = folder.uri.rpartition("/")[2]
    taken = f"--run_id {run_id}: {folder.uri}"
    holder = folder.holder()
    if folder.is_whole():
        return f"{taken} has a complete run; choose another --run_id"
    if not holder:
        return f"{taken} exists; choose another --run_id"
    who = _named(holder)
    gone, in_process = is_gone(holder), bool(holder.get("in_process"))
    if gone and in_process:
        return f"{taken} was left by {who}, which is dead; {_cleaning(folder, run_id, store, force=False)}"
    if gone is False:
        return f"{taken} belongs to {who}, which is running; wait for it, or choose another --run_id"
    dead = "it is dead" if in_process else "it and its job are dead"
    cleaning = _cleaning(folder, run_id, store, force=True)
    return f"{taken} belongs to {who}; choose another --run_id, or if {dead}, {cleaning}"


def _named(holder: Holder) -> str:
    """Return the launch that has a claim; those of older releases say nothing of themselves."""
    if "process_time" not in holder:
        return "another launch"
    claimed = datetime.fromtimestamp(int(holder["process_time"]), timezone.utc)
    return f"{name_of(holder)}, launched at {claimed.isoformat().removesuffix('+00:00')} UTC"


def _cleaning(folder: RunFolder, run_id: str, store: StoreAddress | None, force: bool) -> str:
    """Return how to free an id that a dead launch has; if it has a record, that ends together with the folder."""
    if store is not None and _is_recorded(run_id, store):
        return f"end it with: {reap_command(store, run_id, force)}"
    command = "gcloud storage rm -r" if folder.uri.startswith("gs://") else "rm -r"
    remove = folder.uri if storage.is_remote(folder.uri) and command == "rm -r" else ""
    return f"remove {remove} first" if remove else f"remove it with: {command} {shlex.quote(folder.uri)}"


def _is_recorded(run_id: str, store: StoreAddress) -> bool:
    """Return whether a store says that a run is RUNNING; an unreachable one says nothing."""
    from beam_taxi.metadata.queries import get_run

    try:
        return get_run(store, run_id).state == "RUNNING"
    except BeamTaxiError:
        return False
