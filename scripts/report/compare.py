"""Compare reports: plant thirty faults in three tables, and print how many of them each report names.

Usage: .venv/bin/python scripts/report/compare.py [--rows 20000] [--seed 1] [--folder DIR] [--peers NAME ...]

Each table gets ten faults. A report names a fault if a text of at most 600 characters has the names of its columns and
says what is wrong, on the first screen (1280 by 900) or anywhere in the page. The findings of `report --json` are
looked at, too, and false alarms are those of severity warning or error on the same tables without faults. Sizes and
seconds are means of the three tables; seconds are those of the process, with its imports, and ours also write the
Examples. The peers are installed in a folder that is removed at the end, unless --folder keeps it for the next time.
Needs uv, chromium and chromium-driver, after scripts/setup.sh --dev.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402
from contenders import OURS, PEER_REPORTS, Peer, Report, our_json, run_ours  # noqa: E402
from faults import FAULTS, Fault, planted  # noqa: E402
from screen import texts  # noqa: E402
from selenium.webdriver import Chrome  # noqa: E402
from tables import TABLES, Table  # noqa: E402

from beam_taxi.report.findings.finding import INFO  # noqa: E402
from tests.report.browser import MISSING, chromium, is_missing  # noqa: E402

TOP = 5
FIRST, ANYWHERE = "first screen", "anywhere"
Named = Mapping[str, Mapping[str, Collection[str]]]
"""The names of the faults that each contender names, by where it does."""


def main() -> int:
    """Print the tables; return 0 if done, 2 if the browser is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep environments, tables and reports here")
    names = [one.name for one in PEER_REPORTS]
    parser.add_argument("--peers", nargs="*", choices=names, default=names, metavar="NAME", help=", ".join(names))
    args = parser.parse_args()
    if is_missing():
        print(f"compare: {MISSING}", file=sys.stderr)
        return 2
    peers = [one for one in PEER_REPORTS if one.name in args.peers]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="run-", ignore_cleanup_errors=True) as output:
            _compare(folder, Path(output), args.rows, args.seed, peers)
    return 0


def _compare(folder: Path, output: Path, rows: int, seed: int, peers: Sequence[Peer]) -> None:
    reports: dict[str, list[Report]] = defaultdict(list)
    named: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    alarms: list[str] = []
    with chromium() as browser:
        for table in TABLES:
            clean = table.make(rows, seed)
            path = _written(clean, folder / f"{table.name}-clean.csv")
            run_ours(path, output, f"{table.name}-clean", table.arguments)
            found = our_json(output / f"{table.name}-clean")
            alarms += [f"{table.name}: {one['text']}" for one in found["findings"] if one["severity"] != INFO]
            faulty = planted(table.name, clean, seed, _held_out(table, found))
            path = _written(faulty, folder / f"{table.name}.csv")
            reports[OURS].append(run_ours(path, output, table.name, table.arguments))
            for peer in peers:
                reports[peer.name].append(peer.report(path, folder / f"{table.name} {peer.name}.html", folder))
            faults = [one for one in FAULTS if one.table == table.name]
            for name, made in reports.items():
                _look(browser, made[-1].page, faults, [*faulty], named[name])
            _look_at_findings(our_json(output / table.name)["findings"], faults, named)
    print(_summary(reports, named))
    print(f"\nFalse alarms of {OURS} on the tables without faults: {len(alarms)}", *alarms, sep="\n- ")
    print(f"\n{_details(reports, named)}")


def _written(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path, index=False)
    return path


def _held_out(table: Table, found: Mapping[str, Any]) -> Collection[str]:
    """Return the values of the key by which rows are split that are not for training."""
    for feature in found["features"]:
        if feature["name"] == table.split_key:
            return {one["value"] for one in feature["splits"]["eval"]["values"]["counts"]}
    return ()


def _look(
    browser: Chrome, page: Path, faults: Sequence[Fault], columns: Sequence[str], named: Mapping[str, set[str]]
) -> None:
    for place, found in zip((FIRST, ANYWHERE), texts(browser, page), strict=True):
        named[place].update(one.name for one in faults if any(one.is_named_by(text, columns) for text in found))


def _look_at_findings(
    findings: Sequence[Mapping[str, Any]], faults: Sequence[Fault], named: Mapping[str, Mapping[str, set[str]]]
) -> None:
    for place, found in ((FIRST, findings[:TOP]), (ANYWHERE, findings)):
        for fault in faults:
            is_named = any(one["kind"] in fault.kinds and {*fault.columns} <= {*one["features"]} for one in found)
            if is_named:
                named["findings"][place].add(fault.name)


def _summary(reports: Mapping[str, Sequence[Report]], named: Named) -> str:
    lines = ["| | faults on the first screen | anywhere | kB | seconds |", "|---|---|---|---|---|"]
    for name, made in reports.items():
        size = sum(one.page.stat().st_size for one in made) / len(made) / 1000
        seconds = sum(one.seconds for one in made) / len(made)
        counts = f"{len(named[name][FIRST])} | {len(named[name][ANYWHERE])}"
        lines.append(f"| {name} | {counts} | {size:,.0f} | {seconds:.1f} |")
    found = named["findings"]
    lines.append(
        f"| {OURS} `report --json`: first {TOP}, all findings | {len(found[FIRST])} | {len(found[ANYWHERE])} | | |"
    )
    return "\n".join(lines)


def _details(reports: Mapping[str, Sequence[Report]], named: Named) -> str:
    """Return where each fault is named: 1 on the first screen or among the first findings, + anywhere."""
    names = [*reports, "findings"]
    lines = [f"| table | fault | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for fault in FAULTS:
        marks = [
            "1" if fault.name in named[n][FIRST] else "+" if fault.name in named[n][ANYWHERE] else "" for n in names
        ]
        lines.append(f"| {fault.table} | {fault.name} | {' | '.join(marks)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
