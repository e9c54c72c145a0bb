"""Run the job: `python -m beam_taxi.main --input 'data/*.csv' --output out/`, the same as `beam-taxi run`."""

from __future__ import annotations

from collections.abc import Sequence

from beam_taxi.cli import run
from beam_taxi.launch.interrupts import leave


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job, and return its exit status.

    0: done; 1: failed; 2: bad usage or a failed check; 3: the data were refused; 4: done, but not accepted.
    """
    return run.main(argv, prog="python -m beam_taxi.main")


if __name__ == "__main__":
    leave(main())
