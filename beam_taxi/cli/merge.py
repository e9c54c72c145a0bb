"""Merge the statistics of several runs: `beam-taxi merge RUN RUN … --output out/`.

The result is a run of statistics and schema, without Examples. The inputs are not read again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from beam_taxi import storage
from beam_taxi.cli import summary
from beam_taxi.cli.terminal import TerminalConsole, exit_status_of, print_error, waiting_for_store
from beam_taxi.errors import UsageError
from beam_taxi.flags import Parser
from beam_taxi.launch import interrupts
from beam_taxi.launch.beam_flags import BeamFlags
from beam_taxi.launch.claim import Claim
from beam_taxi.launch.command import check_output_uri, check_text, new_run_id, store_uri, wants_json
from beam_taxi.launch.merge import Merge, merged_settings, planned_merge
from beam_taxi.launch.options import Launch, LaunchOptions
from beam_taxi.launch.outcome import Done, Outcome, consequence, outcome_of
from beam_taxi.launch.parts import Part, open_parts
from beam_taxi.launch.quiet import Timings, quieten, silenced
from beam_taxi.launch.record import RunRecord
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.waiting import shown_by

_PIPELINE = ".merged"
"""Added to the name of the pipeline of the runs: `--baseline previous` finds its last run, not a merge of several."""


def main(argv: Sequence[str] | None = None, prog: str = "python -m beam_taxi merge") -> int:
    """Merge runs; return 0 if done, 1 if failed, 2 for bad usage, 3 if their columns do not go together."""
    words = sys.argv[1:] if argv is None else argv
    with interrupts.raised():
        return exit_status_of(lambda: _main(words, prog), argv, wants_json(words))


def _main(argv: Sequence[str], prog: str) -> int:
    quieten()
    for word in argv:
        check_text(word, "the argument")
    args = _parser(prog).parse_args(argv)
    console = TerminalConsole(args.log_format == "json")
    if len(args.runs) < 2:
        raise UsageError("merge needs at least two runs")
    check_output_uri(args.output)
    timings = Timings()
    with timings.part("checks"):
        parts = open_parts(args.runs)
    run_id = args.run_id or new_run_id()
    uri = storage.join(storage.absolute(args.output), run_id)
    settings = merged_settings(parts, uri, run_id, args.pipeline_name or _pipeline_name(parts))
    store = parse_address(store_uri(args.metadata_store, uri), args.metadata_password_file)
    options = LaunchOptions(metadata_store=args.metadata_store, log_format=args.log_format)
    launch = Launch(settings, options, BeamFlags([]), store)
    with shown_by(lambda: waiting_for_store(console)):
        return _merge(launch, parts, console, timings)


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=__doc__, allow_abbrev=False)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run, or its manifest.json, also gs://")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="folder in which the merged run gets its own")
    parser.add_argument("--run_id", metavar="RUN_ID", help="name of the merged run (default: as for `beam-taxi run`)")
    help_ = f"name in ML Metadata (default: that of the runs, with {_PIPELINE})"
    parser.add_argument("--pipeline_name", metavar="PIPELINE_NAME", help=help_)
    parser.add_argument("--metadata_store", metavar="URI", help="as for `beam-taxi run`")
    parser.add_argument("--metadata_password_file", metavar="FILE", help="as for `beam-taxi run`")
    parser.add_argument("--log_format", choices=("text", "json"), default="text", help="as for `beam-taxi run`")
    return parser


def _pipeline_name(parts: Sequence[Part]) -> str:
    """Return the default name of the pipeline. Raises UsageError if the runs are of several."""
    names = sorted({part.manifest.pipeline_name.removesuffix(_PIPELINE) for part in parts})
    if len(names) > 1:
        raise UsageError(f"the runs are of the pipelines {', '.join(names)}; choose a name with --pipeline_name")
    return names[0] + _PIPELINE


def _merge(launch: Launch, parts: Sequence[Part], console: TerminalConsole, timings: Timings) -> int:
    claim, record = Claim(launch, in_process=True), RunRecord(launch.store, launch.settings.run_id, console)
    with claim.until_job(record, console):
        claim.take()
        planned = planned_merge(parts, launch.settings)
        with timings.part("record"):
            record.start(planned, "merge", in_process=True, claim=claim.token)
        with timings.part("imports"), silenced():
            merge = Merge(record.lineage.namespace)
    with timings.part("merge"):
        outcome = outcome_of(lambda: merge(parts, planned, console), claim.folder, merge)
    if consequence(outcome).removes_folder:
        claim.release(console)
    return _end(launch, outcome, record, timings)


def _end(launch: Launch, outcome: Outcome, record: RunRecord, timings: Timings) -> int:
    with timings.part("record"):
        ids = record.end(outcome, on_worker=False)
    follows = consequence(outcome)
    if isinstance(outcome, Done):
        summary.print_end(launch, outcome.manifest, ids, timings)
        return follows.exit_status
    interrupt = interrupts.received()
    status = interrupt.exit_status if interrupt else follows.exit_status
    print_error(follows.message, status, launch.options.is_json)
    return status


if __name__ == "__main__":
    interrupts.leave(main())
