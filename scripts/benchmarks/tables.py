"""The figures of a benchmark as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contenders import Contender, medians

_HEAD = ("", "cores", "seconds", "with start-up", "rows/s", "peak MB", "written MB", "times the job", "times DuckDB")


def table(measured: Sequence[Contender], rows: int) -> Iterator[str]:
    """Yield the lines of a table of medians.

    How many times as long as the job, or as DuckDB, a contender takes is told on its own number of cores, or on the
    most cores if the other one did not run on that number.
    """
    yield f"| {' | '.join(_HEAD)} |"
    yield f"|---{'|---:' * (len(_HEAD) - 1)}|"
    by_name = {(one.name, one.cores): medians(one) for one in measured if one.found}
    for one in measured:
        if not one.found:
            continue
        found = by_name[one.name, one.cores]
        cells = [
            f"**{one.name}**: {one.what}" if one.what else one.name,
            str(one.cores),
            f"{found['run']:.2f}",
            f"{found['all']:.2f}",
            f"{rows / found['run']:,.0f}",
            f"{found['peak_mb']:,.0f}",
            f"{found['written_mb']:,.1f}",
            *(_ratio(found["run"], by_name, base, one.cores) for base in ("job", "duckdb")),
        ]
        yield f"| {' | '.join(cells)} |"


def parts(measured: Sequence[Contender]) -> Iterator[str]:
    """Yield a line for each part of the job, if they were measured."""
    for one in measured:
        found = medians(one) if one.found else {}
        yield from (f"- {name[5:]}: {time_:.2f} s" for name, time_ in found.items() if name.startswith("part "))


def _ratio(run: float, by_name: dict[tuple[str, int], dict[str, float]], base: str, cores: int) -> str:
    counts = [count for name, count in by_name if name == base]
    if not counts:
        return ""
    return f"{run / by_name[base, cores if cores in counts else max(counts)]['run']:.2f}"
