"""What main tells: the plan, the end of a run, an error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from beam_taxi import layout
from beam_taxi.settings import Settings

if TYPE_CHECKING:
    from beam_taxi.launch.runners.base import Check
    from beam_taxi.sources.plan import InputPlan

_FILES_SHOWN = 20


def print_error(message: str, exit_status: int, as_json: bool) -> None:
    """Print an error in one line on stderr."""
    told = {"error": message, "exit_status": exit_status}
    print(json.dumps(told) if as_json else f"beam_taxi: error: {message}", file=sys.stderr)


def print_checks(checks: Iterable[Check]) -> int:
    """Print one line for each check; returns how many have a fault."""
    faults = 0
    for check in checks:
        faults += bool(check.fault)
        kind = "fault" if check.fault else "note" if check.note else "ok"
        text = check.fault or check.note
        print(f"{kind:<6} {check.name}" + (f": {text}" if text else ""))
    return faults


def print_notes(checks: Iterable[Check]) -> None:
    """Print on stderr what does not stand against a launch."""
    for note in (check.note for check in checks if check.note):
        print(f"beam_taxi: note: {note}", file=sys.stderr)


def print_left(run_uri: str, store: str, recorded_on_worker: bool) -> None:
    """Print where the manifest of a job that runs on will be, and how it is recorded."""
    manifest = f"{run_uri}/{layout.MANIFEST}"
    print(f"The job is not done here; its manifest will be {manifest}")
    if store != "none" and recorded_on_worker:
        print(f"A worker records it in {store}")
    elif store != "none":
        print(f"Record it then: python -m beam_taxi.record --manifest {manifest} --metadata_store '{store}'")


def print_plan(settings: Settings, plan: InputPlan, described: Iterable[tuple[str, str]], store: str) -> None:
    """Print what a run would do."""
    for file in plan.files[:_FILES_SHOWN]:
        print(f"input      {file.uri}  {file.size:,} bytes{', read by one worker' if file.is_one_block else ''}")
    if len(plan.files) > _FILES_SHOWN:
        print(f"input      … and {len(plan.files) - _FILES_SHOWN:,} more")
    print(f"total      {len(plan.files)} file(s), {plan.size:,} bytes, {len(plan.columns)} columns")
    print(f"output     {settings.run_uri}")
    splits = ", ".join(f"{split.name}:{split.weight}" for split in settings.splits)
    print(f"shards     {f'{plan.n_units} for each split: ' if settings.examples else 'none, splits: '}{splits}")
    for name, value in described:
        print(f"{name:<10} {value}")
    print(f"record     {store}")


def print_end(
    manifest: Mapping[str, Any],
    ids: Mapping[str, int],
    store: str,
    seconds: Mapping[str, float],
    log_format: str,
    cached: str | None = None,
) -> None:
    """Print what a run has made, or, for a `cached` run id, which run's artifacts it has instead."""
    if log_format == "json":
        told = {"manifest": manifest, "ml_metadata_ids": ids, "seconds": seconds}
        print(json.dumps(told | ({"cached_run_id": cached} if cached else {})))
        return
    for line in _lines(manifest, ids, cached):
        print(line)
    print(f"record     {store}")
    for warning in manifest["warnings"]:
        print(f"warning    {warning}")
    print("seconds    " + ", ".join(f"{part} {time:.1f}" for part, time in seconds.items()))


def _lines(manifest: Mapping[str, Any], ids: Mapping[str, int], cached: str | None) -> Iterator[str]:
    inputs, uri = manifest["inputs"], manifest["run_uri"]
    run_id = manifest["run_id"]
    yield f"run        {f'{cached} (CACHED: it has the artifacts of {run_id})' if cached else run_id}"
    read, blank = (sum(one[count] for one in inputs) for count in ("rows", "blank_lines"))
    rejects = layout.count_rejects(manifest)
    yield f"rows read  {read + rejects.total():,} from {len(inputs)} file(s), {blank:,} blank lines"
    yield "splits     " + ", ".join(f"{split['name']} {split['rows']:,}" for split in manifest["splits"])
    by_code = ", ".join(f"{code} {count:,}" for code, count in rejects.items())
    yield f"rejects    dead-letter: {rejects.total()}" + (f" ({by_code})" if rejects else "")
    yield f"features   {len(manifest['features'])}"
    for name, artifact in manifest["artifacts"].items():
        known = f"  (ML Metadata artifact {ids[name]})" if name in ids else ""
        yield f"{name:<10} {uri}/{artifact['path']}  {len(artifact['files'])} file(s){known}"
    yield f"report     {uri}/{layout.REPORT}"
    yield f"manifest   {uri}/{layout.MANIFEST}"
