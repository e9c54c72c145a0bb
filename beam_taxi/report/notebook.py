"""The report in a notebook: tables and pictures that even an untrusted notebook shows.

Jupyter strips style sheets, scripts, frames and inline SVG from output that it does not trust, and keeps tables,
`style` attributes and images, so histograms are images here. The complete report is the run's report.html.

    from beam_taxi.report.notebook import show
    show("out/RUN")                        # or a split, or a file of statistics, also gs://
    show("out/RUN", baseline="out/EARLIER")
"""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass

from markupsafe import Markup

from beam_taxi.report import drawing, html, model, results, text, told
from beam_taxi.report.chart import ROWS
from beam_taxi.report.features import Feature
from beam_taxi.report.model import Report

_SHOWN = 300
"""Maximum number of columns in the table; more would make the notebook slow."""

_FIGURES = ("missing", "zeros", "distinct", "mean", "std. dev.", "min", "median", "max")

_FREQUENT = 5
"""Values shown for a column of strings."""

_STYLE = (
    "<style>.s0{fill:#86a5cb}.s1,.s2{fill:none;stroke:#a8400f;stroke-width:1.6;vector-effect:non-scaling-stroke}"
    ".s2{stroke:#3d6b35}</style>"
)


@dataclass(frozen=True)
class Page:
    """A report as the value of a notebook cell."""

    report: Report

    def _repr_html_(self) -> str:
        return html.render_fragment(
            "notebook.html.j2",
            report=self.report,
            highlights=told.highlights(self.report.findings),
            figures=_FIGURES,
            frequent=_FREQUENT,
            shown=_SHOWN,
            picture=_picture,
        )

    def __repr__(self) -> str:
        return text.render(self.report, shutil.get_terminal_size((120, 24)).columns)


def show(uri: str, baseline: str | None = None) -> Page:
    """Return the report of a run, a split or a file of statistics. Raises UsageError if there is none."""
    return Page(model.build(results.read(uri), None if baseline is None else results.read(baseline)))


def _picture(feature: Feature) -> Markup:
    """Return the bars of a column of numbers or dates as an image; values of strings are text."""
    chart = feature.main_chart
    if chart is None or (chart.form == ROWS and feature.figure("min").order is None):
        return Markup()
    drawn = str(drawing.draw_spark(chart, feature.drawn))
    svg = drawn.replace('<svg class="spark" ', '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="40" ', 1)
    svg = svg.replace(">", f">{_STYLE}", 1)
    data = base64.b64encode(svg.encode()).decode()
    words = f"Distribution of {feature.name} from {feature.figure('min').text} to {feature.figure('max').text}"
    return Markup('<img width="200" height="40" alt="{}" src="data:image/svg+xml;base64,{}">').format(words, data)
