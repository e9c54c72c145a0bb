"""Findings as a report presents them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from beam_taxi.report.features import Note
from beam_taxi.report.figures import printable, visible
from beam_taxi.report.findings.finding import Finding

UNIQUE = "unique"
"""The kind of findings about columns that identify rows."""

MOST_IMPORTANT = 5
"""Findings on the first screen."""

_LONGEST = 400
"""Maximum number of characters of a text."""


@dataclass(frozen=True)
class Link:
    """A column by its number in the report, or None if the report does not show it."""

    index: int | None
    name: str


@dataclass(frozen=True)
class Told:
    """A finding and its columns."""

    severity: str
    kind: str
    title: str
    text: str
    links: tuple[Link, ...]


def tell(found: Sequence[Finding], names: Sequence[str]) -> tuple[Told, ...]:
    """Return findings in the same order, for the columns of a report in theirs."""
    numbers = {name: index for index, name in enumerate(names)}
    return tuple(
        Told(
            one.severity,
            one.kind,
            printable(one.title),
            _text(one),
            tuple(Link(numbers.get(name), visible(name)) for name in one.features),
        )
        for one in found
    )


def _text(one: Finding) -> str:
    """Return the sentence without the name of the column, which is shown before it."""
    text = one.text.removeprefix(f"{one.features[0]}: ") if len(one.features) == 1 else one.text
    return printable(text, _LONGEST)


def by_feature(found: Sequence[Finding]) -> dict[str, list[Note]]:
    """Return the findings about each column, in the same order."""
    notes: dict[str, list[Note]] = {}
    for one in found:
        for name in one.features:
            notes.setdefault(name, []).append(Note(one.severity, one.kind, printable(one.title), _text(one)))
    return notes


@dataclass(frozen=True)
class Highlight:
    """The most important finding of its kind, and the columns of the others."""

    first: Told
    others: tuple[Link, ...]


def highlights(findings: Sequence[Told]) -> tuple[Highlight, ...]:
    """Return the most important findings, each kind once."""
    kinds: dict[tuple[str, str], list[Told]] = {}
    for one in findings:
        kinds.setdefault((one.severity, one.kind), []).append(one)
    return tuple(
        Highlight(first, tuple(dict.fromkeys(link for one in rest for link in one.links if link not in first.links)))
        for first, *rest in list(kinds.values())[:MOST_IMPORTANT]
    )
