"""The report as one HTML file that loads nothing: style, script and drawings are inline."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from beam_taxi.report import drawing, figures, slices, told
from beam_taxi.report.model import Report

_UNPACKED = 300
"""Up to this many columns, the cards are part of the page; with more, it would be too large."""


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
        draw_chart=drawing.draw_chart,
        draw_spark=drawing.draw_spark,
        draw_bars=drawing.draw_bars,
        draw_parts=drawing.draw_parts,
        draw_lineage=drawing.draw_lineage,
    )
    environment.filters.update(
        number=figures.number,
        percent=figures.percent,
        plural=figures.plural,
        marked=_marked,
        breakable=_breakable,
        code=_code,
    )
    return environment


def _marked(text: str) -> Markup:
    """Return printable text with the symbols for white space marked as such."""
    if not any(char in text for char in figures.SYMBOLS):
        return escape(text)
    return Markup("").join(
        Markup('<mark title="{}">{}</mark>').format(figures.SYMBOLS[char], char) if char in figures.SYMBOLS else char
        for char in text
    )


def _breakable(text: str) -> Markup:
    """Return printable text that may be broken after underscores."""
    return Markup("_<wbr>").join(map(_marked, text.split("_")))


def _code(text: str) -> Markup:
    """Return text with what is between grave accents as code."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(text.split("`"))
    )


def _asset(name: str) -> str:
    return (files("beam_taxi.report") / "templates" / name).read_text(encoding="utf-8")


def _source_hash(content: str) -> str:
    """Return the hash that allows inline content in a Content-Security-Policy (CSP Level 3, hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def render_fragment(template: str, **values: object) -> str:
    """Return a part of a page from a template, with everything in it escaped."""
    return _environment().get_template(template).render(**values)


def _packed(cards: Sequence[str]) -> str:
    """Return the cards of a wide table in a tenth of their size, in Base64; the script unpacks them."""
    content = gzip.compress(json.dumps(cards, ensure_ascii=False).encode(), mtime=0)
    return base64.b64encode(content).decode()


def render(report: Report) -> bytes:
    """Return the page in UTF-8; the same report gives the same bytes."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src {_source_hash(style)}; script-src {_source_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _environment().get_template("report.html.j2")
    card = _environment().get_template("card.html.j2").module.card  # type: ignore[attr-defined]
    cards = [card(feature) for feature in report.features]
    text = page.render(
        report=report,
        cards=[] if len(cards) > _UNPACKED else cards,
        packed=_packed(cards) if len(cards) > _UNPACKED else "",
        highlights=told.highlights(report.findings),
        slice_figures=slices.FIGURES,
        policy=policy,
        style=Markup(style),
        script=Markup(script),
    )
    return text.encode()
