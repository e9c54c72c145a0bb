"""The findings of the judgement, the order of all findings, and those that say the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_taxi.report.findings.find import find
from beam_taxi.report.findings.finding import Finding
from beam_taxi.report.findings.kinds import HARM, SUPERFLUOUS, TITLES
from beam_taxi.run.profile import DatasetProfile, Profile
from beam_taxi.run.validation import (
    ANOMALIES,
    CHECKS,
    DRIFT,
    FAILED,
    NOT_EVALUATED,
    PASSED,
    WARNED,
    Offender,
    Offenders,
    Result,
    Validation,
    judge,
)
from tests.report.findings.profiles import feature, of_one, profile

RNG = np.random.default_rng(1)
N = 2000
NORMAL = RNG.normal(size=N)
NOTHING = Profile((DatasetProfile("train", N), DatasetProfile("eval", N)))


def validation(*results: Result) -> Validation:
    return Validation(judge(results, ()), results)


FARE = Result(ANOMALIES, "LOW", FAILED, "fare: -1 < 0", ("fare",), "train", title="Out-of-range values")
CHECK = Result(CHECKS, "fares", WARNED, "fare <= 1000", ("fare", "tips"), evidence={"share": 0.1})
ROWS = Offenders(20, (Offender("a.csv", 7),))

JUDGED: dict[str, tuple[list[Result], list[tuple[str, str, str, tuple[str, ...]]]]] = {
    "anomaly": ([FARE], [("anomaly", "error", "fare: -1 < 0", ("train",))]),
    "warning": ([replace(FARE, outcome=WARNED)], [("anomaly", "warning", "fare: -1 < 0", ("train",))]),
    "check": ([CHECK], [("check", "warning", "fare <= 1000", ())]),
    "passed": ([replace(FARE, outcome=PASSED), replace(CHECK, outcome=NOT_EVALUATED)], []),
    "rows": (
        [replace(FARE, offenders=ROWS)],
        [("anomaly", "error", "fare: -1 < 0 (20 rows, first a.csv:7)", ("train",))],
    ),
    "slice": ([replace(FARE, slice="payment_Cash")], [("anomaly", "error", "payment_Cash: fare: -1 < 0", ("train",))]),
    "two splits": (
        [FARE, replace(FARE, split="eval", text="fare: -2 < 0", outcome=WARNED)],
        [("anomaly", "error", "train: fare: -1 < 0; eval: fare: -2 < 0", ("train", "eval"))],
    ),
    "drift": (
        [Result(DRIFT, "ks", FAILED, "fare: KS 0.3", ("fare",), "eval")],
        [("drift", "error", "fare: KS 0.3", ("eval",))],
    ),
    "splits": (
        [Result(DRIFT, "ks", WARNED, "fare: KS 0.3", ("fare",), "eval", title="Differs from split train")],
        [("split_difference", "warning", "fare: KS 0.3", ("eval",))],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("results", "expected"), JUDGED.values(), ids=JUDGED)
def test_judgement(results: list[Result], expected: list[tuple[str, str, str, tuple[str, ...]]]):
    found = find(NOTHING, validation(*results))
    assert [(one.kind, one.severity, one.text, one.splits) for one in found] == expected


def test_titles_and_evidence_are_those_of_the_judgement():
    (found,) = find(NOTHING, validation(replace(FARE, offenders=ROWS, evidence={"low": -1})))
    assert found.title == "Out-of-range values"
    assert found.evidence == {"low": -1, "offenders": 20}
    assert find(NOTHING, validation(CHECK))[0].title == "fares"


def test_judgement_decides_how_splits_and_runs_differ():
    now, then = profile(train={"x": NORMAL}, eval={"x": NORMAL + 1}), profile(train={"x": NORMAL + 2})
    assert [one.kind for one in find(now, None, then)] == ["drift", "split_difference"]
    between = Result(DRIFT, "ks", WARNED, "x: KS 0.4", ("x",), "eval", title="Differs from split train")
    assert [one.text for one in find(now, validation(between), None)] == ["x: KS 0.4"]
    same = Result(DRIFT, "ks", PASSED, "x: KS 0.4", ("x",), "train", title="Differs from the baseline")
    assert [one.kind for one in find(now, validation(same), then)] == ["split_difference"]
    unknown = replace(same, outcome=NOT_EVALUATED)
    assert [one.kind for one in find(now, validation(unknown), then)] == ["drift", "split_difference"]


def test_the_most_important_first():
    columns = {
        "skewed": RNG.lognormal(0, 2, N),
        "constant": np.full(N, 3),
        "nan": np.where(np.arange(N) == 4, np.nan, NORMAL),
        "missing": [None if i % 3 else 1.5 for i in range(N)],
        "sentinel": np.where(np.arange(N) < 40, -999, RNG.integers(0, 100, N)),
        "label": np.full(N, 1),
        "clean": NORMAL,
    }
    found = find(profile("label", train=columns), validation(replace(FARE, offenders=ROWS)))
    assert [(one.severity, one.kind) for one in found] == [
        ("error", "anomaly"),
        ("error", "constant"),
        ("warning", "nan"),
        ("warning", "sentinel"),
        ("warning", "constant"),
        ("warning", "constant"),
        ("warning", "many_missing"),
        ("info", "skewed"),
    ]
    assert list(found) == sorted(found, key=lambda one: (("error", "warning", "info").index(one.severity), -one.weight))


def test_findings_are_deterministic():
    whole = profile(train={"b": np.full(N, 3), "a": np.full(N, 3)}, eval={"a": np.full(N, 3), "b": np.full(N, 3)})
    found = find(whole)
    assert [one.features for one in found] == [("a",), ("b",)]
    assert find(Profile(whole.datasets[::-1])) == found


def test_slices_and_empty_splits_are_left_out():
    whole = DatasetProfile("train", N, {"x": feature(NORMAL)})
    datasets = (whole, DatasetProfile("train", 9, {"x": feature(np.full(9, 1.0))}, "a_b"), DatasetProfile("eval", 0))
    assert find(Profile(datasets)) == ()
    assert find(Profile(())) == ()
    assert find(NOTHING) == ()


def test_names_and_values_cannot_break_a_line():
    found: list[Finding] = list(find(of_one(["a\nb"] * N, name="x\u202ey\n")))
    assert found[0].text == r"x\u202ey\n: every value is 'a\nb'"
    assert found[0].features == ("x\u202ey\n",)


USUAL = st.sampled_from([0, -1, -999, 999, 1_400_000_000, 2**63 - 1, -(2**63)])
CELLS = st.one_of(
    st.lists(st.none() | USUAL | st.integers(-5, 5), min_size=1, max_size=40),
    st.lists(
        st.none() | st.floats(width=32) | st.sampled_from([3e38, -3e38, 1e-45, -999.0, 0.0]), min_size=1, max_size=40
    ),
    st.lists(
        st.none() | st.text(max_size=3) | st.sampled_from(["Cash", "cash", "Cash ", "N/A"]), min_size=1, max_size=40
    ),
)


@settings(max_examples=300, deadline=None)
@given(CELLS, CELLS, st.booleans(), st.sampled_from([1, 3, 20]))
def test_any_data_has_findings_in_one_line(one: list[Any], two: list[Any], label: bool, times: int):
    now, then = of_one(one * times, two * times, label=label), of_one(two * times, label=label)
    for found in find(now, None, then):
        assert "\n" not in found.text
        assert 0 < found.weight <= 1
        json.dumps(dict(found.evidence), allow_nan=False)


def test_each_kind_has_a_title_and_a_weight():
    assert set(TITLES) == set(HARM)
    assert {kind for each in SUPERFLUOUS.values() for kind in each} | set(SUPERFLUOUS) <= set(TITLES)
    assert all(0 < harm <= 1 for harm in HARM.values())
