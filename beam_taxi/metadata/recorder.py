"""The life cycle of a run in ML Metadata: start, then exactly one of complete, fail, cancel and cached.

The types, properties, contexts and event paths are those of TFX 1.16, on which its readers rely. In addition, the
inputs are artifacts too, and everything has a content hash.

A run that ended without a result can be started again under its id. That is another attempt, with executions and
artifacts of its own; those of earlier attempts stay as they ended. Readers show the latest attempt.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata.mlmd import MetadataStore
from beam_taxi.metadata.nodes import place_of
from beam_taxi.metadata.process import is_gone, name_of, this_process
from beam_taxi.metadata.queries import Run, find_run
from beam_taxi.metadata.store import Store, open_store, reap_command
from beam_taxi.metadata.stored_run import OtherRunError, StoredRun
from beam_taxi.metadata.types import put_types
from beam_taxi.run.manifest import RunManifest

_WITHOUT_RESULT = ("FAILED", "CANCELED")


def init(store: Store) -> None:
    """Create the schema and the types, if they do not exist. Raises StoreError."""
    with open_store(store, write=True) as connection:
        put_types(connection)


def check_startable(run_id: str, store: Store) -> None:
    """Raises UsageError as `start` does if the store has a run with this id that is RUNNING or has a result."""
    with open_store(store) as connection:
        _next_attempt(find_run(connection, run_id), store)


def start(planned: RunManifest, store: Store, runner: str, in_process: bool = True, claim: str = "") -> int:
    """Record the start of a run, in one transaction: RUNNING executions with the inputs as artifacts.

    Return the number of the attempt: 1, or one more if the run is FAILED or CANCELED. Only one of several processes
    starts an attempt. `planned` is the manifest before the run. `in_process` means that the run ends with this process.
    Raises StoreError, and UsageError if the store has a run with this id that is RUNNING or has a result, or takes the
    name of the run or of its pipeline for another.

    `claim` is the token of the launch that the folder of the run belongs to; `reap` removes the folder of no other.
    """
    with open_store(store, write=True) as connection:
        latest = find_run(connection, planned.run_id)
        run = StoredRun(connection, planned.run_id, _next_attempt(latest, store), planned)
        identity = this_process() if in_process else {}
        if not run.stage(planned, {"runner": runner, "claim": claim, **identity}, is_start=True):
            raise _overtaken(connection, planned.run_id, store)
        return run.attempt


def note_job(run_id: str, store: Store, job: Mapping[str, str], attempt: int | None = None) -> None:
    """Add the properties of a job that runs outside this process to the RUNNING executions of an attempt.

    `attempt` is what `start` returned; the default is the latest. Nothing changes if it has ended. Raises StoreError,
    and BeamTaxiError if the run was not started.
    """
    with open_store(store, write=True) as connection:
        _started(connection, run_id, attempt).add_properties(job)


def record(manifest: RunManifest, store: Store, attempt: int | None = None) -> dict[str, int]:
    """Record a run as complete, and return the ids of its executions, artifacts and pipeline_run context.

    The run need not have been started in this store. If the process is killed, the run is complete or not, never
    in between; recording it again returns the same ids.

    The manifest is the last write of a job, so it overrules an end without a result: a run that is FAILED or CANCELED
    becomes COMPLETE by another attempt, if it has the settings of the manifest. `attempt` is what `start` returned; a
    later one that is RUNNING belongs to another launch, and is not ended.

    A run with a result is the same as that of the manifest if its folder and the digest are (`RunManifest.digest`). A
    copy of the folder elsewhere has the manifest of the first, and so is the same.

    Raises StoreError, UsageError if the manifest is not that of a finished run or the store has another run of its id,
    and BeamTaxiError if the run cannot become COMPLETE.
    """
    if not manifest.artifacts:
        raise UsageError(f"run {manifest.run_id}: its manifest has no artifacts, so the run has not finished")
    with open_store(store, write=True) as connection:
        latest = find_run(connection, manifest.run_id)
        _check_same(latest, manifest)
        run = StoredRun(connection, manifest.run_id, _attempt_of_manifest(latest, manifest, attempt), manifest)
        try:
            with run.ending("COMPLETE") as first:
                if first:
                    run.stage(manifest, {})
                    run.complete(manifest)
        except OtherRunError:
            _check_same(find_run(connection, manifest.run_id), manifest)
            raise
        # Another process may have been first, with another manifest.
        _check_same(find_run(connection, manifest.run_id), manifest)
        return run.ids()


def fail(
    run_id: str,
    store: Store,
    error: str,
    state: str = "FAILED",
    attempt: int | None = None,
    step: str = "",
    claim: str = "",
) -> None:
    """Record that an attempt at a run FAILED, or was CANCELED, and why.

    `step` is the step of the graph that failed; unless it is known, the first execution is the one that failed.
    `attempt` is what `start` returned; the default is the latest, which may be that of another launch, unless `claim`
    is the token that `start` was given. Raises StoreError, and BeamTaxiError if the run was not started or has already
    ended in another state.
    """
    with open_store(store, write=True) as connection:
        run = _started(connection, run_id, attempt, claim)
        with run.ending(state) as first:
            if first:
                run.abandon(state, error, step)


def mark_pruned(run: Run, store: Store, properties: Mapping[str, str]) -> None:
    """Record that the files of a complete run are being removed: its outputs are DELETED. Raises StoreError."""
    with open_store(store, write=True) as connection:
        StoredRun(connection, run.run_id, run.attempt).delete_outputs(properties)


def record_cached(
    manifest: RunManifest, earlier: RunManifest, store: Store, attempt: int | None = None
) -> dict[str, int]:
    """Record a run as CACHED: its outputs are the artifacts of an earlier run. Returns ids as `record` does.

    The id, pipeline and settings come from `manifest`, everything else from the earlier run. `attempt` is what `start`
    returned, if the run was started. Raises StoreError, UsageError as `start` does, and BeamTaxiError.
    """
    cached = dataclasses.replace(
        earlier,
        run_id=manifest.run_id,
        pipeline_name=manifest.pipeline_name,
        settings=manifest.settings,
        given=manifest.given,
        settings_sha256=manifest.settings_sha256,
    )
    with open_store(store, write=True) as connection:
        latest, reused = (find_run(connection, run_id) for run_id in (cached.run_id, earlier.run_id))
        if reused is None:
            raise BeamTaxiError(f"run {earlier.run_id}: the store does not have it, so it cannot be reused")
        if latest is not None and latest.state == "CACHED":
            return StoredRun(connection, cached.run_id, latest.attempt).ids()
        run = StoredRun(connection, cached.run_id, attempt or _next_attempt(latest, store), cached)
        # Until its end it has no manifest, or `runs reap` would take the earlier run's for its own.
        staged = dataclasses.replace(cached, run_uri=manifest.run_uri)
        if not run.stage(staged, this_process(), with_outputs=False, is_start=attempt is None):
            raise _overtaken(connection, cached.run_id, store)
        with run.ending("CACHED"):
            run.complete(cached, "CACHED", reused)
        return run.ids()


def _started(connection: MetadataStore, run_id: str, attempt: int | None, claim: str = "") -> StoredRun:
    """Return an attempt at a run, by default the latest. Raises BeamTaxiError if it was not started, with the claim."""
    latest = find_run(connection, run_id)
    if latest is None:
        raise BeamTaxiError(f"run {run_id} was not started in this store")
    if attempt is None and claim and latest.properties.get("claim") != claim:
        raise BeamTaxiError(f"run {run_id} was not started in this store by this launch")
    return StoredRun(connection, run_id, attempt or latest.attempt)


def _next_attempt(latest: Run | None, store: Store) -> int:
    """Return the number of an attempt that can be started. Raises UsageError if the latest one stands against it."""
    if latest is None:
        return 1
    if latest.state not in _WITHOUT_RESULT:
        raise _refusal(latest, store)
    return latest.attempt + 1


def _check_same(run: Run | None, manifest: RunManifest) -> None:
    """Raise UsageError if a run that is RUNNING or has a result is not that of a manifest."""
    if run is None or run.state in _WITHOUT_RESULT:
        return
    # Older versions recorded no digest.
    stored, own = run.properties.get("digest"), manifest.digest()
    is_same_place = run.manifest == place_of(manifest)
    if is_same_place and stored in (None, own):
        return
    what = f"which is {run.state} and has the digest {stored or 'unknown'} ({run.manifest})"
    if run.state == "RUNNING":
        what = f"which is RUNNING, launched by {_launch(run)} ({run.manifest})"
    raise UsageError(
        f"run {run.run_id}: the store has another run of this id, {what}; the digest of this one is {own} "
        f"({place_of(manifest)}); run it again with another --run_id, or record it in another "
        "--metadata_store"
    )


def _attempt_of_manifest(latest: Run | None, manifest: RunManifest, attempt: int | None) -> int:
    """Return the number of the attempt that a manifest completes. Raises BeamTaxiError if it cannot complete any."""
    if latest is None:
        return 1
    if latest.state == "RUNNING" and attempt not in (None, latest.attempt):
        raise BeamTaxiError(f"run {latest.run_id} was started again by {_launch(latest)}, and is not ended from here")
    if latest.state not in _WITHOUT_RESULT:
        return latest.attempt
    if latest.properties["settings_sha256"] != manifest.settings_sha256:
        raise BeamTaxiError(
            f"run {latest.run_id} is {latest.state} in the store with settings other than the manifest's, and cannot "
            "become COMPLETE; run it again with another --run_id, or record it in another --metadata_store"
        )
    return latest.attempt + 1


def _overtaken(connection: MetadataStore, run_id: str, store: Store) -> UsageError:
    """Return the error of a start that another process has overtaken."""
    run = find_run(connection, run_id)
    assert run is not None
    return _refusal(run, store)


def _refusal(run: Run, store: Store) -> UsageError:
    """Return the error of a start whose id a run has already."""
    taken = f"--run_id {run.run_id}: the store has a run of this id, which is {run.state}"
    if run.state != "RUNNING":
        return UsageError(f"{taken}; choose another")
    end, by_force = (f"end its record with: {reap_command(store, run.run_id, force)}" for force in (False, True))
    advice = {
        True: f"that process is dead: {end}",
        False: "wait for it, or choose another --run_id",
        None: f"choose another --run_id, or if that launch is dead, {by_force}",
    }
    return UsageError(f"{taken}, launched by {_launch(run)}; {advice[is_gone(run.properties)]}")


def _launch(run: Run) -> str:
    """Return what is known of the launch of a run: process, host, job and start."""
    known = run.properties
    words = []
    if "process_pid" in known:
        words.append(name_of(known))
    elif "job_id" in known:
        words.append(f"another process as job {known['job_id']} {known.get('job_page', '')}".rstrip())
    elif "runner" in known:
        words.append(f"another process with {known['runner']}")
    return " ".join([*(words or ["another process"]), f"at {run.started[:19]} UTC"])
