"""Query the recorded runs: `beam-taxi runs list | show | lineage | diff | verify | reap | prune | init`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from beam_taxi.cli import prune
from beam_taxi.cli.table import print_table
from beam_taxi.cli.terminal import TerminalConsole, closed_pipe_ignored, exit_status_of, print_note, waiting_for_store
from beam_taxi.errors import UsageError
from beam_taxi.flags import Parser
from beam_taxi.launch.launched import LaunchedJob
from beam_taxi.launch.outcome import Unknown, consequence
from beam_taxi.launch.runners.registry import runner_class
from beam_taxi.metadata import queries
from beam_taxi.metadata.address import StoreAddress, parse_address
from beam_taxi.metadata.lineage import lineage
from beam_taxi.metadata.manifests import differences, what_came_out, what_decides
from beam_taxi.metadata.reap import is_stale, reap
from beam_taxi.metadata.recorder import init
from beam_taxi.metadata.verify import manifest_of, verify
from beam_taxi.metadata.waiting import shown_by

_STALE = "its process is gone; end its record with `runs reap`"
_LIMIT = 20
_ALL = "--limit 0 shows all"
Answer = tuple[object, Sequence[Sequence[object]], int]
"""A value for JSON, the rows of a table with its header first, and the exit status."""


def main(argv: Sequence[str] | None = None, prog: str = "python -m beam_taxi runs") -> int:
    """Answer on standard output; return 0 if done, 1 if failed or not as recorded, 2 for bad usage or no store."""
    return exit_status_of(lambda: _answer(argv, prog), argv)


def _answer(argv: Sequence[str] | None, prog: str) -> int:
    args = _parser(prog).parse_args(argv)
    store = parse_address(args.metadata_store, args.metadata_password_file)
    if store is None:
        raise UsageError("--metadata_store none: there are no runs")
    answer: Callable[[StoreAddress, argparse.Namespace], Answer] = args.answer
    console = TerminalConsole(args.json)
    with shown_by(lambda: waiting_for_store(console)):
        value, rows, status = answer(store, args)
    with closed_pipe_ignored():
        if args.json:
            print(json.dumps(value, indent=1, ensure_ascii=not sys.stdout.encoding.lower().startswith("utf")))
        else:
            print_table(rows)
    return status


def _parser(prog: str) -> Parser:
    common = Parser(add_help=False)
    common.add_argument("--metadata_store", required=True, metavar="URI", help="as for `beam-taxi run`")
    common.add_argument("--metadata_password_file", metavar="FILE", help="as for `beam-taxi run`")
    common.add_argument("--json", action="store_true", help="print JSON")
    parser = Parser(prog=prog, description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, answer, help_, runs in (
        ("list", _list, "the newest runs, oldest first", None),
        ("show", _show, "a run and its artifacts", 1),
        ("lineage", _lineage, "the executions and artifacts before and after those of a run", 1),
        ("diff", _diff, "differences between two runs: settings, inputs, versions, results", 2),
        ("verify", _verify, "hash the files of a run again; exit status 1 if a file is not as recorded", 1),
        (
            "reap",
            _reap,
            "end the records of runs whose process is gone, and remove the parts that they left",
            "*",
        ),
        ("prune", prune.answer, prune.HELP, None),
        (
            "init",
            _init,
            "create the schema and types of a store, before several processes use a new MySQL database",
            None,
        ),
    ):
        command = commands.add_parser(name, parents=[common], help=help_, description=help_, allow_abbrev=False)
        command.set_defaults(answer=answer)
        if name == "list":
            command.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
            _add_limit(command, "runs to show, the newest")
        if name == "lineage":
            _add_limit(command, "runs to show that read the same files, and executions before and after the run")
        if name == "prune":
            prune.add_arguments(command)
        if runs is not None:
            command.add_argument("runs", nargs=runs, metavar="RUN")
        if answer is _reap:
            help_ = "end the named runs also if nobody can tell from here whether their processes are gone"
            command.add_argument("--force", action="store_true", help=help_)
    return parser


def _add_limit(command: argparse.ArgumentParser, of_what: str) -> None:
    help_ = f"maximum number of {of_what}; 0 shows all (default: {_LIMIT})"
    command.add_argument("--limit", type=_limit, default=_LIMIT, metavar="N", help=help_)


def _limit(text: str) -> int | None:
    """Return a limit, None if there is none."""
    return prune.whole_number(text) or None


def _list(store: StoreAddress, args: argparse.Namespace) -> Answer:
    runs = queries.list_runs(store, None if args.limit is None else args.limit + 1, args.pipeline)
    if args.limit is not None and len(runs) > args.limit:
        runs = runs[1:]
        print_note(f"older runs are not shown; {_ALL}")
    dates = [queries.date_of(run.properties) for run in runs]
    columns = {
        "run": [run.run_id for run in runs],
        "pipeline": [run.pipeline for run in runs],
        **({"date": dates} if any(dates) else {}),
        "state": [run.state for run in runs],
        "started": [run.started for run in runs],
        "note": list(map(_note, runs)),
    }
    table = [tuple(columns), *zip(*columns.values(), strict=True)] if runs else [("the store has no runs",)]
    return [{**asdict(run), "stale": is_stale(run)} for run in runs], table, 0


def _note(run: queries.Run) -> str:
    cached_from = run.properties.get("cached_from")
    notes = [f"reuses the artifacts of {cached_from}" if cached_from else str(run.properties.get("error", ""))]
    notes += [] if queries.is_accepted(run.properties) else [f"not accepted: {run.properties['verdict']}"]
    notes += [_STALE] if is_stale(run) else []
    notes += ["pruned"] if queries.is_pruned(run) else []
    return "; ".join(filter(None, notes))


def _show(store: StoreAddress, args: argparse.Namespace) -> Answer:
    run = queries.get_run(store, args.runs[0])
    artifacts = queries.artifacts_of(store, run)
    value = {**asdict(run), "stale": is_stale(run), "artifacts": {key: asdict(one) for key, one in artifacts.items()}}
    rows = [("run", run.run_id), ("pipeline", run.pipeline), ("state", run.state)]
    rows += [("stale", _STALE)] if is_stale(run) else []
    rows += [("attempt", str(run.attempt))] if run.attempt > 1 else []
    rows += [("started", run.started), ("updated", run.updated)]
    shown = [
        "verdict",
        "accepted",
        "error",
        "failed_node",
        "cached_from",
        "pruned",
        "manifest",
        "runner",
        "settings_sha256",
        "process_host",
        "process_pid",
    ]
    shown += ["job_id", "job_page", "job_cancel"]
    rows += [(key, str(run.properties[key])) for key in shown if key in run.properties]
    rows += [(node, f"execution {id_}") for node, id_ in run.executions.items()]
    rows += [(key, f"artifact {one.id} {one.type} {one.state} {one.uri}") for key, one in artifacts.items()]
    return value, rows, 0


def _lineage(store: StoreAddress, args: argparse.Namespace) -> Answer:
    run = queries.get_run(store, args.runs[0])
    artifacts = [one.id for one in queries.artifacts_of(store, run).values()]
    found = lineage(store, artifacts, args.limit, run.executions.values())
    value = {
        "artifacts": [asdict(one) for one in found.artifacts.values()],
        "edges": [asdict(one) for one in found.edges],
        "readers_left_out": found.readers_left_out,
        "is_cut": found.is_cut,
    }
    if found.readers_left_out:
        print_note(f"{found.readers_left_out:,} more runs that read the same files are not shown; {_ALL}")
    if found.is_cut:
        print_note(f"more executions before or after the run are not shown; {_ALL}")

    def described(id_: int) -> str:
        return f"{id_} {found.artifacts[id_].type} {found.artifacts[id_].uri}"

    rows = [(described(e.source), f"{e.node} {e.state}", e.run_id, described(e.target)) for e in found.edges]
    return value, [("from", "by", "run", "to"), *rows], 0


def _diff(store: StoreAddress, args: argparse.Namespace) -> Answer:
    first, second = (manifest_of(queries.get_run(store, run_id)) for run_id in args.runs)
    found = [
        *differences(what_decides(first), what_decides(second)),
        *differences(what_came_out(first), what_came_out(second)),
    ]
    value = [{"field": field, "first": one, "second": two} for field, one, two in found]
    same = f"{' and '.join(args.runs)}: no differences in settings, inputs, versions or files"
    return value, [("field", *args.runs), *found] if found else [(same,)], 0


def _verify(store: StoreAddress, args: argparse.Namespace) -> Answer:
    faults = verify(store, args.runs[0])
    value = {"run_id": args.runs[0], "verified": not faults, "faults": faults}
    return value, [(fault,) for fault in faults] or [(f"{args.runs[0]}: every file is as recorded",)], int(bool(faults))


def _reap(store: StoreAddress, args: argparse.Namespace) -> Answer:
    found = [asdict(one) for one in reap(store, args.runs, _end_of, args.force)]
    rows = [tuple(one.values()) for one in found]
    return found, [("run", "state", "reason"), *rows] if rows else [("no run is RUNNING",)], 0


def _end_of(properties: Mapping[str, object]) -> tuple[str, str] | None:
    """Return the state of the job of a run outside this process, by asking its runner, None if that is not known."""
    job = LaunchedJob.from_properties(properties)
    if job is None:
        return None
    outcome = runner_class(job.runner).end_of(job)
    if isinstance(outcome, Unknown) and outcome.is_running:
        return "RUNNING", outcome.reason
    follows = consequence(outcome)
    return None if follows.state is None else (follows.state.value, follows.message)


def _init(store: StoreAddress, args: argparse.Namespace) -> Answer:
    init(store)
    return {"store": store.uri}, [(f"{store.uri}: ready",)], 0


if __name__ == "__main__":
    sys.exit(main())
