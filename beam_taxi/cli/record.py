"""Record a finished run: `beam-taxi record --manifest RUN/manifest.json --metadata_store URI`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from beam_taxi.cli.terminal import TerminalConsole, exit_status_of, waiting_for_store
from beam_taxi.errors import UsageError
from beam_taxi.flags import Parser
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.recorder import record
from beam_taxi.metadata.waiting import shown_by
from beam_taxi.run.folder import read_manifest


def main(argv: Sequence[str] | None = None, prog: str = "python -m beam_taxi record") -> int:
    """Record the run and print its ids; return 0 if done, 1 if failed, 2 for bad usage."""
    return exit_status_of(lambda: _record(argv, prog), argv)


def _record(argv: Sequence[str] | None, prog: str) -> int:
    parser = Parser(prog=prog, description=__doc__, allow_abbrev=False)
    parser.add_argument("--manifest", required=True, help="manifest.json of the run, or its folder, also gs://")
    parser.add_argument("--metadata_store", required=True, metavar="URI", help="as for `beam-taxi run`")
    parser.add_argument("--metadata_password_file", metavar="FILE", help="as for `beam-taxi run`")
    args = parser.parse_args(argv)
    store = parse_address(args.metadata_store, args.metadata_password_file)
    if store is None:
        raise UsageError("--metadata_store none: nothing would be recorded")
    console = TerminalConsole(as_json=False)
    with shown_by(lambda: waiting_for_store(console)):
        ids = record(read_manifest(args.manifest), store)
    for name, id_ in ids.items():
        print(f"{name:<14} {id_}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
