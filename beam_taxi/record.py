"""Record a finished run: `python -m beam_taxi.record --manifest RUN/manifest.json --metadata_store URI`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Record the run and print its ids; returns 0 done, 1 failed, 2 bad usage."""
    parser = argparse.ArgumentParser(prog="python -m beam_taxi.record", description=__doc__, allow_abbrev=False)
    parser.add_argument("--manifest", required=True, help="manifest.json of the run, also gs://")
    parser.add_argument("--metadata_store", required=True, metavar="URI", help="sqlite:///PATH")
    args = parser.parse_args(argv)
    try:
        ids = _record(args.manifest, args.metadata_store)
    except BeamTaxiError as error:
        print(f"beam_taxi: error: {error}", file=sys.stderr)
        return error.exit_status
    for name, id_ in ids.items():
        print(f"{name:<14} {id_}")
    return 0


def _record(manifest_uri: str, store: str) -> dict[str, int]:
    try:
        manifest = json.loads(storage.read_bytes(manifest_uri))
    except OSError as error:
        raise UsageError(f"--manifest {manifest_uri}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise UsageError(f"--manifest {manifest_uri}: is not JSON: {error}") from None
    if not isinstance(manifest, dict) or "artifacts" not in manifest:
        raise UsageError(f"--manifest {manifest_uri}: is not the manifest of a run")
    from beam_taxi.metadata.recorder import record

    return record(manifest, store)


if __name__ == "__main__":
    sys.exit(main())
