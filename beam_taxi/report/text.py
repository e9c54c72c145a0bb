"""The report as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from beam_taxi.report.chart import HISTOGRAM, Chart
from beam_taxi.report.features import Feature
from beam_taxi.report.figures import percent, plural
from beam_taxi.report.model import Report

_BLOCKS = " ▁▂▃▄▅▆▇█"
_BARS, _FEWEST_BARS = 24, 8

_SIGNS = {"error": "✖", "warning": "!", "info": "-"}

_LISTED = 30
"""Maximum number of findings and changes listed; the page has all of them."""

_NARROW = 40
"""Fewest characters to which text is wrapped."""


def render(report: Report, width: int) -> str:
    """Return the report in lines of at most `width` characters, but at least 40."""
    width = max(width, _NARROW)
    return "\n".join(line for text in _lines(report, width) for line in text) + "\n"


def _lines(report: Report, width: int) -> Iterator[list[str]]:
    compared = f", compared with {report.baseline}" if report.baseline else ""
    yield _wrap(f"{report.title}  {report.subtitle}{compared}".rstrip(), width)
    yield _wrap(f"{report.verdict.title.upper()}  {report.verdict.text}", width)
    facts = (f"{figure.text} {label}" + f" ({parts})" * bool(parts) for label, figure, parts in report.facts)
    yield _wrap("; ".join(facts), width)
    if report.counts is not None:
        parts = " + ".join(f"{part.name} {part.count:,}" for part in report.counts.parts)
        yield _wrap(
            f"{report.counts.records:,} records = {parts}; {plural(report.counts.blank_lines, 'blank line')}", width
        )
        yield _wrap(report.counts.splitting, width)
        for code, count, share in report.counts.rejects:
            yield _wrap(f"  rejected: {code} {count:,} ({share})", width, "    ")
        for warning in report.counts.warnings:
            yield _wrap(f"  warning: {warning}", width, "    ")
    if report.changes is not None:
        yield ["", *_wrap(report.changes.text, width)]
        for one in report.changes.found[:_LISTED]:
            yield _wrap(f"  {one.name}  {one.text}", width, "      ")
        yield _more(len(report.changes.found), "change")
    yield from _findings(report, width)
    yield [""]
    yield list(_table(report, width))


def _findings(report: Report, width: int) -> Iterator[list[str]]:
    yield ["", plural(len(report.findings), "finding") + (", the most important first" if report.findings else "")]
    for one in report.findings[:_LISTED]:
        names = ", ".join(link.name for link in one.links[:6])
        more = f" and {len(one.links) - 6} more" if len(one.links) > 6 else ""
        start = f"{names}{more}  " if names else ""
        yield _wrap(f"{_SIGNS.get(one.severity, '-')} {start}{one.title}: {one.text}", width, "    ")
    yield _more(len(report.findings), "finding")


def _more(count: int, noun: str) -> list[str]:
    return [f"  and {plural(count - _LISTED, f'more {noun}')} in report.html"] if count > _LISTED else []


def _wrap(text: str, width: int, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _table(report: Report, width: int) -> Iterator[str]:
    compared = any(feature.comparisons for feature in report.features)
    head = ("column", "type", "missing", "distinct", "median", *(("difference",) if compared else ()))
    rows = [head, *(_row(feature, compared) for feature in report.features)]
    widths = [min(max(len(row[i]) for row in rows), max(24, width // 4)) for i in range(len(head))]
    for dropped in (head.index("median"), head.index("distinct")):
        if sum(widths) + 2 * len(widths) + _FEWEST_BARS > width:
            rows = [(*row[:dropped], *row[dropped + 1 :]) for row in rows]
            del widths[dropped]
    yield _cut(f"{_columns(rows[0], widths)}  values ({report.main})", width)
    room = width - sum(widths) - 2 * len(widths)
    for row, feature in zip(rows[1:], report.features, strict=True):
        yield _cut(f"{_columns(row, widths)}  {_values(feature, room)}".rstrip(), width)


def _row(feature: Feature, compared: bool) -> tuple[str, ...]:
    missing = percent(feature.figure("missing").order or 0.0)
    median = feature.figure("median").text
    # Of dates the day is enough.
    median = median[: len("≈2014-08-05")].strip() if feature.span else median
    found = (feature.name, feature.type, missing, feature.figure("distinct").text, median)
    return (*found, _difference(feature)) if compared else found


def _difference(feature: Feature) -> str:
    worst = feature.worst
    if worst is None or worst.distance is None:
        return f"! {worst.words}" if worst is not None and worst.exceeds else "not computed"
    distance = worst.distance
    return f"{'!' if worst.exceeds else ' '} {distance.method:<2} {distance.value:.3f} (noise {distance.floor:.3f})"


def _columns(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_cut(cell, width).ljust(width) for cell, width in zip(cells, widths, strict=True))


def _values(feature: Feature, room: int) -> str:
    """Return bars between the ends of the values, bars alone where there is little room, or frequent values."""
    chart = feature.main_chart
    if chart is None:
        return ""
    shares = chart.shares(chart.labels.index(feature.samples[feature.main]))
    if not any(shares):
        return ""
    if chart.form != HISTOGRAM:
        return _frequent(chart, shares)
    ends = [feature.figure(label).text for label in ("min", "max")]
    bars = min(_BARS, room - len("  ".join(ends)))
    if bars < _FEWEST_BARS:
        ends, bars = ["", ""], min(_BARS, max(room, 1))
    step = -(-len(shares) // bars)
    joined = [sum(shares[i : i + step]) for i in range(0, len(shares), step)]
    peak = max(joined) or 1.0
    # A bar that is not empty is seen.
    blocks = "".join(_BLOCKS[max(round(8 * share / peak), 1 if share else 0)] for share in joined)
    return f"{ends[0]} {blocks} {ends[1]}".strip()


def _frequent(chart: Chart, shares: Sequence[float]) -> str:
    pairs = zip(chart.bars, shares, strict=False)
    top = sorted(pairs, key=lambda pair: -pair[1])[:3]
    return ", ".join(f"{bar.label} {percent(share)}" for bar, share in top)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
