"""The verdict on results, whether the run is accepted, and the judgement as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from beam_taxi.errors import UsageError
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
    Summary,
    Validation,
    judge,
)

VERDICTS: dict[str, tuple[list[str], str]] = {
    "nothing": ([], NOT_EVALUATED),
    "passed": ([PASSED, PASSED], PASSED),
    "one without evidence": ([PASSED, NOT_EVALUATED], NOT_EVALUATED),
    "warned": ([PASSED, NOT_EVALUATED, WARNED], WARNED),
    "failed": ([PASSED, FAILED, NOT_EVALUATED, WARNED], FAILED),
}


@pytest.mark.parametrize(("outcomes", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict_is_the_worst_outcome(outcomes: list[str], verdict: str):
    found = judge([Result(CHECKS, "c", outcome, "") for outcome in outcomes], [])
    assert (found.verdict, found.accepted) == (verdict, True)
    assert found.outcomes == {
        one: outcomes.count(one) for one in (FAILED, WARNED, NOT_EVALUATED, PASSED) if one in outcomes
    }


ALL = {(kind, outcome) for kind in (ANOMALIES, CHECKS, DRIFT) for outcome in (FAILED, WARNED)}
REFUSED: dict[tuple[str, ...], set[tuple[str, str]]] = {
    (): set(),
    ("none",): set(),
    (ANOMALIES,): {(ANOMALIES, FAILED)},
    (CHECKS,): {(CHECKS, FAILED)},
    (DRIFT,): {(DRIFT, FAILED)},
    (ANOMALIES, CHECKS): {(ANOMALIES, FAILED), (CHECKS, FAILED)},
    # What is worse than a warning stops where a warning stops.
    ("warnings",): ALL,
    (ANOMALIES, "warnings"): ALL,
}


@pytest.mark.parametrize("fail_on", REFUSED, ids=",".join)
def test_what_stops_a_run(fail_on: tuple[str, ...]):
    for kind in (ANOMALIES, CHECKS, DRIFT):
        for outcome in (PASSED, NOT_EVALUATED, WARNED, FAILED):
            found = judge([Result(kind, "x", PASSED, ""), Result(kind, "x", outcome, "")], fail_on)
            assert found.accepted == ((kind, outcome) not in REFUSED[fail_on]), (kind, outcome)
            assert found.fail_on == fail_on


def whole() -> Validation:
    offender = Offender("a.csv", 7, "train", None, {"fare": "-1", "tips": None})
    result = Result(
        CHECKS,
        "fare >= 0",
        FAILED,
        "fare >= 0: é",
        ("fare", "tips"),
        "train",
        "s_a",
        "checks.yaml",
        3,
        {"rows": 9, "share": 0.5, "limit": None, "text": "", "flag": False, "zero": 0},
        Offenders(2, (offender, Offender("b.parquet", 1, row_group=0))),
        "a title",
    )
    summary = Summary(FAILED, False, (CHECKS,), {FAILED: 1}, {"train": False})
    return Validation(summary, (result, Result(ANOMALIES, "X", NOT_EVALUATED, "x")), "run", "/out/before")


def test_json_both_ways():
    text = whole().to_json_text()
    assert Validation.from_json(json.loads(text)) == whole()
    assert "é" in text
    assert text.endswith("}\n")
    assert Validation.from_json(json.loads(Validation(Summary(), ()).to_json_text())) == Validation(Summary(), ())


def test_what_is_empty_is_left_out():
    (_, second) = json.loads(whole().to_json_text())["results"]
    assert second == {"kind": ANOMALIES, "name": "X", "outcome": NOT_EVALUATED, "text": "x"}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_lacks_are_texts(number: float):
    found = Validation(Summary(), (Result(ANOMALIES, "X", FAILED, "x", evidence={"l_infty": number}),)).to_json_text()
    json.loads(found, parse_constant=pytest.fail)
    (result,) = Validation.from_json(json.loads(found)).results
    assert result.evidence == {"l_infty": str(number)}


INVALID: dict[str, tuple[Any, str]] = {
    "no object": ([], "not a validation.json of version 1"),
    "another version": ({"validation_version": 2}, "not a validation.json of version 1"),
    "no results": ({"validation_version": 1, "summary": {}}, "not a valid validation.json: results"),
    "a type": (
        {"validation_version": 1, "summary": {"accepted": 1}, "results": []},
        "not a valid validation.json: summary.accepted: must be true or false",
    ),
}


@pytest.mark.parametrize(("values", "message"), INVALID.values(), ids=INVALID)
def test_invalid_json(values: Any, message: str):
    with pytest.raises(UsageError, match=message):
        Validation.from_json(values)


PLACES = {
    "a line": (Offenders(1, (Offender("a.csv", 7),)), "1 row, first a.csv:7"),
    "a row of a row group": (
        Offenders(1200, (Offender("a.parquet", 7, row_group=2),)),
        "1,200 rows, first a.parquet: row group 2, row 7",
    ),
    "none is kept": (Offenders(3), "3 rows"),
}


@pytest.mark.parametrize(("offenders", "text"), PLACES.values(), ids=PLACES)
def test_offenders_in_words(offenders: Offenders, text: str):
    assert offenders.text() == text
