"""Inline SVG: charts, bars and the lineage. Sizes are attributes, since the page allows no inline styles."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from beam_taxi.report import ticks
from beam_taxi.report.chart import COLUMNS, HISTOGRAM, Chart, describe
from beam_taxi.report.overview import Counts, Provenance

_TOP, _TALL, _STRIP = 6, 150, 6
"""Pixels above the bars, of the bars, and of a strip that marks quartiles."""

_SCALE = 200
"""Height of the bars in units of their coordinates."""

_LEFT = 8.0
"""Percentage of the width for labels at the left."""

_END = 6.0
"""Percentage of the width for the bar of the values beyond an end."""

_CROWDED = 40
"""Characters of labels of columns that fit on a phone and on paper."""

_GRID = 3
_SPARK_BARS, _SPARK_HEIGHT = 24, 24


def draw_chart(name: str, chart: Chart) -> Markup:
    """Return a chart with its axes: the first sample filled, the others as outlines, all to the same scale."""
    shares = [chart.shares(i) for i in range(len(chart.labels))]
    peak = max((share for one in shares for share in one), default=0.0) or 1.0
    start, end = _LEFT, 100.0
    parts = [_grid(peak)]
    if chart.below is not None:
        parts.append(_bars([one[:1] for one in shares], peak, start, _END - 1, gap=False, extra=" over"))
        start += _END
    if chart.above is not None:
        end -= _END
        parts.append(_bars([one[-1:] for one in shares], peak, end + 1, _END - 1, gap=False, extra=" over"))
    first = 0 if chart.below is None else 1
    inner = [one[first : first + len(chart.bars)] for one in shares]
    parts.append(_bars(inner, peak, start, end - start, chart.form == COLUMNS))
    base = _TOP + _TALL
    parts.append(Markup('<line class="axis" x2="100%" y1="{0}.5" y2="{0}.5"/>').format(base))
    parts += [_quartiles(number, one, start, end, base) for number, one in enumerate(chart.quartiles)]
    base += 2 + _STRIP * sum(any(q is not None for q in one) for one in chart.quartiles)
    parts += _labels(chart, start, end, base)
    head = Markup('<svg class="chart" height="{}" role="img" data-ends="{} {}"><title>{}</title>').format(
        base + 16, int(chart.below is not None), int(chart.above is not None), f"{name}, {describe(chart)}"
    )
    return head + Markup("").join(parts) + Markup("</svg>")


def _grid(peak: float) -> Markup:
    """Return lines at round shares, with labels."""
    parts = []
    for tick in ticks.ticks(0, 100 * peak, _GRID):
        y = _TOP + round(_TALL * (1 - tick.place))
        line = '<line class="grid" x1="{0}%" x2="100%" y1="{1}.5" y2="{1}.5"/>'
        text = '<text class="y" x="{0}%" y="{2}" dx="-4">{3}%</text>'
        if tick.place:
            parts.append(Markup(line + text).format(_short(_LEFT), y, max(y + 4, 10), tick.label))
    return Markup("").join(parts)


def _bars(
    shares: Sequence[Sequence[float]], peak: float, start: float, width: float, gap: bool, extra: str = ""
) -> Markup:
    """Return bars in a part of the width, which is given in percent."""
    paths = [
        Markup('<path class="s{}{}" d="{}"/>').format(number, extra, _path(one, peak, _SCALE, gap))
        for number, one in enumerate(shares)
        if any(one)
    ]
    box = (
        '<svg x="{}%" y="{}" width="{}%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" overflow="visible">'
    )
    size = (10 if gap else 1) * len(shares[0])
    return (
        Markup(box).format(_short(start), _TOP, _short(width), _TALL, size, _SCALE)
        + Markup("").join(paths)
        + Markup("</svg>")
    )


def _path(shares: Sequence[float], peak: float, height: int, gap: bool) -> str:
    """Return the outline of bars, each 1 wide, or 8 wide and 2 apart; none that has a count is too low to see."""
    tops = [height - max(round(height * share / peak), 1 if share else 0) for share in shares]
    if gap:
        return "".join(f"M{10 * i + 1} {height}V{top}h8V{height}z" for i, top in enumerate(tops) if top < height)
    path, previous = [f"M0 {height}"], height
    for i, top in enumerate(tops):
        if top != previous:
            path.append(f"H{i}V{top}" if i else f"V{top}")
        previous = top
    return "".join(path) + f"H{len(tops)}V{height}z"


def _quartiles(number: int, places: Sequence[float | None], start: float, end: float, base: int) -> Markup:
    """Return a strip from the 25th to the 75th percentile, and a mark at the median."""
    low, middle, high = places
    y = base + 3 + _STRIP * number
    parts = []
    if low is not None and high is not None:
        box = '<rect class="q s{}" x="{}%" y="{}" width="{}%" height="4"/>'
        width = max((high - low) * (end - start), 0.3)
        parts.append(Markup(box).format(number, _short(start + low * (end - start)), y, _short(width)))
    if middle is not None:
        mark = '<rect class="median" x="{}%" y="{}" width="2" height="6" transform="translate(-1)"/>'
        parts.append(Markup(mark).format(_short(start + middle * (end - start)), y - 1))
    return Markup("").join(parts)


def _labels(chart: Chart, start: float, end: float, base: int) -> list[Markup]:
    """Return the labels below the axis; of many, every other is `odd`, and left out where there is little room."""
    places = [(tick.place, tick.label) for tick in chart.ticks]
    if chart.form == COLUMNS:
        places = [((i + 0.5) / len(chart.bars), bar.label) for i, bar in enumerate(chart.bars)]
    ends = ((chart.below, start - _END / 2, "«"), (chart.above, end + _END / 2, "»"))
    parts = [
        Markup('<text x="{}%" y="{}">{}</text>').format(_short(x), base + 12, sign) for bar, x, sign in ends if bar
    ]
    is_crowded = chart.form == HISTOGRAM or sum(len(label) + 1 for _, label in places) > _CROWDED
    for number, (place, label) in enumerate(places):
        x = start + place * (end - start)
        anchor = " end" if x > 97 else " start" if x < _LEFT + 2 and chart.form == HISTOGRAM else ""
        text = '<text class="x{}{}" x="{}%" y="{}">{}</text>'
        parts.append(
            Markup(text).format(" odd" if is_crowded and number % 2 else "", anchor, _short(x), base + 12, label)
        )
    return parts


def draw_spark(chart: Chart, labels: Sequence[str]) -> Markup:
    """Return a small picture of the bars, without axes."""
    shares = [chart.shares(chart.labels.index(label)) if label in chart.labels else () for label in labels]
    gap = chart.form != HISTOGRAM
    if gap:
        shares = [one[:_SPARK_BARS] for one in shares]
    elif len(chart.all_bars) > _SPARK_BARS:
        shares = [tuple(sum(one[i : i + 2]) for i in range(0, len(one), 2)) for one in shares]
    peak = max((share for one in shares for share in one), default=0.0) or 1.0
    paths = [
        Markup('<path class="s{}" d="{}"/>').format(number, _path(one, peak, _SPARK_HEIGHT, gap))
        for number, one in enumerate(shares)
        if any(one)
    ]
    box = '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">'
    size = (10 if gap else 1) * max(map(len, shares), default=1)
    return Markup(box).format(size, _SPARK_HEIGHT) + Markup("").join(paths) + Markup("</svg>")


def draw_bars(shares: Sequence[float], peak: float) -> Markup:
    """Return a bar for each share, relative to `peak`, the largest share of the column; its numbers are text."""
    bars = []
    for number, share in enumerate(shares):
        width = _short(max(100 * share / (peak or 1.0), 0.3 if share else 0.0))
        bars.append(Markup('<rect class="s{}" width="{}%" height="12" y="1"/>').format(number, width))
    return Markup('<svg class="bar" aria-hidden="true">{}</svg>').format(Markup("").join(bars))


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


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


_BOX, _GAP, _BOX_HEIGHT = 158, 34, 52


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
            boxes.append(Markup(arrow).format(x - _GAP + 3, _BOX_HEIGHT // 2, _GAP - 6))
        boxes.append(
            Markup('<rect x="{}" y="1" width="{}" height="{}" rx="5"/>').format(x + 1, _BOX - 2, _BOX_HEIGHT - 2)
        )
        boxes.append(Markup('<text class="strong" x="{}" y="22">{}</text>').format(x + _BOX // 2, title))
        boxes.append(Markup('<text x="{}" y="39">{}</text>').format(x + _BOX // 2, text))
    width = len(chain) * (_BOX + _GAP) - _GAP
    label = escape(" leads to ".join(title for title, _ in chain))
    head = '<svg class="lineage" viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}">'
    return Markup(head).format(width, _BOX_HEIGHT, width, label) + Markup("").join(boxes) + Markup("</svg>")
