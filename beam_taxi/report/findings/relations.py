"""Findings about several columns: copies, those that give the label away, those missing together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from beam_taxi.report.figures import percent, plural
from beam_taxi.report.findings.finding import INFO, WARNING, Finding
from beam_taxi.report.findings.kinds import COPY, GIVES_AWAY_LABEL, MISSING_TOGETHER
from beam_taxi.report.findings.seen import Seen, findings
from beam_taxi.report.findings.times import unit_of_time
from beam_taxi.run import profile
from beam_taxi.run.profile import DatasetProfile, Relation


def find(splits: Mapping[str, DatasetProfile], label: str | None) -> list[Finding]:
    """Return what the relations of columns in any split mean."""
    seen: dict[tuple[str, ...], list[Seen]] = {}
    for split, dataset in splits.items():
        for relation in dataset.relations:
            for features, one in _seen(relation, split, dataset, label):
                seen.setdefault(features, []).append(one)
    return [one for features, found in seen.items() for one in findings(features, _once(found), list(splits))]


def _once(found: list[Seen]) -> list[Seen]:
    """Return the first of each kind and split: a copy of the label is also one that predicts it."""
    return list({(one.kind, one.split): one for one in reversed(found)}.values())[::-1]


def _seen(
    relation: Relation, split: str, dataset: DatasetProfile, label: str | None
) -> Iterator[tuple[tuple[str, ...], Seen]]:
    evidence = {"share": relation.share, "rows": relation.rows}
    rows, share = plural(relation.rows, "sampled row"), percent(relation.share)
    if relation.kind == profile.MISSING_TOGETHER:
        text = f"are missing in the same {share} of {rows}"
        yield relation.features, Seen(MISSING_TOGETHER, INFO, split, text, share, relation.share, evidence, link=" ")
        return
    one, two = relation.features
    if label in relation.features:
        feature = one if two == label else two
        words = {
            profile.COPY: f"is equal to the label in {share} of {rows}",
            profile.LINEAR: "is a linear function of the label (correlation over 0.9999)",
            profile.LABEL: f"predicts the label correctly in {share} of {rows}",
        }[relation.kind]
        if relation.kind == profile.LABEL and relation.chance:
            words += f", where the most frequent label is right in {percent(relation.chance)}"
            evidence = {**evidence, "chance": relation.chance}
        elif relation.kind == profile.LABEL:
            words = "rises or falls with the label (rank correlation over 0.9999)"
        yield (feature,), Seen(GIVES_AWAY_LABEL, WARNING, split, words, share, 1.0, evidence, link=" ")
        return
    if relation.kind == profile.COPY:
        text = f"are equal in {share} of {rows}"
        yield relation.features, Seen(COPY, WARNING, split, text, share, relation.share, evidence, link=" ")
        return
    # Times of two moments of a row, such as its beginning and its end, are always nearly the same.
    is_time = all(unit_of_time(dataset.features[name]) for name in relation.features if name in dataset.features)
    severity = INFO if is_time else WARNING
    text = f"are linear functions of each other (correlation over 0.9999 in {rows})"
    yield (
        relation.features,
        Seen(COPY, severity, split, text, "over 0.9999", relation.share, evidence, link=" "),
    )
