"""Run all checks of a launch, then exit: `beam-taxi check` with the arguments of `beam-taxi run`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from beam_taxi.cli import run


def main(argv: Sequence[str] | None = None, prog: str = "beam-taxi check") -> int:
    """Return 0 if the launch may go, 2 if a check failed."""
    return run.main([*(sys.argv[1:] if argv is None else argv), "--preflight"], prog)
