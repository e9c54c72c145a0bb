"""Work on schemas: `beam-taxi schema infer|diff|update|freeze|calibrate …`.

A schema is a file, in text or binary form, or the folder of a run. Instead of a run, the folder of a split or a
FeatureStats.pb is accepted, too. All of them may be on gs://. `diff` returns 1 if a difference breaks a model that was
trained on data of OLD. `update` and `calibrate` print patches for `git apply`, with a hunk for each edit.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from beam_taxi import storage
from beam_taxi.cli.terminal import exit_status_of
from beam_taxi.errors import UsageError
from beam_taxi.flags import Parser

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics

    from beam_taxi.schemas.compare import Difference
    from beam_taxi.schemas.freeze import Freezing
    from beam_taxi.schemas.update import Edit

BREAKING_STATUS = 1
"""The exit status of `diff` if a difference is breaking."""


def main(argv: Sequence[str] | None = None, prog: str = "python -m beam_taxi schema") -> int:
    """Run the command; return 0 if done, 1 if a difference is breaking, 2 for bad usage."""
    return exit_status_of(lambda: _main(argv, prog), argv)


def _main(argv: Sequence[str] | None, prog: str) -> int:
    args = _parser(prog).parse_args(argv)
    if getattr(args, "out", None) is not None:
        storage.check_new(args.out)
    command: Callable[[argparse.Namespace], int] = args.command
    return command(args)


def _parser(prog: str) -> Parser:
    description, details = (__doc__ or "").split("\n\n")
    parser = Parser(prog=prog, description=f"{description}\n{details}", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    infer = commands.add_parser("infer", help="infer the schema of all splits together")
    infer.add_argument("run", metavar="RUN", help="folder of a run or a split, or a file of statistics")
    infer.set_defaults(command=_infer)
    diff = commands.add_parser("diff", help="compare two schemas: compatible, widening or breaking")
    diff.add_argument("old", metavar="OLD", help="schema, or folder of a run")
    diff.add_argument("new", metavar="NEW", help="schema, or folder of a run")
    diff.add_argument("--json", action="store_true", help="print JSON")
    diff.set_defaults(command=_diff)
    update = commands.add_parser("update", help="print a patch after which a schema accepts the data of a run")
    update.add_argument("schema", metavar="SCHEMA", help="schema in text form, whose comments and order are kept")
    update.add_argument("run", metavar="RUN", help="folder of a run or a split, or a file of statistics")
    update.add_argument(
        "--in_place", action="store_true", help="edit SCHEMA, a local file, instead of printing a patch"
    )
    update.set_defaults(command=_update)
    freeze = commands.add_parser("freeze", help="make a schema for version control, with bounds that allow for chance")
    freeze.add_argument("run", metavar="RUN", help="folder of a run or a split, or a file of statistics")
    freeze.add_argument("--ranges", action="store_true", help="limit numbers to the range of the run")
    freeze.add_argument("--required", action="store_true", help="require features that have no missing values")
    freeze.add_argument("--chance", type=_chance, metavar="P", help="probability of a false alarm (default 0.001)")
    freeze.set_defaults(command=_freeze)
    calibrate = commands.add_parser("calibrate", help="print a patch with comparators that accepted runs stay below")
    calibrate.add_argument("schema", metavar="SCHEMA", help="schema in text form, whose comments and order are kept")
    calibrate.add_argument("runs", metavar="RUN", nargs="+", help="accepted runs, the oldest first")
    calibrate.add_argument("--skew", action="store_true", help="make skew comparators, from the splits of the runs")
    calibrate.add_argument(
        "--in_place", action="store_true", help="edit SCHEMA, a local file, instead of printing a patch"
    )
    calibrate.set_defaults(command=_calibrate)
    for command in (infer, update, freeze, calibrate):
        command.add_argument("--out", metavar="FILE", help="write the schema to this file, which must not exist")
    return parser


def _chance(text: str) -> float:
    try:
        chance = float(text)
    except ValueError:
        chance = 0.0
    if not 0 < chance < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be between 0 and 1")
    return chance


def _infer(args: argparse.Namespace) -> int:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

    from beam_taxi.schemas.infer import infer_schema

    _, rows = _statistics(args.run)
    schema = infer_schema([DatasetFeatureStatisticsList(datasets=[rows])])
    return _write(text_format.MessageToString(schema), args.out)


def _diff(args: argparse.Namespace) -> int:
    from beam_taxi.schemas.compare import BREAKING, compare, worst
    from beam_taxi.schemas.read import read_schema

    differences = compare(read_schema(args.old)[0], read_schema(args.new)[0])
    level = worst(differences) if differences else "equal"
    if args.json:
        value = {"level": level, "differences": [asdict(one) for one in differences]}
        _print(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
    else:
        _print("".join(f"{line}\n" for line in _lines(differences)) or "no differences\n")
    return BREAKING_STATUS if level == BREAKING else 0


def _lines(differences: Sequence[Difference]) -> list[str]:
    return [f"{one.level:<10}  {one.feature or 'schema'}: {one.text}" for one in differences]


def _update(args: argparse.Namespace) -> int:
    from beam_taxi.schemas.update import update

    _, rows = _statistics(args.run)
    return _edit(args, lambda text: update(text, rows), "no anomalies")


def _calibrate(args: argparse.Namespace) -> int:
    from beam_taxi.validation.calibrate import calibrate, edits

    if args.skew:
        from beam_taxi.report import results

        samples = [split for uri in args.runs for split in results.read(uri).statistics.values()]
    else:
        samples = [_statistics(uri)[1] for uri in args.runs]
    comparators = calibrate(samples)
    field = "skew_comparator" if args.skew else "drift_comparator"
    return _edit(args, lambda text: edits(text, field, comparators), "no changes")


def _edit(args: argparse.Namespace, edits_of: Callable[[str], list[Edit]], nothing: str) -> int:
    """Edit the text of a schema: print a patch, or write the whole text to the file that the arguments name."""
    from beam_taxi.schemas.patch import patch
    from beam_taxi.schemas.read import read_schema, schema_uri

    if args.in_place and args.out is not None:
        raise UsageError("--in_place and --out cannot be combined")
    uri = schema_uri(args.schema)
    _, text = read_schema(uri)
    try:
        edits = edits_of(text)
    except UsageError as error:
        raise UsageError(f"{uri}: {error}") from error
    updated = edits[-1].text if edits else text
    if args.in_place:
        _replace(uri, updated)
    elif args.out is None:
        _print(patch(text, edits, _path_in_patch(uri)))
        return 0
    else:
        storage.write_new(args.out, updated.encode())
    _print("".join(f"{one.feature or 'data set'}: {one.reason}\n" for one in edits) or f"{nothing}\n")
    return 0


def _path_in_patch(uri: str) -> str:
    """Return the path of a schema relative to the working directory, or its name if it is elsewhere."""
    if storage.is_remote(uri):
        return uri.rsplit("/", 1)[-1]
    path = os.path.relpath(uri)
    return os.path.basename(uri) if path.startswith("..") else path.replace(os.sep, "/")


def _replace(uri: str, text: str) -> None:
    """Replace a local file, completely or not at all."""
    if storage.is_remote(uri):
        raise UsageError(f"--in_place: {uri} is not a local file; use --out")
    temporary = f"{uri}.new"
    storage.write_new(temporary, text.encode())
    os.replace(temporary, uri)


def _freeze(args: argparse.Namespace) -> int:
    from beam_taxi.schemas.freeze import CHANCE, Freezing, freeze, frozen_text, header

    name, rows = _statistics(args.run)
    freezing: Freezing = Freezing(args.chance or CHANCE, args.ranges, args.required)
    return _write(frozen_text(freeze(rows, freezing), header(name, rows.num_examples, freezing)), args.out)


def _statistics(uri: str) -> tuple[str, DatasetFeatureStatistics]:
    """Return the name and the merged statistics of a run, of a split or of a file. Raises UsageError without rows."""
    from beam_taxi.report import results
    from beam_taxi.statistics.merge import merge

    read = results.read(uri)
    rows = merge(read.statistics.values())
    if not rows.num_examples:
        raise UsageError(f"{uri}: has no rows")
    return (read.manifest.run_id if read.manifest else os.path.basename(uri)), rows


def _write(text: str, out: str | None) -> int:
    if out is None:
        _print(text)
    else:
        storage.write_new(out, text.encode())
    return 0


def _print(text: str) -> None:
    """Print text in UTF-8 with its own line ends: patches and schemas go to files."""
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    print(text, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
