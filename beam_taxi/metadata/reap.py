"""End the records of runs that have died, and remove what they left in their folders."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata import recorder
from beam_taxi.metadata.process import Identity, host_of, is_gone
from beam_taxi.metadata.queries import Run, get_run, list_runs
from beam_taxi.metadata.store import Store, reap_command
from beam_taxi.run.folder import RunFolder, read_manifest
from beam_taxi.run.manifest import RunManifest


@dataclass(frozen=True)
class Reaped:
    """A run that was RUNNING: its current state, and the reason."""

    run_id: str
    state: str
    reason: str


EndOf = Callable[[Identity], tuple[str, str] | None]
"""Returns the state of the job that the properties of a run name, RUNNING, FAILED or CANCELED, and the reason; None if
there is no job outside its launcher, or if it cannot be asked for."""


def _no_end(properties: Identity) -> None:
    return None


def is_stale(run: Run) -> bool:
    """Return whether a run is RUNNING although its process is certainly gone."""
    return run.state == "RUNNING" and is_gone(run.properties) is True


def reap(store: Store, run_ids: Collection[str] = (), end_of: EndOf = _no_end, force: bool = False) -> list[Reaped]:
    """End the RUNNING runs, all or those named, whose process is gone, and remove what they left in their folders.

    They become COMPLETE if the manifest exists after all, else CANCELED. A job outside its launcher has ended, or is
    running, as `end_of` says. A run of which that cannot be told from here, such as one in another container or on
    another host, is left RUNNING, unless the user knows better: with `force`, the named runs are ended too. A run whose
    process or job is known to be alive is never ended. Raises StoreError, and UsageError for an unknown id.
    """
    if force and not run_ids:
        raise UsageError("--force ends only the runs that are named; name them")
    runs = [get_run(store, run_id) for run_id in dict.fromkeys(run_ids)] if run_ids else list_runs(store)
    return [_reap(store, run, end_of, force) for run in runs if run.state == "RUNNING"]


def _reap(store: Store, run: Run, end_of: EndOf, force: bool) -> Reaped:
    gone = is_gone(run.properties)
    try:
        if gone is False:
            return Reaped(run.run_id, "RUNNING", f"its process {run.properties['process_pid']} is alive")
        if (manifest := _manifest_if_whole(run)) is not None:
            recorder.record(manifest, store, run.attempt)
            return Reaped(run.run_id, "COMPLETE", f"the run is complete: {run.manifest}")
        ended = ("CANCELED", f"process {run.properties['process_pid']} is gone") if gone else end_of(run.properties)
        if ended is not None and ended[0] == "RUNNING":
            return Reaped(run.run_id, *ended)
        # A job may complete between the two looks.
        if ended is not None and _manifest_if_whole(run) is not None:
            return _reap(store, run, end_of, force)
        if ended is None and not force:
            end = reap_command(store, run.run_id, force=True)
            return Reaped(run.run_id, "RUNNING", f"may be running on {_place(run)}; if it is not, end it with: {end}")
        state, reason = ended or ("CANCELED", "canceled by hand")
        # First, so that a reaper that is killed leaves the rest to the next one.
        rest = _remove_parts(run, gone)
        recorder.fail(run.run_id, store, reason, state, run.attempt)
        return Reaped(run.run_id, state, reason + rest)
    except BeamTaxiError as error:
        return Reaped(run.run_id, get_run(store, run.run_id).state, str(error))


def _place(run: Run) -> str:
    """Return where a run may be running, as far as that is known."""
    known, host = run.properties, host_of(run.properties)
    named = f"{host} or in another container" if host else known.get("job_page") or known.get("runner")
    return str(named or "another host")


def _manifest_if_whole(run: Run) -> RunManifest | None:
    """Return the manifest of a run that is complete, None if there is none, or only that of another run."""
    if not storage.exists(run.manifest):
        return None
    found = read_manifest(run.manifest)
    is_its = (found.run_id, found.settings_sha256) == (run.run_id, run.properties["settings_sha256"])
    return found if is_its else None


def _remove_parts(run: Run, gone: bool | None) -> str:
    """Remove what a run left in its folder if the folder has the claim of the run; return what is left to the user."""
    folder, claim = RunFolder(run.manifest.rpartition("/")[0]), str(run.properties.get("claim", ""))
    try:
        if storage.exists(folder.uri):
            if claim:
                folder.remove_claimed(claim)
            return f"; {folder.uri} does not have its claim, and remains" if storage.exists(folder.uri) else ""
    except OSError as error:
        return f"; parts of it remain in {folder.uri}: {error}"
    is_elsewhere = gone is None and "process_host" in run.properties and not storage.is_remote(folder.uri)
    return f"; its files, if any, remain there in {folder.uri}" if is_elsewhere else ""
