"""Write a synthetic sample of taxi trips: `beam-taxi sample --rows N --out FILE`."""

from __future__ import annotations

from collections.abc import Sequence

from beam_taxi.cli.terminal import print_error


def main(argv: Sequence[str] | None = None, prog: str = "beam-taxi sample") -> int:
    """Write the sample; return 0 if done, 1 if it cannot be written. Bad arguments raise SystemExit with status 2."""
    try:
        from beam_taxi.samples import taxi
    except ModuleNotFoundError as error:
        if error.name != "beam_taxi.samples":
            raise
        print_error("this installation, like that of a worker, does not contain beam_taxi.samples", 2)
        return 2
    return taxi.main(argv, prog)
