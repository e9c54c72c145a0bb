"""The report as one HTML file that loads nothing: style, script and drawings are inline."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from beam_taxi.report import drawing, figures
from beam_taxi.report.model import Report


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("beam_taxi.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        draw_histogram=drawing.draw_histogram,
        draw_bars=drawing.draw_bars,
        draw_parts=drawing.draw_parts,
        draw_lineage=drawing.draw_lineage,
    )
    environment.filters.update(number=figures.number, percent=figures.percent, plural=figures.plural)
    return environment


def _asset(name: str) -> str:
    return (files("beam_taxi.report") / "templates" / name).read_text(encoding="utf-8")


def _source_hash(content: str) -> str:
    """Return the hash that allows inline content in a Content-Security-Policy (CSP Level 3, hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def render_fragment(template: str, **values: object) -> str:
    """Return a part of a page from a template, with everything in it escaped."""
    return _environment().get_template(template).render(**values)


def render(report: Report) -> bytes:
    """Return the page in UTF-8; the same report gives the same bytes."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src {_source_hash(style)}; script-src {_source_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _environment().get_template("report.html.j2")
    text = page.render(report=report, policy=policy, style=Markup(style), script=Markup(script))
    return text.encode()
