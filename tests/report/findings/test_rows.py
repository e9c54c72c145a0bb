"""Findings about rows and about several columns."""

from __future__ import annotations

import numpy as np
import pytest

from beam_taxi.report.findings.find import find
from beam_taxi.run.profile import COPY, LABEL, LINEAR, MISSING_TOGETHER, FeatureProfile, Profile, Relation
from tests.report.findings.profiles import dataset, feature

RNG = np.random.default_rng(9)
N = 10_000
FARE = feature(np.round(RNG.lognormal(2, 0.7, N), 2))
FLAG = feature(RNG.integers(0, 2, N))
HOUR = feature(RNG.integers(0, 24, N))
START = feature(RNG.integers(1_380_000_000, 1_400_000_000, N))
END = feature(RNG.integers(1_380_000_000, 1_400_000_000, N))
EMPTY = feature([None] * N)

DUPLICATES: dict[str, tuple[list[FeatureProfile], int, str | None]] = {
    "no row": ([FARE] * 8, 0, None),
    "some rows of many columns": ([FARE] * 8, 5, "warning"),
    "many rows of many columns": ([FARE] * 8 + [FLAG, EMPTY], 3000, "warning"),
    "flags": ([FLAG, FLAG, HOUR], N - 96, "info"),
    "one column of few values": ([HOUR], N - 24, "info"),
    "as many amounts as values": ([FARE], N - FARE.distinct.value, "info"),
}


@pytest.mark.parametrize(("features", "count", "severity"), DUPLICATES.values(), ids=DUPLICATES)
def test_duplicates(features: list[FeatureProfile], count: int, severity: str | None):
    whole = Profile((dataset(N, {f"c{i}": one for i, one in enumerate(features)}, count),))
    found = [one for one in find(whole) if one.kind == "duplicate_rows"]
    assert [one.severity for one in found] == ([] if severity is None else [severity])
    assert all(one.evidence["duplicates"] == count and one.features == () for one in found)


def test_duplicates_in_words():
    (found,) = (
        one for one in find(Profile((dataset(N, {"a": FARE, "b": START}, 25),))) if one.kind == "duplicate_rows"
    )
    assert found.text == "25 rows (0.2%) repeat another row"


LINEARLY = "are linear functions of each other (correlation over 0.9999 in 4,000 sampled rows)"
RELATIONS: dict[str, tuple[Relation, str, str, str]] = {
    "copy": (
        Relation(COPY, ("fare", "total"), 0.991, 4000),
        "copy",
        "warning",
        "fare and total are equal in 99.1% of 4,000 sampled rows",
    ),
    "linear": (Relation(LINEAR, ("fare", "total"), 0.99998, 4000), "copy", "warning", f"fare and total {LINEARLY}"),
    "two times": (Relation(LINEAR, ("start", "end"), 0.99998, 4000), "copy", "info", f"start and end {LINEARLY}"),
    "label": (
        Relation(LABEL, ("fare", "tipped"), 0.999, 4000, 0.6),
        "gives_away_label",
        "warning",
        "fare predicts the label correctly in 99.9% of 4,000 sampled rows, "
        "where the most frequent label is right in 60.0%",
    ),
    "label of numbers": (
        Relation(LABEL, ("fare", "tipped"), 0.99999, 4000),
        "gives_away_label",
        "warning",
        "fare rises or falls with the label (rank correlation over 0.9999)",
    ),
    "copy of the label": (
        Relation(COPY, ("tipped", "total"), 1.0, 4000),
        "gives_away_label",
        "warning",
        "total is equal to the label in 100% of 4,000 sampled rows",
    ),
    "missing together": (
        Relation(MISSING_TOGETHER, ("fare", "total", "start"), 0.12, 4000),
        "missing_together",
        "info",
        "fare, total and start are missing in the same 12.0% of 4,000 sampled rows",
    ),
}
KINDS = {"copy", "gives_away_label", "missing_together"}
COLUMNS = {"fare": FARE, "total": FARE, "tipped": FLAG, "start": START, "end": END}


@pytest.mark.parametrize(("relation", "kind", "severity", "text"), RELATIONS.values(), ids=RELATIONS)
def test_relations(relation: Relation, kind: str, severity: str, text: str):
    found = [one for one in find(Profile((dataset(N, COLUMNS, None, relation),), "tipped")) if one.kind in KINDS]
    assert [(one.kind, one.severity, one.text) for one in found] == [(kind, severity, text)]


def test_what_gives_the_label_away_is_told_once():
    relations = [RELATIONS[name][0] for name in ("copy of the label", "copy")]
    relations.append(Relation(LABEL, ("total", "tipped"), 1.0, 4000, 0.5))
    found = find(Profile((dataset(N, COLUMNS, None, *relations),), "tipped"))
    assert [one.kind for one in found if "total" in one.features] == ["gives_away_label"]


def test_what_a_copy_shares_with_its_column_is_told_once():
    fare = feature(np.where(np.arange(N) < 9, -999, RNG.integers(0, 100, N)))
    found = find(Profile((dataset(N, {"fare": fare, "total": fare}, None, RELATIONS["copy"][0]),)))
    assert [(one.kind, one.features) for one in found] == [("copy", ("fare", "total")), ("sentinel", ("fare",))]
