"""Record a finished run: `python -m beam_taxi.record --manifest RUN/manifest.json --metadata_store URI`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from beam_taxi.errors import BeamTaxiError, UsageError
from beam_taxi.metadata.address import parse_address
from beam_taxi.metadata.recorder import record
from beam_taxi.run.folder import read_manifest


def main(argv: Sequence[str] | None = None) -> int:
    """Record the run and print its ids; returns 0 done, 1 failed, 2 bad usage."""
    parser = argparse.ArgumentParser(prog="python -m beam_taxi.record", description=__doc__, allow_abbrev=False)
    parser.add_argument("--manifest", required=True, help="manifest.json of the run, or its folder, also gs://")
    parser.add_argument("--metadata_store", required=True, metavar="URI", help="as of beam_taxi.main")
    parser.add_argument("--metadata_password_file", metavar="FILE", help="as of beam_taxi.main")
    args = parser.parse_args(argv)
    try:
        store = parse_address(args.metadata_store, args.metadata_password_file)
        if store is None:
            raise UsageError("--metadata_store none: nothing would be recorded")
        ids = record(read_manifest(args.manifest), store)
    except BeamTaxiError as error:
        print(f"beam_taxi: error: {error}", file=sys.stderr)
        return error.exit_status
    for name, id_ in ids.items():
        print(f"{name:<14} {id_}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
