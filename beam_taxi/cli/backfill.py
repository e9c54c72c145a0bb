"""Make the runs of the days that have none: `beam-taxi backfill --from DAY --to DAY` with the arguments of `run`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta

from beam_taxi.cli.run import carry_out, resolved
from beam_taxi.cli.table import print_table
from beam_taxi.cli.terminal import TerminalConsole, exit_status_of, print_error, print_note, waiting_for_store
from beam_taxi.dates import parse_date
from beam_taxi.errors import BeamTaxiError, MissingDays, UsageError
from beam_taxi.flags import Parser
from beam_taxi.launch import backfill, interrupts, preflight
from beam_taxi.launch.backfill import Day, existing_days, folder_of, for_day, run_day
from beam_taxi.launch.baseline import given_baseline
from beam_taxi.launch.command import parse, wants_json
from beam_taxi.launch.options import Launch, parser
from beam_taxi.launch.outcome import Done, consequence
from beam_taxi.launch.quiet import quieten
from beam_taxi.launch.runners.registry import choose
from beam_taxi.launch.traces import as_fault
from beam_taxi.metadata.waiting import shown_by
from beam_taxi.sources.days import find_days

_FIRST, _LAST = "--from", "--to"
_MOST_DAYS = 3660
_REFUSED = {
    "--date": "the days are those from --from to --to",
    "--run_id": "each day has a run of its own",
    "--preflight": "use `beam-taxi check` with --date",
    "--dialect": "use `beam-taxi run` with --date",
    "--no_wait": "a day begins when the one before it has ended",
}
"""Options of `run` that make no sense for several days, and what to do instead."""


def main(argv: Sequence[str] | None = None, prog: str = "beam-taxi backfill") -> int:
    """Run the days, and return the exit status of the worst one, in the order 1, 2, 3, 4, 0.

    A day without files (2), with refused data (2 or 3) or that is not accepted (4) does not keep the next ones from
    running. A failure of anything else (1) does, and an interrupt.
    """
    words = sys.argv[1:] if argv is None else argv
    with interrupts.raised():
        return exit_status_of(lambda: _main(words, prog), argv, wants_json(words))


def _main(argv: Sequence[str], prog: str) -> int:
    quieten()
    if {"-h", "--help"} & {*argv}:
        _with_days(parser(prog)).parse_args(["--help"])
    launch, days = _parse(argv, prog)
    console = TerminalConsole(launch.options.is_json)
    _check_options(launch)
    existing = existing_days(launch, console.warn)
    if launch.options.plan:
        _print([existing.get(day) or _planned(for_day(launch, day)) for day in days], launch)
        return 0
    done = _run_all(launch, days, existing, console)
    _print(done, launch)
    return min((one.exit_status for one in done if one.exit_status), key=_badness, default=0)


def _badness(status: int) -> int:
    """Return a number that is least for the worst status: that of a failure, or of a signal."""
    return status if status < 128 else 0


def _with_days(made: Parser) -> Parser:
    group = made.add_argument_group("days")
    for option, which in ((_FIRST, "first"), (_LAST, "last")):
        group.add_argument(
            option, required=True, metavar="DAY", help=f"{which} day, YYYY-MM-DD, or today or yesterday in UTC"
        )
    return made


def _parse(argv: Sequence[str], prog: str) -> tuple[Launch, list[str]]:
    """Return the launch of the last day, which stands for all, and the days. Raises UsageError."""
    own = _with_days(Parser(prog=prog, add_help=False, allow_abbrev=False))
    given, words = own.parse_known_args(argv)
    for option, instead in _REFUSED.items():
        if any(word == option or word.startswith(f"{option}=") for word in words):
            raise UsageError(f"{option} cannot be used with backfill: {instead}")
    first, last = (_day(option, getattr(given, option[2:])) for option in (_FIRST, _LAST))
    count = (last - first).days + 1
    if not 1 <= count <= _MOST_DAYS:
        told = (
            "is after --to" if count < 1 else f"to --to are {count:,} days; there must be no more than {_MOST_DAYS:,}"
        )
        raise UsageError(f"--from {first} {told}" + (f" {last}" if count < 1 else ""))
    days = [(first + timedelta(days=number)).isoformat() for number in range(count)]
    # The first day has the earliest window.
    parse([*words, "--date", days[0]], prog)
    return parse([*words, "--date", days[-1]], prog), days


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(parse_date(text))
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}") from error


def _check_options(launch: Launch) -> None:
    """Raises UsageError for what would be wrong on every day."""
    preflight.refuse(preflight.check_options(choose(launch)))
    given_baseline(launch)


def _planned(launch: Launch) -> Day:
    """Return whether a day would run."""
    day = launch.settings.dates.date or ""
    try:
        days = find_days(launch.settings)
    except BeamTaxiError as error:
        return _not_run(day, error)
    files = sum(len(one.files) for one in days.inputs)
    told = [f"{files:,} file{'' if files == 1 else 's'}"] if files else []
    return Day(day, backfill.PLANNED, message="; ".join((*told, *days.notes)))


def _run_all(launch: Launch, days: Sequence[str], existing: Mapping[str, Day], console: TerminalConsole) -> list[Day]:
    """Run the days that have no run, in their order, and return what became of each; nothing is raised."""
    done: list[Day] = []
    skipped = [day for day in days if day in existing]
    if skipped:
        print_note(f"{len(skipped):,} of {len(days):,} days have, or had, a run in {folder_of(launch)} and are skipped")
    stopped: Day | None = None
    for day in days:
        if stopped is None and interrupts.is_wanted():
            stopped = Day(day, backfill.INTERRUPTED, exit_status=_status_of_interrupt())
        if day in existing:
            done.append(existing[day])
        elif stopped is not None:
            done.append(replace(stopped, date=day, state=backfill.NOT_REACHED, message=""))
        else:
            done.append(_run_one(for_day(launch, day), launch.options.is_json))
            stopped = done[-1] if _stops(done[-1]) else None
    return done


def _stops(day: Day) -> bool:
    return day.state in (backfill.FAILED, backfill.INTERRUPTED)


def _status_of_interrupt() -> int:
    interrupt = interrupts.received()
    return 1 if interrupt is None else interrupt.exit_status


def _run_one(launch: Launch, as_json: bool) -> Day:
    """Run a day, and tell what became of it in one line."""
    try:
        day = run_day(launch, _work)
    except KeyboardInterrupt:
        day = Day(launch.settings.dates.date or "", backfill.INTERRUPTED, exit_status=_status_of_interrupt())
    told = f"{day.date}: {day.state}" + (f": {day.message}" if day.message else "")
    if day.exit_status:
        print_error(told, day.exit_status, as_json)
    else:
        print_note(f"{told}, run {day.run_id}")
    return day


def _work(launch: Launch) -> Day:
    """Run a day in this process."""
    day, console = launch.settings.dates.date or "", TerminalConsole(launch.options.is_json)
    try:
        with shown_by(lambda: waiting_for_store(console)):
            launch = resolved(launch, console)
            ended = carry_out(launch, console)
    except KeyboardInterrupt as error:
        return Day(day, backfill.INTERRUPTED, exit_status=_status_of_interrupt(), message=str(error))
    except Exception as error:
        return _not_run(day, as_fault(error))
    follows, run_id = consequence(ended.outcome), launch.settings.run_id
    if isinstance(ended.outcome, Done):
        manifest = ended.outcome.manifest
        verdict, rows = manifest.validation.verdict, sum(split.rows or 0 for split in manifest.splits)
        state = backfill.NOT_ACCEPTED if follows.exit_status else backfill.COMPLETE
        told = [f"{rows:,} rows", *([f"verdict {verdict}"] if follows.exit_status else []), *launch.days.notes]
        return Day(day, state, run_id, follows.exit_status, "; ".join(told))
    if interrupts.received() is not None:
        return Day(day, backfill.INTERRUPTED, "", _status_of_interrupt(), follows.message)
    state = backfill.FAILED if follows.exit_status == 1 else backfill.REFUSED
    return Day(day, state, "", follows.exit_status, follows.message)


def _not_run(day: str, error: BeamTaxiError) -> Day:
    kinds = {1: backfill.FAILED, 2: backfill.REFUSED, 3: backfill.REFUSED}
    state = backfill.MISSING if isinstance(error, MissingDays) else kinds.get(error.exit_status, backfill.FAILED)
    return Day(day, state, "", error.exit_status, str(error))


def _print(days: Sequence[Day], launch: Launch) -> None:
    """Print a table of the days, or one value of JSON."""
    if launch.options.is_json:
        print(json.dumps({"output": folder_of(launch), "days": [asdict(one) for one in days]}))
        return
    rows = [(one.date, one.state, one.run_id, one.message) for one in days]
    print_table([("date", "state", "run", "note"), *rows])
    counts = Counter(one.state for one in days)
    print(f"{len(days):,} days: " + ", ".join(f"{count:,} {state}" for state, count in counts.items()))
