"""The command `beam-taxi runs prune`: remove the files of old runs."""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timedelta, timezone

from beam_taxi.cli.terminal import TerminalConsole, print_error, print_note
from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.metadata.prune import Candidate, Rule, candidates, prune

HELP = "remove the files of old runs, and mark their artifacts as DELETED"
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--keep", type=whole_number, metavar="N", help="keep N complete runs of each pipeline, of its latest days"
    )
    which.add_argument(
        "--older_than", type=since, metavar="AGE", help="remove runs that started before: 30d, 12w, 48h or 2026-01-31"
    )
    command.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    command.add_argument("--dry_run", action="store_true", help="show what would be removed, then exit")
    command.add_argument("--yes", action="store_true", help="do not ask")


def whole_number(text: str) -> int:
    """Return a number of up to nine digits. Raises ArgumentTypeError."""
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number, 0 or more")
    return int(text)


def since(text: str) -> datetime:
    """Return the time that is an age before now, or the start of a day, in UTC."""
    age = re.fullmatch("([0-9]{1,5})([hdw])", text)
    try:
        if age:
            return datetime.now(timezone.utc) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
    except ValueError as error:
        fault = f"{text!r}: must be an age, such as 30d, 12w or 48h, or a date, such as 2026-01-31"
        raise argparse.ArgumentTypeError(fault) from error


def answer(store: StoreAddress, args: argparse.Namespace) -> tuple[object, list[tuple[str, ...]], int]:
    """Remove the files of the runs that the options choose, and return what became of each."""
    rule = Rule(args.keep, args.older_than, args.pipeline)
    found = candidates(store, rule)
    going = {one.run.run_id for one in found if not one.kept}
    if args.dry_run or not going:
        return _told(found, dict.fromkeys(going, "would be removed"))
    if not args.yes:
        _confirm(found, args.json)
        # Somebody may have begun to use a run while the question was on the screen.
        found = [one for one in candidates(store, rule) if one.run.run_id in going]
    ends, faults = {}, 0
    for one in (one for one in found if not one.kept):
        try:
            prune(store, one)
            ends[one.run.run_id] = "removed"
        except (BeamTaxiError, OSError) as error:
            faults += 1
            ends[one.run.run_id] = f"failed: {error}"
            print_error(f"{one.run.run_id}: {error}; run the command again to go on", 1, args.json)
    return _told(found, ends, status=int(bool(faults)))


def _confirm(found: list[Candidate], as_json: bool) -> None:
    """Raises UsageError unless the user agrees."""
    going = [one for one in found if not one.kept]
    size = sum(one.bytes for one in going)
    names = ", ".join(one.run.run_id for one in going[:5]) + (", …" if len(going) > 5 else "")
    told = f"{len(going)} run{'' if len(going) == 1 else 's'} with {size:,} bytes: {names}"
    if not TerminalConsole(as_json).ask(f"Remove the files of {told}?"):
        raise UsageError(f"nothing was removed; --yes removes {told}")


def _told(found: list[Candidate], ends: dict[str, str], status: int = 0) -> tuple[object, list[tuple[str, ...]], int]:
    rows, value = [], []
    for one in found:
        end = f"kept: {one.kept}" if one.kept else ends[one.run.run_id]
        rows.append((one.run.run_id, one.run.pipeline, one.run.started[:19], f"{one.bytes:,}", end))
        value.append(
            {
                "run_id": one.run.run_id,
                "pipeline": one.run.pipeline,
                "started": one.run.started,
                "bytes": one.bytes,
                "files": one.files,
                "result": end,
            }
        )
        if one.others and not one.kept:
            folder = one.run.manifest.rpartition("/")[0]
            print_note(f"{folder}: files that the run did not write are kept ({one.others})")
    header = ("run", "pipeline", "started", "bytes", "result")
    return value, [header, *rows] if rows else [("no run to remove",)], status
