"""Run the job: `beam-taxi run --input 'data/*.csv' --output out/`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
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
from beam_taxi.launch.outcome import Done, Outcome, Unknown, consequence
from beam_taxi.launch.quiet import Timings, quieten, set_log_levels
from beam_taxi.launch.record import RunRecord
from beam_taxi.launch.runners.base import Check, Runner
from beam_taxi.launch.runners.registry import choose
from beam_taxi.metadata.waiting import shown_by
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


def _launch(argv: Sequence[str], prog: str, console: TerminalConsole) -> int:
    launch = parse(argv, prog)
    if launch.options.dialect is not None:
        return print_proposals(launch.settings)
    launch = with_baseline(launch, console)
    runner = choose(launch)
    set_log_levels(runner.log_level, runner.beam_log_level)
    timings, record = Timings(), RunRecord(launch.store, launch.settings.run_id, console)
    reuse = Reuse(runner, record, timings)
    if launch.options.preflight or launch.options.plan:
        return _look(runner, reuse, console)
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
        return reuse.print_end(ids)
    return _end(runner, outcome, record, timings)


def _look(runner: Runner, reuse: Reuse, console: TerminalConsole) -> int:
    """Show what a launch would do, or whether its checks pass; nothing is claimed or written."""
    launch = runner.launch
    checks, plan = _checks(runner, reuse, console, Timings(), None)
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


def _end(runner: Runner, outcome: Outcome, record: RunRecord, timings: Timings) -> int:
    """Record and print what a job has come to; return the exit status. Raises BeamTaxiError."""
    launch = runner.launch
    with timings.part("record"):
        ids = record.end(outcome, launch.options.records_on_worker)
    follows = consequence(outcome)
    if isinstance(outcome, Done):
        summary.print_end(launch, outcome.manifest, ids, timings)
    elif isinstance(outcome, Unknown) and outcome.is_expected:
        summary.print_left(launch, record.job)
    else:
        interrupt = interrupts.received()
        status = interrupt.exit_status if interrupt else follows.exit_status
        print_error(follows.message, status, launch.options.is_json)
        return status
    return follows.exit_status


if __name__ == "__main__":
    interrupts.leave(main())
