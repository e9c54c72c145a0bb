"""Remove the files of old runs: what may go, and in which order record and files change.

The outputs of a run become DELETED in the record before the first of its files is removed, so a LIVE artifact always
has its files. A removal that was interrupted is finished by the next one: the record has begun it, but not ended it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone

from beam_taxi.errors import BeamTaxiError
from beam_taxi.metadata import recorder
from beam_taxi.metadata.queries import PRUNED, Run, day_of, is_accepted, is_pruned, list_runs
from beam_taxi.metadata.store import Store, open_store
from beam_taxi.run.folder import RunFolder
from beam_taxi.run.manifest import RunManifest

_REMOVED = "files_removed"
"""The property of a run whose files are gone: when the last one went."""

_USES = {
    "baseline": "the baseline of",
    "schema_file": "the schema of",
    "cached_from": "reused by",
}
"""Properties of the executions of a run that name another run, by its id or by something in its folder."""

_HISTORY = "history"
"""The property with the URIs of the runs from which limits are learned; they are read while the run is RUNNING."""

_LOOKED_AT_ONCE = 16


@dataclass(frozen=True)
class Candidate:
    """A run that a rule would remove; `kept` says why it stays nevertheless, and is empty if it goes.

    `bytes` is the size of the `files` that the run wrote and that still exist. `others` were put into its folder by
    somebody else, and stay.
    """

    run: Run
    kept: str = ""
    manifest: RunManifest | None = None
    files: int = 0
    bytes: int = 0
    others: int = 0


@dataclass(frozen=True)
class Rule:
    """Which complete runs stay: the `keep` latest days of each pipeline, or those that started at `since` or later.

    The day of a run is its date, or that on which it started; several runs of a day count by themselves.
    """

    keep: int | None = None
    since: datetime | None = None
    pipeline: str | None = None

    def leaves(self, runs: Sequence[Run]) -> Iterator[Run]:
        """Yield the runs of one pipeline, which are given in the order of their days, that stay."""
        if self.pipeline not in (None, runs[0].pipeline):
            yield from runs
        elif self.keep is not None:
            yield from runs[max(0, len(runs) - self.keep) :]
        else:
            yield from (run for run in runs if self.since is None or datetime.fromisoformat(run.started) >= self.since)


def candidates(store: Store, rule: Rule) -> list[Candidate]:
    """Return the runs that a rule would remove, oldest first. Raises StoreError.

    The last accepted run of each pipeline and window is kept, and so is a run that one of the remaining runs, or one
    that is RUNNING, names as its baseline, takes its schema from or reuses, or from which a RUNNING one learns limits.
    """
    runs = list_runs(store)
    with_files = [run for run in runs if run.state in ("COMPLETE", "CACHED") and not is_pruned(run)]
    # A day may be late, or made again; the next one is compared with the last of them.
    with_files.sort(key=lambda run: (day_of(run), run.started))
    by_pipeline: dict[str, list[Run]] = {}
    for run in with_files:
        by_pipeline.setdefault(run.pipeline, []).append(run)
    # A run that is CACHED has no files of its own.
    complete = [run for run in with_files if run.state == "COMPLETE"]
    accepted = {(run.pipeline, run.properties.get("window")): run for run in complete if is_accepted(run.properties)}
    last = {run.run_id: f"the last accepted run of {run.pipeline}" for run in accepted.values()}
    staying = {run.run_id for its in by_pipeline.values() for run in rule.leaves(its)}
    users = [run for run in runs if run.run_id in staying.union(last) or run.state == "RUNNING"]
    leaving = {run.run_id for run in complete} - staying
    going = [run for run in runs if run.run_id in leaving or _is_unfinished(run, rule)]
    reasons = _in_use(store, users, complete) | last
    with ThreadPoolExecutor(_LOOKED_AT_ONCE) as pool:
        return list(pool.map(lambda run: _candidate(run, reasons.get(run.run_id, "")), going))


def _is_unfinished(run: Run, rule: Rule) -> bool:
    """Return whether the removal of a run was interrupted."""
    return is_pruned(run) and _REMOVED not in run.properties and rule.pipeline in (None, run.pipeline)


def _in_use(store: Store, users: Iterable[Run], complete: Iterable[Run]) -> dict[str, str]:
    """Return who uses a complete run, by its id."""
    folders = {_folder(run).uri: run.run_id for run in complete}
    user_of = {id_: run for run in users for id_ in run.executions.values()}
    with open_store(store) as connection:
        executions = connection.get_executions_by_id(list(user_of)) if user_of else []
    found: dict[str, str] = {}
    for execution in executions:
        user = user_of[execution.id]
        for name, what in _USES.items():
            named = str(execution.custom_properties[name].string_value) if name in execution.custom_properties else ""
            used = named if name == "cached_from" else _run_of(named, folders)
            if used and used != user.run_id:
                found.setdefault(used, f"{what} {user.run_id}")
        if user.state == "RUNNING" and _HISTORY in execution.custom_properties:
            for uri in json.loads(execution.custom_properties[_HISTORY].string_value):
                if used := _run_of(uri, folders):
                    found.setdefault(used, f"the history of {user.run_id}")
    return found


def _run_of(uri: str, folders: Mapping[str, str]) -> str:
    """Return the id of the run whose folder a URI is, or is in; empty if there is none."""
    while uri:
        if uri in folders:
            return folders[uri]
        uri = uri.rpartition("/")[0]
    return ""


def _candidate(run: Run, kept: str) -> Candidate:
    """Return a run with what is in its folder; a folder that cannot be read, or is not the run's, is kept."""
    folder = _folder(run)
    try:
        manifest = folder.manifest_to_remove()
        if manifest is None:
            return Candidate(run, kept)
        if not _is_of(manifest, run):
            return Candidate(run, f"{folder.uri} has another run")
        own, others = folder.files_of(manifest)
    except (BeamTaxiError, OSError) as error:
        return Candidate(run, kept or str(error))
    return Candidate(run, kept, manifest, len(own), sum(file.size for file in own), len(others))


def _is_of(manifest: RunManifest, run: Run) -> bool:
    # Older versions recorded no digest.
    digest = run.properties.get("digest")
    same_settings = manifest.settings_sha256 == run.properties["settings_sha256"]
    return manifest.run_id == run.run_id and (manifest.digest() == digest if digest else same_settings)


def prune(store: Store, candidate: Candidate) -> None:
    """Remove the files of a run, after its outputs have become DELETED. Raises StoreError, StorageError and OSError."""
    run = candidate.run
    if not is_pruned(run):
        recorder.mark_pruned(run, store, {PRUNED: _now()})
    if candidate.manifest is not None:
        _folder(run).remove(candidate.manifest)
    recorder.mark_pruned(run, store, {_REMOVED: _now()})


def _folder(run: Run) -> RunFolder:
    return RunFolder(run.manifest.rpartition("/")[0])


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
