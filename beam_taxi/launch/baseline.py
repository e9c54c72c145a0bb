"""Resolve `--baseline`: the run to compare with, and the earlier runs from which limits are learned."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.launch.console import Console
from beam_taxi.launch.options import Launch
from beam_taxi.metadata.hashes import hash_of_files
from beam_taxi.run.folder import STATISTICS, STATISTICS_FILE, RunFolder
from beam_taxi.settings import NAME, PREVIOUS

if TYPE_CHECKING:
    from beam_taxi.metadata.queries import Run

_HISTORY = 10
"""Maximum number of earlier runs from which limits are learned."""
_FEWEST = 5
"""Minimum number of earlier runs on the same day of the week for these alone to be used."""


def with_baseline(launch: Launch, console: Console) -> Launch:
    """Return the launch with the URI of its baseline and of earlier runs.

    `previous` is kept if there is no accepted run yet, or if the store cannot be reached, which is a warning.
    Raises UsageError if the baseline cannot be used.
    """
    wanted = launch.settings.validation.baseline
    if wanted is None:
        return launch
    runs = _accepted(launch, console)
    if wanted == PREVIOUS:
        if launch.store is None:
            raise UsageError(f"--baseline {PREVIOUS} requires --metadata_store")
        found = _uri(runs[-1]) if runs else PREVIOUS
    else:
        found = _resolve(wanted, launch)
    validation = replace(launch.settings.validation, baseline=found, history=_history(runs, launch.settings.run_uri))
    return replace(launch, settings=replace(launch.settings, validation=validation))


def _history(runs: Sequence[Run], run_uri: str) -> tuple[str, ...]:
    """Return the URIs of the latest runs on today's day of the week, if there are enough, else of all days.

    Only runs that the workers, which write to `run_uri`, can read are used.
    """
    runs = [run for run in runs if storage.is_remote(run.manifest) or not storage.is_remote(run_uri)]
    today = datetime.now(timezone.utc).weekday()
    same = [run for run in runs if datetime.fromisoformat(run.started).weekday() == today]
    return tuple(map(_uri, (same if len(same) >= _FEWEST else runs)[-_HISTORY:]))


def _uri(run: Run) -> str:
    return run.manifest.rpartition("/")[0]


def _accepted(launch: Launch, console: Console) -> list[Run]:
    """Return the accepted runs of the pipeline, oldest first."""
    if launch.store is None:
        return []
    from beam_taxi.metadata.queries import accepted_runs

    try:
        return accepted_runs(launch.store, launch.settings.pipeline_name)
    except BeamTaxiError as error:
        if launch.store.may_have_runs:
            console.warn(f"cannot look up earlier runs: {error}")
        return []


def digest_of_statistics(uri: str) -> str:
    """Return the SHA-256 of a baseline: of a run, that of its statistics as an artifact, else of the file or split."""
    folder = RunFolder(uri)
    if folder.is_whole():
        return hash_of_files(folder.read_manifest().artifacts[STATISTICS].files)
    file = storage.join(uri, STATISTICS_FILE)
    return storage.hash_file(file if storage.exists(file) else uri)[1].hex()


def _resolve(wanted: str, launch: Launch) -> str:
    """Return the URI of a baseline: a run, by its folder, its manifest or its id, a split, or a file of statistics."""
    uri = storage.absolute(wanted)
    if not storage.exists(uri) and not RunFolder(uri).is_whole() and NAME.fullmatch(wanted) and launch.store:
        from beam_taxi.metadata.queries import get_run

        # Without such a run, or an answer, the path is reported as not found.
        with suppress(BeamTaxiError):
            uri = _uri(get_run(launch.store, wanted))
    folder = RunFolder(uri.removesuffix("/manifest.json"))
    if not folder.is_whole():
        if not storage.exists(uri):
            raise UsageError(f"--baseline {wanted}: not found; choose a run, a split or a file of statistics")
        return uri
    summary = folder.read_manifest().validation
    if not summary.accepted:
        raise UsageError(f"--baseline {wanted}: the run was not accepted (verdict: {summary.verdict}); choose another")
    return folder.uri
