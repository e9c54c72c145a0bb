"""The report as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from beam_taxi.report.features import Feature
from beam_taxi.report.figures import percent, plural
from beam_taxi.report.model import Report

_BLOCKS = " ▁▂▃▄▅▆▇█"

_LISTED = 8
"""Maximum number of features listed for a finding; the page has all of them."""


def render(report: Report, width: int) -> str:
    """Return the report in lines of at most `width` characters, except for what cannot be cut without losing it."""
    return "\n".join(_lines(report, width)) + "\n"


def _lines(report: Report, width: int) -> Iterator[str]:
    compared = f", compared with {report.baseline}" if report.baseline else ""
    yield f"{report.title}  {report.subtitle}{compared}"
    yield f"{report.verdict.title.upper()}  {report.verdict.text}"
    if report.counts is not None:
        parts = " + ".join(f"{part.name} {part.count:,}" for part in report.counts.parts)
        yield f"{report.counts.records:,} records = {parts}; {plural(report.counts.blank_lines, 'blank line')}"
        for code, count, share in report.counts.rejects:
            yield f"  rejected: {code} {count:,} ({share})"
        for warning in report.counts.warnings:
            yield f"  warning: {warning}"
    for group in report.groups:
        yield ""
        kind = "failed: " if group.kind == "anomaly" else ""
        yield f"{'-' if group.kind == 'note' else '!'} {kind}{group.reason} ({plural(group.features, 'feature')})"
        for _, name, detail in group.members[:_LISTED]:
            yield _cut(f"    {name}  {detail}", width)
        if len(group.members) > _LISTED:
            yield f"    and {len(group.members) - _LISTED:,} more"
    yield ""
    yield from _table(report, width)


def _table(report: Report, width: int) -> Iterator[str]:
    several = any(feature.comparisons for feature in report.features)
    head = ("feature", "type", "absent", *(("distance",) if several else ()))
    rows = [head, *(_row(feature, several) for feature in report.features)]
    widths = [min(max(len(row[i]) for row in rows), 40) for i in range(len(head))]
    yield _cut(_columns(head, widths) + f"  values ({report.drawn[0][0]})" if report.drawn else "", width)
    for row, feature in zip(rows[1:], report.features, strict=True):
        yield _cut(f"{_columns(row, widths)}  {_values(feature)}".rstrip(), width)


def _row(feature: Feature, several: bool) -> tuple[str, ...]:
    found = (feature.name, feature.kind, percent(feature.absent))
    if not several:
        return found
    if not feature.comparisons:
        return (*found, "not computed")
    worst = max(feature.comparisons, key=lambda one: (one.exceeds, one.distance.value))
    sign = "!" if worst.exceeds else " "
    distance = worst.distance
    return (*found, f"{sign}{distance.method:<2} {distance.value:.3f} (noise {distance.floor:.3f})")


def _columns(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_cut(cell, width).ljust(width) for cell, width in zip(cells, widths, strict=True))


def _values(feature: Feature) -> str:
    if feature.histogram is not None:
        shares = feature.histogram.shares[0]
        peak = max(shares) or 1.0
        blocks = "".join(_BLOCKS[round(8 * share / peak)] for share in shares)
        return f"{feature.histogram.low} {blocks} {feature.histogram.high}"
    if feature.top is not None:
        return ", ".join(f"{value.text} {percent(value.shares[0])}" for value in feature.top.drawn[:3])
    return ""


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
