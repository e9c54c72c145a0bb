"""The recorded runs: `python -m beam_taxi.runs list | show | lineage | diff | verify | reap | init`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from beam_taxi.errors import BeamTaxiError, UsageError, closed_pipe_ignored
from beam_taxi.metadata import queries
from beam_taxi.metadata.address import StoreAddress, parse_address
from beam_taxi.metadata.manifests import differences, what_came_out, what_decides
from beam_taxi.metadata.recorder import init
from beam_taxi.metadata.verify import manifest_of, reap, verify

_WIDTH = 60
Answer = tuple[Any, Sequence[Sequence[Any]], int]
"""A value for JSON, the rows of a table with its header first, and the exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Answer on standard output; returns 0 done, 1 failed or verified as wrong, 2 bad usage or no store."""
    args = _parser().parse_args(argv)
    try:
        store = parse_address(args.metadata_store, args.metadata_password_file)
        if store is None:
            raise UsageError("--metadata_store none: there are no runs")
        answer: Callable[[StoreAddress, argparse.Namespace], Answer] = args.answer
        value, rows, status = answer(store, args)
    except BeamTaxiError as error:
        print(f"beam_taxi: error: {error}", file=sys.stderr)
        return error.exit_status
    with closed_pipe_ignored():
        if args.json:
            print(json.dumps(value, indent=1, ensure_ascii=False))
        else:
            _print_table(rows)
    return status


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--metadata_store", required=True, metavar="URI", help="as of beam_taxi.main")
    common.add_argument("--metadata_password_file", metavar="FILE", help="as of beam_taxi.main")
    common.add_argument("--json", action="store_true", help="for programs")
    parser = argparse.ArgumentParser(prog="python -m beam_taxi.runs", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, answer, help_, runs in (
        ("list", _list, "all runs", None),
        ("show", _show, "a run and its artifacts", 1),
        ("lineage", _lineage, "what led to a run's artifacts and what came of them", 1),
        ("diff", _diff, "what differs between two runs: settings, inputs, versions, outcome", 2),
        ("verify", _verify, "hash a run's files again; exit status 1 where one is not as recorded", 1),
        ("reap", _reap, "end the records of runs whose process is gone; named ones on other hosts too", "*"),
        (
            "init",
            _init,
            "make the store's schema and types, once, before several processes use a new MySQL database",
            None,
        ),
    ):
        command = commands.add_parser(name, parents=[common], help=help_, description=help_, allow_abbrev=False)
        command.set_defaults(answer=answer)
        if runs is not None:
            command.add_argument("runs", nargs=runs, metavar="RUN")
    return parser


def _list(store: StoreAddress, args: argparse.Namespace) -> Answer:
    runs = queries.list_runs(store)
    rows = [(run.run_id, run.pipeline, run.state, run.started, _note(run)) for run in runs]
    table = [("run", "pipeline", "state", "started", "note"), *rows] if rows else [("the store has no runs",)]
    return [asdict(run) for run in runs], table, 0


def _note(run: queries.Run) -> str:
    cached_from = run.properties.get("cached_from")
    return f"has the artifacts of {cached_from}" if cached_from else str(run.properties.get("error", ""))


def _show(store: StoreAddress, args: argparse.Namespace) -> Answer:
    run = queries.get_run(store, args.runs[0])
    artifacts = queries.artifacts_of(store, run)
    value = {**asdict(run), "artifacts": {key: asdict(one) for key, one in artifacts.items()}}
    rows = [("run", run.run_id), ("pipeline", run.pipeline), ("state", run.state)]
    rows += [("started", run.started), ("updated", run.updated)]
    told = ("error", "cached_from", "manifest", "runner", "settings_sha256", "process_host", "process_pid")
    rows += [(key, str(run.properties[key])) for key in told if key in run.properties]
    rows += [(node, f"execution {id_}") for node, id_ in run.executions.items()]
    rows += [(key, f"artifact {one.id} {one.type} {one.state} {one.uri}") for key, one in artifacts.items()]
    return value, rows, 0


def _lineage(store: StoreAddress, args: argparse.Namespace) -> Answer:
    run = queries.get_run(store, args.runs[0])
    found = queries.lineage(store, [one.id for one in queries.artifacts_of(store, run).values()])
    value = {"artifacts": [asdict(one) for one in found.artifacts.values()], "edges": [asdict(e) for e in found.edges]}

    def told(id_: int) -> str:
        return f"{id_} {found.artifacts[id_].type} {found.artifacts[id_].uri}"

    rows = [(told(e.source), f"{e.node} {e.state}", e.run_id, told(e.target)) for e in found.edges]
    return value, [("from", "by", "run", "to"), *rows], 0


def _diff(store: StoreAddress, args: argparse.Namespace) -> Answer:
    first, second = (manifest_of(queries.get_run(store, run_id)) for run_id in args.runs)
    found = [
        *differences(what_decides(first), what_decides(second)),
        *differences(what_came_out(first), what_came_out(second)),
    ]
    value = [{"field": field, "first": one, "second": two} for field, one, two in found]
    same = f"{' and '.join(args.runs)}: the same settings, inputs, versions and files"
    return value, [("field", *args.runs), *found] if found else [(same,)], 0


def _verify(store: StoreAddress, args: argparse.Namespace) -> Answer:
    faults = verify(store, args.runs[0])
    value = {"run_id": args.runs[0], "verified": not faults, "faults": faults}
    return value, [(fault,) for fault in faults] or [(f"{args.runs[0]}: every file is as recorded",)], int(bool(faults))


def _reap(store: StoreAddress, args: argparse.Namespace) -> Answer:
    found = [asdict(one) for one in reap(store, args.runs)]
    rows = [tuple(one.values()) for one in found]
    return found, [("run", "state", "reason"), *rows] if rows else [("no run is RUNNING",)], 0


def _init(store: StoreAddress, args: argparse.Namespace) -> Answer:
    init(store)
    return {"store": store.uri}, [(f"{store.uri}: ready",)], 0


def _print_table(rows: Sequence[Sequence[Any]]) -> None:
    """Print columns; on a terminal long texts are cut, except in the last column."""
    limit = _WIDTH if sys.stdout.isatty() else None
    texts = [[*(" ".join(str(cell).split())[:limit] for cell in row[:-1]), str(row[-1])] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
