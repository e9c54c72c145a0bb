"""Find an earlier run that produced what this run would produce."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from beam_taxi.errors import UsageError
from beam_taxi.metadata.address import StoreAddress, StoreError
from beam_taxi.metadata.manifests import differences, what_decides
from beam_taxi.metadata.queries import Reader, Run, find_run, is_pruned, latest_complete_run, readers
from beam_taxi.metadata.store import open_store
from beam_taxi.metadata.stores.base import StoreFailure
from beam_taxi.metadata.verify import verify
from beam_taxi.run.folder import read_manifest
from beam_taxi.run.manifest import RunManifest

_LOOKED_AT = 50
"""Maximum number of runs that are looked at, the newest first."""


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

    Only the newest runs that read the first input are looked at, and then the newest that found the same content in it.

    `planned` is the manifest before the run; `with_hashes` returns it with the content hashes, which takes a pass over
    the input; without a candidate it is called only if `explain` is set. A store that fails counts as a miss.
    """
    try:
        return _look_up(planned, store, with_hashes, explain)
    except (StoreError, StoreFailure) as error:
        return Lookup(None, (str(error),))


def _look_up(
    planned: RunManifest, store: StoreAddress, with_hashes: Callable[[], RunManifest], explain: bool
) -> Lookup:
    found = readers(store, planned.inputs[0].uri)
    same_settings = _candidates(store, planned, found, limit=1)
    latest = None if same_settings or not explain else latest_complete_run(store, planned.pipeline_name)
    if not same_settings and not explain:
        return Lookup(None, (f"no complete run over {planned.inputs[0].uri} had these settings",))
    if not same_settings and latest is None:
        return Lookup(None, (f"the store has no complete run of pipeline {planned.pipeline_name}",))
    planned = with_hashes()
    same_content = [one for one in found if one.content_hash == planned.inputs[0].content_hash]
    reasons = []
    for run in _candidates(store, planned, same_content) or same_settings or filter(None, [latest]):
        manifest, faults = _compare(run, planned, store)
        if manifest is not None:
            return Lookup(manifest, ())
        reasons += faults
    return Lookup(None, tuple(reasons))


def _candidates(
    store: StoreAddress, planned: RunManifest, among: Sequence[Reader], limit: int | None = None
) -> list[Run]:
    """Return the first complete runs of the pipeline with the same settings among readers, at most `limit`."""
    with open_store(store) as connection:
        runs = (find_run(connection, one.run_id) for one in among[:_LOOKED_AT])
        return list(islice((run for run in runs if run is not None and _may_be_reused(run, planned)), limit))


def _may_be_reused(run: Run, planned: RunManifest) -> bool:
    is_complete = (run.state, run.pipeline) == ("COMPLETE", planned.pipeline_name) and not is_pruned(run)
    return is_complete and run.properties["settings_sha256"] == planned.settings_sha256


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
