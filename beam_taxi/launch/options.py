"""The flags, declared once, without importing Beam."""

from __future__ import annotations

import argparse
import csv
import difflib
import re
import secrets
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timezone
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from beam_taxi import storage
from beam_taxi.errors import UsageError
from beam_taxi.settings import Dialect, Settings, Split, StatisticsSettings

LOCAL_RUNNER = "FnApiRunner"
PORTABLE_RUNNERS = ("PortableRunner", "SparkRunner", "FlinkRunner")
"""Of these the job service has options of its own."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def parser() -> argparse.ArgumentParser:
    """Return the parser of our own flags; every other flag is Apache Beam's."""
    p = _Parser(
        prog="python -m beam_taxi.main",
        description="CSV files to TFRecords of tf.Example, TFDV statistics, a schema and an ML Metadata record.",
        epilog="Every option of Apache Beam passes through, e.g. --runner DataflowRunner --setup_file ./setup.py.",
        allow_abbrev=False,
    )
    data = p.add_argument_group("input and output")
    data.add_argument(
        "--input",
        nargs="+",
        action="extend",
        metavar="PATTERN",
        help="CSV or Parquet files: paths or patterns, also gs://; or tables: bq://PROJECT.DATASET.TABLE",
    )
    data.add_argument("--query", metavar="SQL", help="BigQuery SQL whose rows are an input")
    data.add_argument("--output", metavar="FOLDER", help="where the folder of the run is made, also gs://")
    data.add_argument("--run_id", help="name of the run and its folder (default: time and a random part)")
    data.add_argument("--pipeline_name", default="beam_taxi", help="name in ML Metadata (default: %(default)s)")
    form = p.add_argument_group("CSV")
    form.add_argument("--delimiter", default=",", help="one ASCII character (default: ,)")
    form.add_argument("--quote", default='"', help='one ASCII character, or empty where nothing is quoted (default: ")')
    form.add_argument("--encoding", default="utf-8", help="of the text, by Python's name (default: %(default)s)")
    form.add_argument(
        "--null_values", metavar="VALUES", default="", help="spellings of a missing value besides the empty cell, a,b,…"
    )
    form.add_argument(
        "--column_names", metavar="NAMES", default="", help="the columns, a,b,…: the files have no header"
    )
    form.add_argument(
        "--max_field_bytes",
        type=int,
        default=16 << 20,
        help="longest field (default: %(default)s); a record has 4 times",
    )
    form.add_argument("--max_rejects", type=int, help="set up to so many bad rows aside (default: refuse the first)")
    form.add_argument("--max_reject_ratio", type=float, help="set up to this share of the rows aside")
    data.add_argument("--schema", metavar="PBTXT", help="Schema proto that gives the types instead of the data")
    examples = p.add_argument_group("examples")
    examples.add_argument(
        "--no_examples", action="store_true", help="only statistics and schema, of one split `all` unless --splits says"
    )
    examples.add_argument("--splits", help="names and weights (default: train:2,eval:1)")
    examples.add_argument(
        "--split_key",
        metavar="COLUMN",
        help="rows with the same value here share a split (default: the whole row)",
    )
    examples.add_argument("--num_shards", type=int, help="shards of each split (default: by size)")
    examples.add_argument(
        "--unit_bytes", type=int, help="bytes of CSV for a shard (default: 33554432, more beyond 64 GiB)"
    )
    examples.add_argument(
        "--batch_bytes", type=int, default=4 << 20, help="bytes of CSV parsed at once (default: %(default)s)"
    )
    examples.add_argument("--gzip_level", type=int, default=1, help="0 to 3 (default: %(default)s)")
    stats = p.add_argument_group("statistics")
    stats.add_argument("--histogram_buckets", type=int, default=10, help="equal-width buckets (default: %(default)s)")
    stats.add_argument("--quantile_buckets", type=int, default=50, help="quantile buckets (default: %(default)s)")
    stats.add_argument("--top_k", type=int, default=20, help="most frequent values (default: %(default)s)")
    stats.add_argument("--weight_feature", metavar="COLUMN", help="numeric column that weighs the rows")
    stats.add_argument(
        "--stats_features", metavar="COLUMNS", default="", help="only these columns, and those that slice or weigh"
    )
    stats.add_argument(
        "--slice_features",
        metavar="COLUMNS",
        default="",
        help="also statistics for each value of these columns",
    )
    run = p.add_argument_group("run")
    run.add_argument(
        "--runner", default=LOCAL_RUNNER, help="Apache Beam runner (default: %(default)s, in this process)"
    )
    run.add_argument(
        "--metadata_store",
        metavar="URI",
        help="sqlite:///PATH, mysql://USER@HOST:PORT/DB, mysql+socket:///SOCKET?user=USER&db=DB, grpc://HOST:PORT or "
        "none (default: metadata.sqlite in --output)",
    )
    run.add_argument(
        "--metadata_password_file", metavar="FILE", help="its password (default: BEAM_TAXI_METADATA_PASSWORD's)"
    )
    run.add_argument("--project", help="Google Cloud project that pays for Dataflow and BigQuery")
    run.add_argument(
        "--log_format", choices=["text", "json"], default="text", help="json: the end or the error as one line of JSON"
    )
    run.add_argument(
        "--record_on",
        choices=["launcher", "worker"],
        default="launcher",
        help="who records the end of the run: worker, where nobody waits for the job (default: %(default)s)",
    )
    run.add_argument(
        "--shared_filesystem",
        action="store_true",
        help="workers on other machines have the local paths of --input and --output, too",
    )
    run.add_argument(
        "--cache",
        action="store_true",
        help="take the artifacts of an earlier run of the same content, options and code",
    )
    run.add_argument("--explain_cache", action="store_true", help="tell field by field why no earlier run will do")
    run.add_argument(
        "--plan", "--dry_run", action="store_true", help="print what a run would read, make and use, and touch nothing"
    )
    run.add_argument("--preflight", action="store_true", help="check all that a run needs, and touch nothing")
    run.add_argument("--no_wait", action="store_true", help="leave when the job is launched; not for a local run")
    return p


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return our options, and Beam's as they came. Raises UsageError on a flag that neither knows."""
    args, rest = parser().parse_known_args(argv)
    if args.runner not in PORTABLE_RUNNERS and beam_flags():
        for fault in unknown_flags(rest, known_flags()):
            raise UsageError(fault)
    if rest and not rest[0].startswith("-"):
        raise UsageError(f"unexpected argument {rest[0]!r}")
    if args.project:
        rest = ["--project", args.project, *rest]
    return args, rest


def known_flags() -> set[str]:
    """Return all flags, ours and Beam's."""
    return beam_flags() | {option for action in parser()._actions for option in action.option_strings}


def unknown_flags(words: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """Yield a fault for each flag among `words` that is not known, by itself or as `--no_…`."""
    for flag in (word.split("=")[0] for word in words if word.startswith("--")):
        if flag.removeprefix("--no_") not in known and flag not in known:
            close = difflib.get_close_matches(flag, known, 1)
            yield f"unknown flag {flag}" + (f"; did you mean {close[0]}?" if close else "")


def wants_json(argv: Sequence[str]) -> bool:
    """Tell whether `--log_format json` is in the arguments, which may be wrong otherwise."""
    return "--log_format=json" in argv or ("--log_format", "json") in pairwise(argv)


def beam_flags() -> set[str]:
    """Read the flags from the source of Beam's options, since importing them takes seconds."""
    spec = find_spec("apache_beam")
    folders = list(spec.submodule_search_locations or []) if spec else []
    sources = [Path(folder, "options", "pipeline_options.py") for folder in folders]
    return {
        flag for source in sources if source.is_file() for flag in re.findall(r"['\"](--\w+)['\"]", source.read_text())
    }


def to_settings(args: argparse.Namespace) -> Settings:
    """Return the settings of a run. Raises UsageError."""
    missing = [] if args.input or args.query else ["--input is missing"]
    missing += [] if args.output else ["--output is missing"]
    if missing:
        raise UsageError("; ".join(missing))
    if args.plan and args.query:
        raise UsageError("--plan: what a query gives is known only when it has run")
    now = datetime.now(timezone.utc)
    run_id = args.run_id or f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    return Settings(
        input=tuple(args.input or ()),
        run_uri=storage.join(storage.absolute(args.output), run_id),
        run_id=run_id,
        pipeline_name=args.pipeline_name,
        query=args.query,
        project=args.project,
        examples=not args.no_examples,
        splits=_splits(args.splits or ("all:1" if args.no_examples else "train:2,eval:1")),
        split_key=args.split_key,
        schema=_schema(args.schema),
        dialect=Dialect(
            delimiter=args.delimiter,
            quote=args.quote,
            encoding=args.encoding,
            null_values=_columns(args.null_values),
            columns=_columns(args.column_names),
            max_field_bytes=args.max_field_bytes,
        ),
        max_rejects=args.max_rejects,
        max_reject_ratio=args.max_reject_ratio,
        num_shards=args.num_shards,
        unit_bytes=args.unit_bytes,
        batch_bytes=args.batch_bytes,
        gzip_level=args.gzip_level,
        statistics=StatisticsSettings(
            args.histogram_buckets,
            args.quantile_buckets,
            args.top_k,
            args.weight_feature,
            _columns(args.stats_features),
            _columns(args.slice_features),
        ),
    )


def _columns(text: str) -> tuple[str, ...]:
    """Return comma-separated names; one with a comma in it is quoted as in a CSV file."""
    return tuple(next(csv.reader([text]), ()))


def _splits(text: str) -> tuple[Split, ...]:
    parts = [re.fullmatch(r"([^:]+):(\d+)", part) for part in text.split(",")]
    if not all(parts):
        raise UsageError(f"--splits {text!r}: give NAME:WEIGHT,NAME:WEIGHT with whole weights, e.g. train:2,eval:1")
    return tuple(Split(part[1], int(part[2])) for part in parts if part)


def _schema(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return storage.read_bytes(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--schema {path}: cannot be read: {error}") from None


def metadata_uri(args: argparse.Namespace) -> str:
    """Return the URI of the ML Metadata store, `none` where there is no record."""
    if args.metadata_store:
        return str(args.metadata_store)
    output = storage.absolute(args.output)
    return "none" if storage.is_remote(output) else f"sqlite:///{output}/metadata.sqlite"
