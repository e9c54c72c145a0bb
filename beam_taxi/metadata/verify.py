"""Compare a recorded run with its manifest and its files."""

from __future__ import annotations

from beam_taxi.errors import UsageError
from beam_taxi.metadata.hashes import hash_of_files
from beam_taxi.metadata.manifests import verify_files
from beam_taxi.metadata.queries import PRUNED, Run, artifacts_of, get_run, is_pruned
from beam_taxi.metadata.store import Store
from beam_taxi.run.folder import read_manifest
from beam_taxi.run.manifest import RunManifest


def manifest_of(run: Run) -> RunManifest:
    """Return the manifest of a complete run. Raises UsageError if it is not complete, or its files are gone."""
    if is_pruned(run):
        raise UsageError(f"{run.run_id}: its files were removed by `runs prune` on {str(run.properties[PRUNED])[:10]}")
    if run.state not in ("COMPLETE", "CACHED"):
        raise UsageError(f"{run.run_id}: is {run.state}, so it has no artifacts")
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
