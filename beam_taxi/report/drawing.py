"""Inline SVG: histograms, bars and the lineage. Sizes are attributes, since the page allows no inline styles."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from beam_taxi.report.features import Histogram
from beam_taxi.report.overview import Counts, Provenance

_WIDTH, _HEIGHT = 320, 88


def draw_histogram(name: str, histogram: Histogram, labels: Sequence[str]) -> Markup:
    """Return the histograms on top of each other: the first filled, the others as outlines."""
    peak = max((share for shares in histogram.shares for share in shares), default=0.0) or 1.0
    paths = []
    for number, shares in enumerate(histogram.shares):
        step = _WIDTH / len(shares)
        tops = [_HEIGHT - 1 - (_HEIGHT - 4) * share / peak for share in shares]
        # Up or down to the top of the bin, then across it.
        line = "".join(f"V{_short(top)}H{_short((i + 1) * step)}" for i, top in enumerate(tops))
        paths.append(Markup('<path class="s{}" d="M0 {}{}V{}Z"/>').format(number, _HEIGHT, line, _HEIGHT))
    text = f"Histogram of {name}: {_legend(labels)}"
    return Markup('<svg class="histogram" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img">').format(
        _WIDTH, _HEIGHT
    ) + Markup("<title>{}</title>{}</svg>").format(text, Markup("").join(paths))


def _legend(labels: Sequence[str]) -> str:
    rest = f", {', '.join(labels[1:])} as outline" if labels[1:] else ""
    return f"{labels[0]} filled{rest}"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def draw_bars(shares: Sequence[float], peak: float) -> Markup:
    """Return a bar for each share, relative to `peak`, the largest share of the feature; its numbers are text."""
    bars = []
    for number, share in enumerate(shares):
        width = _short(100 * share / (peak or 1.0))
        bars.append(Markup('<rect class="s{}" width="{}%" height="12" y="1"/>').format(number, width))
    return Markup('<svg class="bar" aria-hidden="true">{}</svg>').format(Markup("").join(bars))


def draw_parts(counts: Counts) -> Markup:
    """Return one bar, divided among the parts of the records by their shares."""
    rects, start = [], 0.0
    for number, part in enumerate(counts.parts):
        name = "p-rejected" if number == len(counts.parts) - 1 else f"p{number % 4}"
        shape = '<rect class="{}" x="{}%" width="{}%" height="14"><title>{}: {}</title></rect>'
        rects.append(Markup(shape).format(name, _short(100 * start), _short(100 * part.share), part.name, part.count))
        start += part.share
    text = ", ".join(f"{part.name} {part.count:,}" for part in counts.parts)
    return Markup('<svg class="parts" role="img" aria-label="{}">{}</svg>').format(text, Markup("").join(rects))


_BOX, _GAP, _TALL = 158, 34, 52


def draw_lineage(provenance: Provenance, inputs: int) -> Markup:
    """Return a diagram that leads from the input files through the artifacts, in the order of their derivation."""
    known = {one.name: one for one in provenance.artifacts}
    chain = [("Input", f"{inputs:,} file" + ("" if inputs == 1 else "s"))]
    for name in ("examples", "statistics", "schema", "anomalies"):
        if name in known:
            chain.append((known[name].type_name, known[name].content))
    boxes = []
    for number, (title, text) in enumerate(chain):
        x = number * (_BOX + _GAP)
        if number:
            arrow = '<path class="arrow" d="M{} {}h{}m-6 -4 6 4 -6 4"/>'
            boxes.append(Markup(arrow).format(x - _GAP + 3, _TALL // 2, _GAP - 6))
        boxes.append(Markup('<rect x="{}" y="1" width="{}" height="{}" rx="5"/>').format(x + 1, _BOX - 2, _TALL - 2))
        boxes.append(Markup('<text class="strong" x="{}" y="22">{}</text>').format(x + _BOX // 2, title))
        boxes.append(Markup('<text x="{}" y="39">{}</text>').format(x + _BOX // 2, text))
    width = len(chain) * (_BOX + _GAP) - _GAP
    label = escape(" leads to ".join(title for title, _ in chain))
    head = '<svg class="lineage" viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}">'
    return Markup(head).format(width, _TALL, width, label) + Markup("").join(boxes) + Markup("</svg>")
