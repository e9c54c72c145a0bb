"""All findings of a run, the most important first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from beam_taxi.report.findings import categories, differences, judged, numbers, presence, relations, rows, texts
from beam_taxi.report.findings.finding import SEVERITIES, Finding
from beam_taxi.report.findings.kinds import COPY, SPLIT_DIFFERENCE, SUPERFLUOUS
from beam_taxi.report.findings.seen import Column, Part, findings
from beam_taxi.run.profile import STRING, FeatureProfile, Profile
from beam_taxi.run.validation import Validation

_FAMILIES = (presence.find, numbers.find, texts.find, categories.find)
_ABSENT = FeatureProfile(STRING, 0, 0)


def find(
    profile: Profile, validation: Validation | None = None, baseline: Profile | None = None
) -> tuple[Finding, ...]:
    """Return what stands out in the data of a run, in its judgement, and against a baseline, the most important first.

    for finding in find(profile):
        print(finding.severity, finding.text)
    """
    splits = {name: one for name, one in profile.splits().items() if one.rows}
    found: list[Finding] = []
    for column in _columns(profile):
        seen = [one for family in _FAMILIES for one in family(column)]
        found += findings((column.name,), seen, list(splits))
    found += relations.find(splits, profile.label)
    found += findings((), rows.find(splits), list(splits))
    found += differences.between_splits(profile)
    if baseline is not None and not judged.has_drift(validation):
        found += differences.from_baseline(profile, baseline)
    if validation is not None:
        found = _with_judgement(found, judged.find(validation, {name: one.rows for name, one in splits.items()}))
    return tuple(sorted(_needed(found), key=_rank))


def _columns(profile: Profile) -> list[Column]:
    """Return the columns of all splits with rows, in the order of the first one."""
    splits = [one for one in profile.splits().values() if one.rows]
    names = dict.fromkeys(name for one in splits for name in one.features)
    return [
        Column(
            name,
            tuple(Part(one.split, one.rows, one.features.get(name, _ABSENT)) for one in splits),
            name == profile.label,
        )
        for name in names
    ]


def _with_judgement(found: Iterable[Finding], judgement: Sequence[Finding]) -> list[Finding]:
    """Return findings with those of the judgement, which says itself how its splits differ."""
    known = {one.features for one in judgement if one.kind == SPLIT_DIFFERENCE}
    return [*judgement, *(one for one in found if one.kind != SPLIT_DIFFERENCE or one.features not in known)]


def _needed(found: Sequence[Finding]) -> list[Finding]:
    """Return the findings without those that say less about a column than another one does, or the same of a copy."""
    superfluous = {(name, kind) for one in found for name in one.features for kind in SUPERFLUOUS.get(one.kind, ())}
    kinds = {(*one.features, one.kind) for one in found if len(one.features) == 1}
    for one in found:
        if one.kind == COPY:
            first, second = one.features
            superfluous |= {(second, kind) for name, kind in kinds if name == first}
    return [one for one in found if not any((name, one.kind) in superfluous for name in one.features)]


def _rank(one: Finding) -> tuple[int, float, str, tuple[str, ...], str]:
    return SEVERITIES.index(one.severity), -one.weight, one.kind, one.features, one.text
