"""Find an earlier run that produced what this run would produce."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from beam_taxi.errors import UsageError
from beam_taxi.metadata.address import StoreAddress, StoreError
from beam_taxi.metadata.manifests import differences, what_decides
from beam_taxi.metadata.queries import Run, list_runs
from beam_taxi.metadata.verify import verify
from beam_taxi.run.folder import read_manifest
from beam_taxi.run.manifest import RunManifest


@dataclass(frozen=True)
class Lookup:
    """The manifest of an earlier run whose files are all as recorded, or None and why each candidate was rejected."""

    earlier: RunManifest | None
    reasons: tuple[str, ...]


def look_up(
    planned: RunManifest,
    store: StoreAddress,
    with_hashes: Callable[[], RunManifest],
    explain: bool = False,
) -> Lookup:
    """Find the newest COMPLETE run of the pipeline with the same settings, versions and input content.

    `planned` is the manifest before the run; `with_hashes` returns it with the content hashes, which takes a pass over
    the input; without a candidate it is called only if `explain` is set. An unreachable store counts as a miss.
    """
    try:
        runs = list_runs(store)
    except StoreError as error:
        return Lookup(None, (str(error),))
    earlier = [run for run in reversed(runs) if run.pipeline == planned.pipeline_name and run.state == "COMPLETE"]
    if not earlier:
        return Lookup(None, (f"the store has no complete run of pipeline {planned.pipeline_name}",))
    candidates = [run for run in earlier if run.properties["settings_sha256"] == planned.settings_sha256]
    if not candidates and not explain:
        return Lookup(None, ("no complete run had these settings",))
    planned = with_hashes()
    reasons = []
    for run in candidates or earlier[:1]:
        manifest, faults = _compare(run, planned, store)
        if manifest is not None:
            return Lookup(manifest, ())
        reasons += faults
    return Lookup(None, tuple(reasons))


def _compare(run: Run, planned: RunManifest, store: StoreAddress) -> tuple[RunManifest | None, list[str]]:
    """Return the manifest of a run if it produced what `planned` would produce, else None and why it did not."""
    try:
        manifest = read_manifest(run.manifest)
    except UsageError as error:
        return None, [f"run {run.run_id}: its manifest cannot be used: {error}"]
    if any(entry.content_hash is None for entry in manifest.inputs):
        return None, [f"run {run.run_id}: its manifest cannot be used: an input has no content hash"]
    found = differences(what_decides(manifest), what_decides(planned))
    if found:
        return None, [f"{field}: {_shorten(old)} in run {run.run_id}, {_shorten(new)} now" for field, old, new in found]
    faults = verify(store, run.run_id)
    return (None, faults) if faults else (manifest, [])


def _shorten(value: str) -> str:
    return value if len(value) <= 80 else value[:77] + "..."
