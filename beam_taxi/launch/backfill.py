"""The runs of several days: which there are, and each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from glob import escape
from typing import NoReturn

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.launch import interrupts
from beam_taxi.launch.command import new_run_id
from beam_taxi.launch.fork_server import can_fork, end_with
from beam_taxi.launch.job import import_libraries
from beam_taxi.launch.options import Launch
from beam_taxi.launch.stderr import keep_named
from beam_taxi.run.folder import MANIFEST, read_manifest
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.typed_json import from_json

COMPLETE, NOT_ACCEPTED, EXISTS, REMOVED = "complete", "not accepted", "exists", "pruned"
MISSING, REFUSED, FAILED, INTERRUPTED = "missing", "refused", "failed", "interrupted"
PLANNED, NOT_REACHED = "planned", "not reached"
"""What becomes of a day. A day that `exists` had a complete run before, whose files one that is `pruned` has lost."""

_READS = 32
"""Manifests that are read at the same time."""


@dataclass(frozen=True)
class Day:
    """What has become of a day: its state, its run if it has one, the exit status of the launch, and why."""

    date: str
    state: str
    run_id: str = ""
    exit_status: int = 0
    message: str = ""


def for_day(launch: Launch, date: str) -> Launch:
    """Return the launch of a day, as a new run."""
    settings, run_id = launch.settings, new_run_id(date)
    run_uri = storage.join(folder_of(launch), run_id)
    dates = replace(settings.dates, date=date)
    return replace(launch, settings=replace(settings, run_id=run_id, run_uri=run_uri, dates=dates))


def folder_of(launch: Launch) -> str:
    """Return the folder in which the runs are."""
    return launch.settings.run_uri.rpartition("/")[0] or "/"


def existing_days(launch: Launch, warn: Callable[[str], None]) -> dict[str, Day]:
    """Return the days for which the output has a complete run of the pipeline with the same window, by date.

    The manifests say so. Those that cannot be read are warned of and do not count. Of runs that were pruned, the store
    knows, if there is one.
    """
    wanted = (launch.settings.pipeline_name, launch.settings.dates.window)

    def look(uri: str) -> RunManifest | str:
        try:
            return read_manifest(uri)
        except UsageError as error:
            return str(error)

    files = storage.match(storage.join(escape(folder_of(launch)), f"*/{MANIFEST}"))
    with ThreadPoolExecutor(_READS) as pool:
        found = list(pool.map(look, (file.uri for file in files)))
    for fault in (one for one in found if isinstance(one, str)):
        warn(f"{fault}; it does not count as a run")
    manifests = [one for one in found if isinstance(one, RunManifest)]
    dated = [one for one in manifests if (one.pipeline_name, one.settings.dates.window) == wanted]
    return _pruned_days(launch, warn) | {
        one.settings.dates.date: Day(
            one.settings.dates.date, EXISTS, one.run_id, message="" if one.validation.accepted else NOT_ACCEPTED
        )
        for one in sorted(dated, key=lambda one: one.started)
        if one.settings.dates.date is not None
    }


def _pruned_days(launch: Launch, warn: Callable[[str], None]) -> dict[str, Day]:
    """Return the days whose runs `runs prune` has removed from the output; who prunes does not want them again."""
    if launch.store is None:
        return {}
    from beam_taxi.metadata.queries import date_of, pruned_runs

    try:
        runs = pruned_runs(launch.store, launch.settings.pipeline_name, launch.settings.dates.window)
    except BeamTaxiError as error:
        if launch.store.may_have_runs:
            warn(f"cannot look up pruned runs, so their days are made again: {error}")
        return {}
    inside = [run for run in runs if run.manifest == storage.join(folder_of(launch), run.run_id, MANIFEST)]
    dates = {date_of(run.properties): run.run_id for run in inside}
    return {date: Day(date, REMOVED, run_id) for date, run_id in dates.items()}


def run_day(launch: Launch, work: Callable[[Launch], Day]) -> Day:
    """Run a day in a child of this process, if it can be forked safely, else in this process.

    A child shares the libraries that were imported once. It does not inherit what a run leaves behind: threads, without
    which the next run can fork workers, and memory. A signal ends the run, and is not raised here; see
    `interrupts.is_wanted`.
    """
    import_libraries()
    if not can_fork():
        with interrupts.raised():
            return work(launch)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    reader, writer = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, interrupts.SIGNALS)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _report(writer, parent, before, lambda: work(launch))
    os.close(writer)
    with interrupts.passed_to(partial(_signal, pid)), open(reader, "rb") as pipe:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        content = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if content:
        day = from_json(Day, json.loads(content))
        keep_named(day.message)
        return day
    told = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
    settings = launch.settings
    return Day(settings.dates.date or "", FAILED, exit_status=1, message=f"the process of the run {told}")


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _report(writer: int, parent: int, mask: Iterable[int], work: Callable[[], Day]) -> NoReturn:
    """Be the child: work, write what came of it, and end without what the parent has still to do."""
    status = 1
    try:
        end_with(parent)
        with interrupts.raised():
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            day = work()
            interrupts.hold()
            # It goes on if a signal arrives while the pipe is full.
            with open(writer, "wb") as pipe:
                pipe.write(json.dumps(asdict(day)).encode())
            sys.stdout.flush()
        status = 0
    finally:
        os._exit(status)
