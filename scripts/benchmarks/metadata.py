"""Time the commands on stores with more and more runs of one pipeline over the same input files; print a table.

Usage: .venv/bin/python scripts/benchmarks/metadata.py [--runs 100,1000,10000] [--stores sqlite,mariadb] [--repeat 5]
After scripts/setup.sh --dev; needs mariadb-server. Each figure is the least of some repetitions: the CPU
seconds of the process and of MariaDB's, which others on the machine do not add to, without the imports of libraries.
Each time the store is opened anew. Filling MariaDB with 10,000 runs takes minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from beam_taxi.cli import runs  # noqa: E402
from beam_taxi.metadata.address import parse_address  # noqa: E402
from beam_taxi.metadata.cache import look_up  # noqa: E402
from beam_taxi.metadata.queries import accepted_runs, latest_schema  # noqa: E402
from beam_taxi.metadata.recorder import fail, init, record, start  # noqa: E402
from beam_taxi.run.manifest import RunManifest  # noqa: E402
from tests.metadata.bulk import fill  # noqa: E402
from tests.metadata.conftest import MariaDB, running  # noqa: E402
from tests.metadata.runs import manifest  # noqa: E402

Works = dict[str, Callable[[], object]]


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each command, with a column for each store and number of runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", default="100,1000,10000", help="numbers of runs (default: %(default)s)")
    parser.add_argument("--stores", default="sqlite,mariadb", help="stores (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="times that each command is timed (default: %(default)s)")
    args = parser.parse_args(argv)
    counts, stores = [int(one) for one in args.runs.split(",")], args.stores.split(",")
    os.environ["PATH"] += ":/usr/sbin"
    os.environ["BEAM_TAXI_METADATA_PASSWORD"] = MariaDB.password
    columns: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for name in stores:
            server = stack.enter_context(running()) if name == "mariadb" else None
            uri = server.tcp("bench") if server else f"sqlite:///{folder}/m.sqlite"
            clock = partial(_cpu_seconds, server)
            init(uri)
            there = 0
            for count in counts:
                began = time.monotonic()
                fill(uri, _run(folder, 0), [_run_id(number) for number in range(max(there, 1), count)])
                print(f"{name}: {count:,} runs after {time.monotonic() - began:.0f} s", file=sys.stderr)
                works = _works(uri, folder, count)
                columns[f"{name} {count:,}"] = {
                    what: min(_seconds(work, clock) for _ in range(args.repeat)) for what, work in works.items()
                }
                there = count
    print(f"| CPU seconds | {' | '.join(columns)} |")
    print(f"|---|{'---:|' * len(columns)}")
    for what in next(iter(columns.values())):
        print(f"| {what} | {' | '.join(f'{column[what]:.2f}' for column in columns.values())} |")
    return 0


def _run_id(number: int) -> str:
    return f"run-{number:06}"


def _run(folder: str, number: int) -> RunManifest:
    """Return the manifest of a run, which is also written to its folder."""
    run = manifest(_run_id(number))
    path = Path(folder, run.run_id)
    path.mkdir(exist_ok=True)
    run = dataclasses.replace(run, run_uri=str(path), settings=dataclasses.replace(run.settings, run_uri=str(path)))
    (path / "manifest.json").write_text(run.to_json_text())
    return run


def _works(uri: str, folder: str, count: int) -> Works:
    """Return what is timed, in a store with `count` runs, by name."""
    store = parse_address(uri)
    assert store is not None
    address = store
    newest = _run(folder, count - 1)
    other = dataclasses.replace(
        newest, inputs=tuple(dataclasses.replace(one, content_hash="x") for one in newest.inputs)
    )
    names = (f"new-{count}-{number}" for number in range(1_000_000))
    started: list[RunManifest] = []

    def start_one() -> None:
        run = dataclasses.replace(newest, run_id=next(names))
        start(dataclasses.replace(run, artifacts={}), address, "FnApiRunner")
        started.append(run)

    commands = ["list", "list --pipeline taxi", f"show {newest.run_id}", f"lineage {newest.run_id}"]
    commands.append(f"diff {newest.run_id} {_run_id(0)}")
    shown = {f"`runs {one.replace(newest.run_id, 'RUN').replace(_run_id(0), 'RUN')}`": one for one in commands}
    return {
        **{name: lambda words=words: _ask(words, uri) for name, words in shown.items()},
        "`latest_schema`": lambda: latest_schema(address, "taxi"),
        "`--baseline previous`": lambda: accepted_runs(address, "taxi"),
        "`--cache`, other content": lambda: look_up(newest, address, lambda: other),
        "start of a run": start_one,
        "end of a run": lambda: record(started.pop(), address),
        "failure of a run, with its start": lambda: (start_one(), fail(started.pop().run_id, address, "x")),
    }


def _ask(words: str, uri: str) -> None:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert runs.main([*words.split(), "--metadata_store", uri]) == 0


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    before = clock()
    work()
    return clock() - before


def _cpu_seconds(server: MariaDB | None) -> float:
    """Return the CPU seconds so far of this process, of its children that have ended, and of a server."""
    own = sum(os.times()[:4])
    if server is None:
        return own
    assert server._server is not None
    fields = Path(f"/proc/{server._server.pid}/stat").read_text().rpartition(")")[2].split()
    return own + sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
