"""Compare a recorded run with its files, and end the entries of runs that have died."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata import recorder
from beam_taxi.metadata.manifests import verify_files
from beam_taxi.metadata.nodes import hash_of_files
from beam_taxi.metadata.process import Identity, is_gone
from beam_taxi.metadata.queries import Run, artifacts_of, get_run, list_runs
from beam_taxi.metadata.store import Store
from beam_taxi.run.folder import RunFolder, read_manifest
from beam_taxi.run.manifest import RunManifest


def manifest_of(run: Run) -> RunManifest:
    """Return the manifest of a complete run. Raises UsageError if it is not complete, or its manifest is gone."""
    if run.state not in ("COMPLETE", "CACHED"):
        raise UsageError(f"{run.run_id}: is {run.state}, it has no artifacts")
    return read_manifest(run.manifest)


def verify(store: Store, run_id: str) -> list[str]:
    """Return what is wrong with the artifacts of a run: store, manifest and files must agree.

    Raises UsageError if there is no such run or it is not complete, and StoreError.
    """
    run = get_run(store, run_id)
    manifest = manifest_of(run)
    recorded = artifacts_of(store, run)
    faults = []
    for key, artifact in manifest.artifacts.items():
        expected = recorded[key].properties.get("content_sha256") if key in recorded else None
        if hash_of_files(artifact.files) != expected:
            faults.append(f"{run.manifest}: {key} is not what the store has recorded")
    return faults + list(verify_files(manifest))


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


def reap(store: Store, run_ids: Collection[str] = (), end_of: EndOf = _no_end) -> list[Reaped]:
    """End the RUNNING entries whose process is gone: COMPLETE if the manifest exists after all, else CANCELED.

    A job outside its launcher has ended, or is running, as `end_of` says. A process on another host cannot be seen, so
    its run is left RUNNING, unless it is named in `run_ids`. The entry of a live process or job is never ended. Raises
    StoreError, and UsageError for an unknown id.
    """
    runs = [get_run(store, run_id) for run_id in dict.fromkeys(run_ids)] if run_ids else list_runs(store)
    return [_reap(store, run, bool(run_ids), end_of) for run in runs if run.state == "RUNNING"]


def _reap(store: Store, run: Run, named: bool, end_of: EndOf) -> Reaped:
    gone = is_gone(run.properties)
    try:
        if gone is not False and storage.exists(run.manifest):
            recorder.record(read_manifest(run.manifest), store, run.attempt)
            return Reaped(run.run_id, "COMPLETE", f"the run is complete: {run.manifest}")
        if gone is False:
            return Reaped(run.run_id, "RUNNING", f"its process {run.properties['process_pid']} is alive")
        ended = ("CANCELED", f"process {run.properties['process_pid']} is gone") if gone else end_of(run.properties)
        if ended is not None and ended[0] == "RUNNING":
            return Reaped(run.run_id, *ended)
        # A job may complete between the two looks.
        if ended is not None and storage.exists(run.manifest):
            return _reap(store, run, named, end_of)
        if ended is None and not named:
            place = run.properties.get("process_host", run.properties.get("job_page") or run.properties.get("runner"))
            reason = f"runs on {place or 'another host'}; if it does not, name the run to cancel it"
            return Reaped(run.run_id, "RUNNING", reason)
        state, reason = ended or ("CANCELED", "canceled by hand")
        recorder.fail(run.run_id, store, reason, state, run.attempt)
        return Reaped(run.run_id, state, reason + (_remove_parts(run) if ended else ""))
    except BeamTaxiError as error:
        return Reaped(run.run_id, get_run(store, run.run_id).state, str(error))


def _remove_parts(run: Run) -> str:
    """Remove what a run that has ended without a manifest left in its folder; return what remains, if anything does."""
    folder = RunFolder(run.manifest.rpartition("/")[0])
    try:
        folder.remove_claimed(str(run.properties.get("claim", "")))
    except OSError as error:
        return f"; parts of it remain in {folder.uri}: {error}"
    return ""
