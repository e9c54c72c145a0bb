"""Write a synthetic sample of taxi trips: `beam-taxi sample --rows N --out FILE`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stderr

from beam_taxi.cli.terminal import exit_status_of
from beam_taxi.errors import UsageError
from beam_taxi.launch.stderr import terminal


def main(argv: Sequence[str] | None = None, prog: str = "python -m beam_taxi sample") -> int:
    """Write the sample; return 0 if done, 1 if it cannot be written. Bad arguments raise SystemExit with status 2."""
    return exit_status_of(lambda: _sample(argv, prog), argv)


def _sample(argv: Sequence[str] | None, prog: str) -> int:
    try:
        from beam_taxi.samples import taxi
    except ModuleNotFoundError as error:
        if error.name != "beam_taxi.samples":
            raise
        raise UsageError("this installation, like that of a worker, does not contain beam_taxi.samples") from error
    # It reports its own mistakes.
    with redirect_stderr(terminal()):
        return taxi.main(argv, prog)


if __name__ == "__main__":
    sys.exit(main())
