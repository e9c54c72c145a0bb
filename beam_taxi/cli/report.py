"""Look at results: `python -m beam_taxi.report RUN|SPLIT|FILE [--baseline RUN] [--out FILE]`.

Prints the report of a run folder, the folder of a split or a file of statistics, also gs://; with --out it is
written as one HTML file instead, like the report.html of every run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence

from beam_taxi import storage
from beam_taxi.errors import BeamTaxiError, closed_pipe_ignored
from beam_taxi.report import model, results, text


def main(argv: Sequence[str] | None = None) -> int:
    """Print or write the report; returns 0 done, 1 failed, 2 bad usage."""
    description, details = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m beam_taxi.report", description=f"{description}\n{details}", allow_abbrev=False
    )
    parser.add_argument("source", metavar="RUN", help="folder of a run or of a split, or a file of statistics")
    parser.add_argument("--baseline", metavar="RUN", help="what to compare with: a run, a split or a file")
    parser.add_argument("--out", metavar="FILE", help="write HTML; the file must not exist")
    args = parser.parse_args(argv)
    try:
        with closed_pipe_ignored():
            _report(args.source, args.baseline, args.out)
    except BeamTaxiError as error:
        print(f"beam_taxi: error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def _report(uri: str, baseline: str | None, out: str | None) -> None:
    if out is not None:
        storage.check_new(out)
    report = model.build(results.read(uri), None if baseline is None else results.read(baseline))
    if out is None:
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        print(text.render(report, shutil.get_terminal_size((120, 24)).columns), end="", flush=True)
        return
    from beam_taxi.report import html

    content = html.render(report)
    storage.write_new(out, content)
    print(f"{out}  {len(content):,} bytes")


if __name__ == "__main__":
    sys.exit(main())
