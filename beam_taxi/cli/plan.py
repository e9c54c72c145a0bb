"""Show what a run would read and write, then exit: `beam-taxi plan` with the arguments of `beam-taxi run`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from beam_taxi.cli import run


def main(argv: Sequence[str] | None = None, prog: str = "beam-taxi plan") -> int:
    """Return 0, or 2 or 3 if the run would be refused."""
    return run.main([*(sys.argv[1:] if argv is None else argv), "--plan"], prog)
