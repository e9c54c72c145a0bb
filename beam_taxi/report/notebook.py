"""The report in a notebook: tables and pictures that even an untrusted notebook shows.

Jupyter strips style sheets, scripts, frames and inline SVG from output that it does not trust, and keeps tables,
`style` attributes and images, so histograms are images here. The complete report is the run's report.html.

    from beam_taxi.report.notebook import show
    show("out/RUN")                        # or a split, or a file of statistics, also gs://
    show("out/RUN", baseline="out/EARLIER")
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from markupsafe import Markup

from beam_taxi.report import drawing, html, model, results
from beam_taxi.report.features import Feature
from beam_taxi.report.model import Report

_SHOWN = 300
"""Maximum number of features in the table; more would make the notebook slow."""

_STYLE = (
    "<style>.s0{fill:#86a5cb}.s1,.s2{fill:none;stroke:#a8400f;stroke-width:1.6;vector-effect:non-scaling-stroke}"
    ".s2{stroke:#3d6b35}</style>"
)


@dataclass(frozen=True)
class Page:
    """A report as the value of a notebook cell."""

    report: Report

    def _repr_html_(self) -> str:
        return html.render_fragment("notebook.html.j2", report=self.report, shown=_SHOWN, picture=_picture)


def show(uri: str, baseline: str | None = None) -> Page:
    """Return the report of a run, a split or a file of statistics. Raises UsageError if there is none."""
    return Page(model.build(results.read(uri), None if baseline is None else results.read(baseline)))


def _picture(feature: Feature) -> Markup:
    """Return the histogram of a feature as an image."""
    assert feature.histogram is not None
    drawn = str(drawing.draw_histogram(feature.name, feature.histogram, feature.drawn))
    svg = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="44" ', 1)
    svg = svg.replace("</title>", f"</title>{_STYLE}", 1)
    data = base64.b64encode(svg.encode()).decode()
    text = f"Histogram of {feature.name} from {feature.histogram.low} to {feature.histogram.high}"
    return Markup('<img width="240" height="44" alt="{}" src="data:image/svg+xml;base64,{}">').format(text, data)
