"""Whether an earlier run has made what this one would make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from beam_taxi import layout
from beam_taxi.errors import UsageError
from beam_taxi.metadata.address import StoreAddress, StoreError
from beam_taxi.metadata.manifests import differences, what_decides
from beam_taxi.metadata.queries import Run, list_runs
from beam_taxi.metadata.verify import verify


@dataclass(frozen=True)
class Lookup:
    """The manifest of an earlier run whose files are all as recorded, or None and what stood against each candidate."""

    earlier: Mapping[str, Any] | None
    reasons: tuple[str, ...]


def look_up(
    planned: Mapping[str, Any],
    store: StoreAddress,
    with_hashes: Callable[[], Mapping[str, Any]],
    explain: bool = False,
) -> Lookup:
    """Find the newest COMPLETE run of the pipeline with the same settings, versions and content of the inputs.

    `planned` is the manifest before the run; `with_hashes` returns it with the content hashes, which takes a pass over
    the input: without a candidate it is called for an explanation alone. A store that is away is a miss.
    """
    try:
        runs = list_runs(store)
    except StoreError as error:
        return Lookup(None, (str(error),))
    earlier = [run for run in reversed(runs) if run.pipeline == planned["pipeline_name"] and run.state == "COMPLETE"]
    if not earlier:
        return Lookup(None, (f"the store has no complete run of pipeline {planned['pipeline_name']}",))
    candidates = [run for run in earlier if run.properties["settings_sha256"] == planned["settings_sha256"]]
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


def _compare(run: Run, planned: Mapping[str, Any], store: StoreAddress) -> tuple[Mapping[str, Any] | None, list[str]]:
    try:
        manifest = layout.read_manifest(run.manifest)
        decided = what_decides(manifest)
    except (UsageError, KeyError, TypeError) as error:
        return None, [f"run {run.run_id}: its manifest cannot be used: {error}"]
    found = differences(decided, what_decides(planned))
    if found:
        return None, [f"{field}: {_short(old)} in run {run.run_id}, {_short(new)} now" for field, old, new in found]
    faults = verify(store, run.run_id)
    return (None, faults) if faults else (manifest, [])


def _short(value: str) -> str:
    return value if len(value) <= 80 else value[:77] + "..."
