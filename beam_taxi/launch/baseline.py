"""Resolve `--baseline`: the run to compare with, and the earlier runs from which limits are learned."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.launch.console import Console
from beam_taxi.launch.options import Launch
from beam_taxi.metadata.hashes import hash_of_files
from beam_taxi.run.folder import STATISTICS, STATISTICS_FILE, RunFolder
from beam_taxi.settings import NAME, PREVIOUS, Settings

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
    found = given_baseline(launch)
    if found is None:
        return launch
    runs = _accepted(launch, console)
    if found == PREVIOUS and runs:
        found = _uri(runs[-1])
    validation = replace(launch.settings.validation, baseline=found, history=_history(runs, launch.settings))
    return replace(launch, settings=replace(launch.settings, validation=validation))


def given_baseline(launch: Launch) -> str | None:
    """Return the URI that `--baseline` names, or `previous`, or None. Raises UsageError if it cannot be used."""
    wanted = launch.settings.validation.baseline
    if wanted == PREVIOUS and launch.store is None:
        raise UsageError(f"--baseline {PREVIOUS} requires --metadata_store")
    return wanted if wanted in (None, PREVIOUS) else _resolve(wanted, launch)


def _history(runs: Sequence[Run], settings: Settings) -> tuple[str, ...]:
    """Return the URIs of the latest runs on the same day of the week, if there are enough, else of all days.

    Only runs that the workers, which write to the folder of this run, can read are used.
    """
    from beam_taxi.metadata.queries import day_of

    runs = [run for run in runs if storage.is_remote(run.manifest) or not storage.is_remote(settings.run_uri)]
    day = settings.dates.days[-1] if settings.dates.days else datetime.now(timezone.utc)
    same = [run for run in runs if date.fromisoformat(day_of(run)).weekday() == day.weekday()]
    return tuple(map(_uri, (same if len(same) >= _FEWEST else runs)[-_HISTORY:]))


def _uri(run: Run) -> str:
    return run.manifest.rpartition("/")[0]


def _accepted(launch: Launch, console: Console) -> list[Run]:
    """Return the accepted runs of the pipeline, oldest first: for a run with a date, those of the days before.

    A day that is late, or is run again, is not compared with what came after it, or with itself.
    """
    if launch.store is None:
        return []
    from beam_taxi.metadata.queries import accepted_runs, accepted_runs_before

    pipeline, dates = launch.settings.pipeline_name, launch.settings.dates
    try:
        if dates.date is not None:
            return accepted_runs_before(launch.store, pipeline, dates.date, dates.window)
        return accepted_runs(launch.store, pipeline)
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
