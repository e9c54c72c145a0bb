"""Findings of the judgement: anomalies, violated checks, drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beam_taxi.report.figures import printable
from beam_taxi.report.findings.finding import ERROR, WARNING, Evidence, Finding
from beam_taxi.report.findings.kinds import ANOMALY, CHECK, DRIFT, SPLIT_DIFFERENCE, TITLES, weight
from beam_taxi.run import validation as judgement
from beam_taxi.run.validation import FAILED, NOT_EVALUATED, WARNED, Result, Validation

_LONGEST = 400
"""Maximum number of characters of a result's text."""

_KINDS = {judgement.ANOMALIES: ANOMALY, judgement.CHECKS: CHECK, judgement.DRIFT: DRIFT}

_OF_SPLITS = "Differs from split "
"""The title of a difference between splits begins with this."""


def find(validation: Validation, rows: Mapping[str, int]) -> list[Finding]:
    """Return what failed as errors and what warned as warnings; the same fault in several splits is one finding."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for one in validation.results:
        if one.outcome in (FAILED, WARNED):
            groups.setdefault((_kind(one), one.name, one.title, one.features, one.slice), []).append(one)
    return [_finding(group, rows) for group in groups.values()]


def has_drift(validation: Validation | None) -> bool:
    """Return whether the judgement compared features with a baseline, whatever came out."""
    results = () if validation is None else validation.results
    return any(one.outcome != NOT_EVALUATED and _kind(one) == DRIFT for one in results)


def _kind(one: Result) -> str:
    return SPLIT_DIFFERENCE if one.title.startswith(_OF_SPLITS) else _KINDS[one.kind]


def _finding(group: Sequence[Result], rows: Mapping[str, int]) -> Finding:
    worst = min(group, key=lambda one: (one.outcome != FAILED, -_share(one, rows)))
    kind = _kind(worst)
    splits = tuple(dict.fromkeys(one.split for one in group if one.split))
    texts = [_text(one, len(splits) > 1) for one in (worst, *(one for one in group if one is not worst))]
    evidence: dict[str, Evidence] = dict(worst.evidence)
    if worst.offenders is not None:
        evidence["offenders"] = worst.offenders.count
    return Finding(
        kind,
        ERROR if worst.outcome == FAILED else WARNING,
        printable(worst.title or worst.name) or TITLES[kind],
        "; ".join(dict.fromkeys(texts)),
        worst.features,
        splits,
        evidence,
        weight(kind, _share(worst, rows)),
    )


def _text(one: Result, name_split: bool) -> str:
    text = one.text if one.offenders is None else f"{one.text} ({one.offenders.text()})"
    place = " ".join(part for part in (one.split if name_split else "", one.slice) if part)
    return printable(f"{place}: {text}" if place else text, _LONGEST)


def _share(one: Result, rows: Mapping[str, int]) -> float:
    """Return the share of rows that violate a rule, or 1 if it is not about rows."""
    total = rows.get(one.split) if one.split else sum(rows.values())
    return min(1.0, one.offenders.count / total) if one.offenders is not None and total else 1.0
