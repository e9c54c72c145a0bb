"""Print a report: `beam-taxi report RUN|SPLIT|FILE [--baseline RUN] [--json | --out FILE]`.

The report is of a run folder, the folder of a split or a file of statistics, also gs://. With --json it is one JSON
object, for programs; with --out it is written as one HTML file instead, like the report.html of every run.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from beam_taxi import storage
from beam_taxi.cli.terminal import exit_status_of
from beam_taxi.flags import Parser
from beam_taxi.report import model, results, text
from beam_taxi.report.findings.find import find
from beam_taxi.report.json_form import report_json, to_text
from beam_taxi.run.folder import MANIFEST, RunFolder
from beam_taxi.run.profile import Profile
from beam_taxi.statistics.estimate import estimated_profile
from beam_taxi.statistics.read import read_statistics, statistics_of_run


def main(argv: Sequence[str] | None = None, prog: str = "python -m beam_taxi report") -> int:
    """Print or write the report; return 0 if done, 1 if failed, 2 for bad usage."""
    return exit_status_of(lambda: _main(argv, prog), argv)


def _main(argv: Sequence[str] | None, prog: str) -> int:
    description, details = (__doc__ or "").split("\n\n")
    parser = Parser(prog=prog, description=f"{description}\n{details}", allow_abbrev=False)
    parser.add_argument("source", metavar="RUN", help="folder of a run or of a split, or a file of statistics")
    parser.add_argument("--baseline", metavar="RUN", help="what to compare with: a run, a split or a file")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object, as described in docs/report_json.md")
    form.add_argument("--out", metavar="FILE", help="write HTML to this file, which must not exist")
    args = parser.parse_args(argv)
    if args.json:
        _print_json(args.source, args.baseline)
    else:
        _report(args.source, args.baseline, args.out)
    return 0


def _print_json(uri: str, baseline: str | None) -> None:
    source = results.read(uri)
    profile = _profile(uri, source)
    other = None if baseline is None else _profile(baseline, results.read(baseline))
    findings = find(profile, source.validation, other)
    print(to_text(report_json(profile, source.manifest, source.validation, findings)), end="", flush=True)


def _profile(uri: str, source: results.Results) -> Profile:
    """Return the profile of a run, or what the statistics say of it."""
    folder = storage.absolute(uri).removesuffix(f"/{MANIFEST}")
    if source.manifest is None:
        return estimated_profile(read_statistics(uri))
    if source.manifest.profile_file is not None:
        return RunFolder(folder).read_profile()
    return estimated_profile(statistics_of_run(folder, source.manifest), source.manifest.settings.statistics.label)


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
