"""Run the job: `beam-taxi run --input 'data/*.csv' --output out/`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from beam_taxi.cli import summary
from beam_taxi.cli.dialect import print_proposals
from beam_taxi.cli.reuse import Reuse
from beam_taxi.cli.terminal import TerminalConsole, exit_status_of, print_error, waiting_for_store
from beam_taxi.errors import UsageError
from beam_taxi.launch import interrupts, preflight
from beam_taxi.launch.baseline import with_baseline
from beam_taxi.launch.claim import Claim
from beam_taxi.launch.command import parse, wants_json
from beam_taxi.launch.job import planned_manifest, run_job
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.options import Launch
from beam_taxi.launch.outcome import Done, Outcome, Unknown, consequence
from beam_taxi.launch.quiet import Timings, quieten, set_log_levels
from beam_taxi.launch.record import RunRecord
from beam_taxi.launch.runners.base import Check, Runner
from beam_taxi.launch.runners.registry import choose
from beam_taxi.metadata.waiting import shown_by
from beam_taxi.sources.days import find_days
from beam_taxi.sources.fingerprint import content_hashes

if TYPE_CHECKING:
    from beam_taxi.sources.plan import TablePlan


def main(argv: Sequence[str] | None = None, prog: str = "beam-taxi run") -> int:
    """Run the job, and return its exit status.

    0: done; 1: failed; 2: bad usage or a failed check; 3: the data were refused; 4: done, but not accepted.
    """
    words = sys.argv[1:] if argv is None else argv
    with interrupts.raised():
        return exit_status_of(lambda: _main(words, prog), argv, wants_json(words))


def _main(argv: Sequence[str], prog: str) -> int:
    quieten()
    console = TerminalConsole(wants_json(argv))
    with shown_by(lambda: waiting_for_store(console)):
        return _launch(argv, prog, console)


@dataclass(frozen=True)
class Ended:
    """What a launch has come to: its outcome, and what is told of it.

    `ids` are those of the artifacts in ML Metadata. `reused_by` is the id of the run if it reuses the artifacts of an
    earlier one, whose manifest the outcome has.
    """

    launch: Launch
    outcome: Outcome
    ids: Mapping[str, int]
    timings: Timings
    job: LaunchedJob | None = None
    reused_by: str | None = None


def _launch(argv: Sequence[str], prog: str, console: TerminalConsole) -> int:
    launch = parse(argv, prog)
    if launch.options.dialect is not None:
        return print_proposals(launch.settings)
    launch = resolved(launch, console)
    if launch.options.preflight or launch.options.plan:
        runner = choose(launch)
        set_log_levels(runner.log_level, runner.beam_log_level)
        return _look(runner, console)
    return _print_end(carry_out(launch, console))


def resolved(launch: Launch, console: TerminalConsole) -> Launch:
    """Return a launch with the files of its days, its baseline and its history. Raises UsageError."""
    return with_baseline(replace(launch, days=find_days(launch.settings)), console)


def carry_out(launch: Launch, console: TerminalConsole) -> Ended:
    """Check, claim, run and record a resolved launch. Raises BeamTaxiError if there was no job."""
    runner = choose(launch)
    set_log_levels(runner.log_level, runner.beam_log_level)
    timings, record = Timings(), RunRecord(launch.store, launch.settings.run_id, console)
    reuse = Reuse(runner, record, timings)
    claim = Claim(launch, runner.in_process)

    def take() -> None:
        claim.take()
        reuse.claim = claim.token

    with claim.until_job(record, console):
        checks, plan = _checks(runner, reuse, console, timings, take)
        preflight.refuse(checks)
        _print_notes(checks, console)
        if plan is not None:
            planned = planned_manifest(launch, plan)
            reuse.look_up(planned.inputs, partial(content_hashes, plan))
        if reuse.earlier is not None:
            ids = reuse.record()
            claim.release(console)
        else:
            assert plan is not None
            outcome = run_job(runner, plan, planned, claim, record, console, timings)
    if reuse.earlier is not None:
        return Ended(launch, Done(reuse.earlier), ids, timings, reused_by=launch.settings.run_id)
    with timings.part("record"):
        ids = record.end(outcome, launch.options.records_on_worker)
    return Ended(launch, outcome, ids, timings, record.job)


def _look(runner: Runner, console: TerminalConsole) -> int:
    """Show what a launch would do, or whether its checks pass; nothing is claimed or written."""
    launch, timings = runner.launch, Timings()
    reuse = Reuse(runner, RunRecord(launch.store, launch.settings.run_id, console), timings)
    checks, plan = _checks(runner, reuse, console, timings, None)
    if launch.options.preflight:
        return _print_checks(checks)
    preflight.refuse(checks)
    if plan is None:
        summary.print_query_plan(launch, checks)
        return 0
    _print_notes(checks, console)
    summary.print_plan(launch, plan, runner.described(plan))
    reuse.look_up(planned_manifest(launch, plan).inputs, partial(content_hashes, plan))
    return 0


def _checks(
    runner: Runner, reuse: Reuse, console: TerminalConsole, timings: Timings, claim: Callable[[], None] | None
) -> tuple[list[Check], TablePlan | None]:
    def waiting(seconds: float) -> None:
        console.status(f"waiting for the query: {seconds:.0f} s")

    with timings.part("checks"):
        found = preflight.look(runner, waiting, reuse.look_up, claim)
    console.end_status()
    return found


def _print_notes(checks: Sequence[Check], console: TerminalConsole) -> None:
    for check in checks:
        if check.note:
            console.note(check.note)


def _print_checks(checks: Sequence[Check]) -> int:
    faults = summary.print_checks(checks)
    if faults:
        raise UsageError(f"{faults} of {len(checks)} checks failed")
    return 0


def _print_end(ended: Ended) -> int:
    """Print what a launch has come to; return the exit status."""
    launch, outcome, follows = ended.launch, ended.outcome, consequence(ended.outcome)
    if isinstance(outcome, Done):
        summary.print_end(launch, outcome.manifest, ended.ids, ended.timings, cached=ended.reused_by)
    elif isinstance(outcome, Unknown) and outcome.is_expected:
        summary.print_left(launch, ended.job)
    else:
        interrupt = interrupts.received()
        status = interrupt.exit_status if interrupt else follows.exit_status
        print_error(follows.message, status, launch.options.is_json)
        return status
    return follows.exit_status


if __name__ == "__main__":
    interrupts.leave(main())
