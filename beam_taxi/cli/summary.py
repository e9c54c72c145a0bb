"""What the run verb prints: checks, the plan, the look-up in the cache, the end of a run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from beam_taxi import storage
from beam_taxi.cli import streams
from beam_taxi.cli.terminal import print_warning
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.options import Launch
from beam_taxi.launch.preflight import QUERY
from beam_taxi.run.folder import MANIFEST, REPORT, VALIDATION, RunFolder
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.validation import OUTCOMES, PASSED, Result, Validation

if TYPE_CHECKING:
    from beam_taxi.launch.runners.base import Check
    from beam_taxi.metadata.cache import Lookup
    from beam_taxi.sources.plan import TablePlan

_FILES_SHOWN = _RESULTS_SHOWN = 20
_REASONS = {
    "fields": "wrong field count",
    "json": "not a JSON object",
    "encoding": "bad encoding",
    "anomaly": "violating the schema",
    "check": "violating a check",
    "split": "without a split",
}


def print_checks(checks: Iterable[Check]) -> int:
    """Print one line for each check; return how many failed."""
    faults = 0
    for check in checks:
        faults += bool(check.fault)
        kind = "fault" if check.fault else "note" if check.note else "ok"
        text = check.fault or check.note
        print(f"{kind:<6} {check.name}" + (f": {text}" if text else ""))
    return faults


def print_lookup(found: Lookup) -> None:
    """Print whether the cache has the run, or why not."""
    if found.earlier is not None:
        print(f"cache      hit: run {found.earlier.run_id}")
    for reason in found.reasons:
        print(f"cache      missed: {reason}")


def print_left(launch: Launch, job: LaunchedJob | None) -> None:
    """Print where the manifest of a job that is still running will be, and how it is recorded."""
    manifest = f"{launch.settings.run_uri}/{MANIFEST}"
    if launch.options.is_json:
        print(json.dumps({"state": "RUNNING", "job": None if job is None else asdict(job), "manifest_uri": manifest}))
        return
    print(f"The job is still running; its manifest will be {manifest}")
    if launch.store is not None and launch.options.records_on_worker:
        print(f"A worker records it in {launch.store.uri}")
    elif launch.store is not None:
        print(f"Record it then: python -m beam_taxi record --manifest {manifest} --metadata_store '{launch.store.uri}'")


def print_plan(launch: Launch, plan: TablePlan, described: Iterable[tuple[str, str]]) -> None:
    """Print what a run would read and write."""
    settings, inputs = launch.settings, [source.info for source in plan.sources]
    for info in inputs[:_FILES_SHOWN]:
        print(f"input      {info.uri}  {info.size:,} bytes{'' if info.is_splittable else ', read by one worker'}")
    if len(inputs) > _FILES_SHOWN:
        print(f"input      … and {len(inputs) - _FILES_SHOWN:,} more")
    print(f"total      {len(inputs)} file(s), {plan.size:,} bytes, {len(plan.columns)} columns")
    print(f"reads      {plan.bytes_read:,} bytes, {plan.bytes_read / plan.size:.1f} for each byte of the input")
    print(f"output     {settings.run_uri}")
    splits = ", ".join(map(str, settings.splits))
    print(f"shards     {f'{plan.n_units} for each split: ' if settings.examples else 'none, splits: '}{splits}")
    print(f"split      {settings.describe_splitting()}")
    for name, value in described:
        print(f"{name:<10} {value}")
    print(f"record     {launch.store_uri}")


def print_query_plan(launch: Launch, checks: Iterable[Check]) -> None:
    """Print what a run with a query would read and write; the rest is known only after the query has run."""
    for pattern in launch.settings.input:
        print(f"input      {pattern}")
    for check in checks:
        if check.name == QUERY:
            print(f"query      {check.note}")
    print(f"output     {launch.settings.run_uri}")
    print(f"record     {launch.store_uri}")


def print_end(
    launch: Launch,
    manifest: RunManifest,
    ids: Mapping[str, int],
    seconds: Mapping[str, float],
    cached: str | None = None,
) -> None:
    """Print what a run has produced, or, for a `cached` run id, which run's artifacts it reuses."""
    try:
        for line in _lines_of_end(launch, manifest, ids, seconds, cached):
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # The run is complete all the same.
        streams.discard(sys.stdout)
        place = f"{manifest.run_uri}/{MANIFEST}"
        print_warning(f"{error.filename or 'standard output'}: {error.strerror}; the run is complete: {place}")


def _lines_of_end(
    launch: Launch, manifest: RunManifest, ids: Mapping[str, int], seconds: Mapping[str, float], cached: str | None
) -> Iterator[str]:
    if launch.options.is_json:
        result = {"manifest": manifest.to_json(), "ml_metadata_ids": ids, "seconds": seconds}
        yield json.dumps(result | ({"cached_run_id": cached} if cached else {}))
        return
    yield from _lines(manifest, ids, cached)
    if manifest.validation_file is not None:
        validation = RunFolder(manifest.run_uri).read_validation()
        yield from _lines_of_validation(validation, launch.sources)
        yield from _lines_for_github(validation, manifest, launch.sources)
    unrecorded = "not known" if launch.options.records_on_worker else "none"
    yield f"record     {launch.store_uri if ids or launch.store is None else f'{unrecorded}: see the warning'}"
    for warning in manifest.warnings:
        yield f"warning    {warning}"
    yield "seconds    " + ", ".join(f"{part} {time:.1f}" for part, time in seconds.items())


def _lines_for_github(validation: Validation, manifest: RunManifest, sources: Mapping[str, str]) -> Iterator[str]:
    """On GitHub Actions, yield annotations, and append to the summary of the step."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from beam_taxi.report import github

    yield from github.commands(validation, sources)
    if "GITHUB_STEP_SUMMARY" in os.environ:
        with open(os.environ["GITHUB_STEP_SUMMARY"], "a", encoding="utf-8") as file:
            file.write(github.summary(validation, f"{manifest.run_uri}/{REPORT}"))


def _lines_of_validation(validation: Validation, sources: Mapping[str, str]) -> Iterator[str]:
    """Yield the verdict, and the results that did not pass, worst first."""
    summary = validation.summary
    counts = ", ".join(f"{summary.outcomes[one]:,} {one}" for one in OUTCOMES if one in summary.outcomes)
    accepted = "" if summary.accepted else f"; not accepted: --fail_on {','.join(summary.fail_on)}"
    yield f"verdict    {summary.verdict}" + (f" ({counts})" if counts else "") + accepted
    left = sorted((one for one in validation.results if one.outcome != PASSED), key=lambda r: OUTCOMES.index(r.outcome))
    for one in left[:_RESULTS_SHOWN]:
        yield f"  {one.outcome}: {described(one, sources)}"
    if len(left) > _RESULTS_SHOWN:
        yield f"  … and {len(left) - _RESULTS_SHOWN:,} more in {VALIDATION}"


def described(result: Result, sources: Mapping[str, str]) -> str:
    """Return a result in one line: its text, split and slice, the rows that cause it, and the violated constraint."""
    place = " ".join(filter(None, (result.split, result.slice)))
    rows = "" if result.offenders is None else f"; {result.offenders.text()}"
    line = "" if result.line is None else f"; {sources.get(result.source, result.source)}:{result.line}"
    return f"{f'[{place}] ' if place else ''}{result.text}{rows}{line}"


def _lines(manifest: RunManifest, ids: Mapping[str, int], cached: str | None) -> Iterator[str]:
    inputs, uri, run_id = manifest.inputs, manifest.run_uri, manifest.run_id
    yield f"run        {f'{cached} (CACHED: it reuses the artifacts of {run_id})' if cached else run_id}"
    records, blank = sum(entry.records for entry in inputs), sum(entry.blank_lines for entry in inputs)
    yield f"rows read  {records:,} from {len(inputs)} file(s), {blank:,} blank lines"
    yield "splits     " + ", ".join(f"{split.name} {split.rows or 0:,}" for split in manifest.splits)
    yield f"split      {manifest.settings.describe_splitting()}"
    if manifest.leakage is not None and not manifest.leakage.shared:
        yield f"leakage    {manifest.leakage.text}"
    rejects = manifest.count_rejects()
    reasons = ", ".join(f"{count:,} {_REASONS.get(code, code)}" for code, count in rejects.most_common())
    yield f"rejects    {rejects.total():,}" + (f" ({reasons}); see rejects/" if rejects else "")
    yield f"features   {len(manifest.features)}"
    for name, artifact in manifest.artifacts.items():
        known = f"  (ML Metadata artifact {ids[name]})" if name in ids else ""
        yield f"{name:<10} {uri}/{artifact.key}  {len(artifact.files)} file(s){known}"
    if storage.exists(f"{uri}/{REPORT}"):
        yield f"report     {uri}/{REPORT}"
    yield f"manifest   {uri}/{MANIFEST}"
