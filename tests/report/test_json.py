"""The report for programs, of profiles made by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from beam_taxi.report.findings.finding import SEVERITIES, Finding
from beam_taxi.report.json_form import report_json, to_text
from beam_taxi.run.manifest import FeatureEntry
from beam_taxi.run.profile import (
    DatasetProfile,
    Distinct,
    FeatureProfile,
    Histogram,
    Lengths,
    Percentile,
    Profile,
    Tail,
    ValueCount,
    Values,
)
from beam_taxi.run.validation import CHECKS, DRIFT, FAILED, PASSED, WARNED, Result, judge
from tests.report import make

NUMBERS = ("zeros", "nan", "infinite")
FIGURES = {
    *("rows", "present", "missing", "mean", "std", "min", "max"),
    *("distinct", "percentiles", "histogram", "values", "length"),
}

FARE = FeatureProfile(
    "FLOAT",
    present=9,
    values=9,
    zeros=1,
    nan=1,
    infinite=1,
    mean=2.5,
    std=1.25,
    min=0.0,
    max=1e300,
    distinct=Distinct(6, exact=False, error=0.01),
    percentiles={"50": Percentile(2.25, 0.01), "99": Percentile(1e300)},
    histogram=Histogram(0.0, 0.5, (3, 0, 2), Tail(1, -4.0), Tail(1, 1e300), exact=False),
)
TRIP = FeatureProfile(
    "INT",
    present=10,
    values=10,
    min=0,
    max=2**63 - 1,
    mean=math.nan,
    histogram=Histogram(-1.0, 1.0, (4, 6)),
    counts=Values((ValueCount(7, 6), ValueCount(2**63 - 1, 4)), complete=True),
)
PAID = FeatureProfile(
    "STRING",
    present=7,
    values=12,
    distinct=Distinct(2),
    counts=Values((ValueCount("Cash\u200b", 8), ValueCount("Cash", 4)), exact=False),
    length=Lengths(1, 12 / 7, 4),
)
FINDINGS = (
    Finding("outliers", "error", "Outliers", "fare has 1.", ("fare",), ("train",), {"limit": math.inf, "rows": 1}),
    Finding("duplicate_rows", "info", "Rows", "Two rows are equal."),
)


def manifest(**changes: Any):
    features = [("fare", "FLOAT"), ("trip", "INT"), ("empty", "MISSING"), ("late", "INT")]
    entries = tuple(FeatureEntry(name, type_) for name, type_ in features)
    return make.manifest(["late", "trip", "fare", "ignored"], {"train": 10, "eval": 4}, features=entries, **changes)


PROFILE = Profile(
    (
        DatasetProfile("train", 10, {"fare": FARE, "paid": PAID, "trip": TRIP}),
        DatasetProfile("train", 3, {"trip": TRIP}, slice="paid_Cash"),
        DatasetProfile("eval", 4, {"fare": FeatureProfile("STRING", 0, 0)}),
    )
)


def read(text: str) -> dict[str, Any]:
    """Return the values of strict JSON."""

    def fail(name: str) -> None:
        pytest.fail(f"{name} is not JSON")

    values: dict[str, Any] = json.loads(text, parse_constant=fail)
    return values


def report(profile: Profile = PROFILE, *rest: Any) -> dict[str, Any]:
    return read(to_text(report_json(profile, *rest)))


def by_name(found: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in found["features"]}


def check_form(found: dict[str, Any]) -> None:
    """Assert that a report has every key of the form, with values that agree with each other."""
    assert list(found) == [
        *("report_version", "run_id", "pipeline", "date", "created", "verdict", "splits", "splitting", "leakage"),
        *("features", "findings", "anomalies", "checks", "drift", "provenance"),
    ]
    assert found["provenance"].keys() == {"inputs", "settings", "versions"}
    for one in found["findings"]:
        assert one.keys() == {"kind", "severity", "title", "features", "splits", "text", "evidence"}
        assert one["severity"] in SEVERITIES
    for feature in found["features"]:
        assert feature["type"] in ("INT", "FLOAT", "STRING")
        assert feature["splits"].keys() == found["splits"].keys()
        for figures in [
            *feature["splits"].values(),
            *(s for one in feature.get("slices", {}).values() for s in one.values()),
        ]:
            check_figures(figures, feature["type"])
        for split, rows in found["splits"].items():
            assert feature["splits"][split]["rows"] == rows["rows"]


def check_figures(found: dict[str, Any], type_: str) -> None:
    assert found.keys() == FIGURES | (set() if type_ == "STRING" else set(NUMBERS))
    assert found["rows"] == found["present"] + found["missing"]
    assert all(one.keys() == {"value", "rank_error"} for one in found["percentiles"].values())
    counts = found["values"]["counts"]
    assert [one["count"] for one in counts] == sorted((one["count"] for one in counts), reverse=True)
    histogram = found["histogram"]
    if histogram is not None:
        bins = histogram["bins"]
        assert all(a["high"] == b["low"] for a, b in pairwise(bins))
        assert all(one["low"] < one["high"] for one in bins)
        assert histogram["below"].keys() == {"count", "min"}
        assert histogram["above"].keys() == {"count", "max"}


REPORTS = {
    "a run": (PROFILE, manifest(), None, FINDINGS),
    "without a manifest": (PROFILE,),
    "nothing": (Profile(()),),
    "no rows": (Profile((DatasetProfile("train", 0),)), manifest()),
}


@pytest.mark.parametrize("given", REPORTS.values(), ids=REPORTS)
def test_it_has_the_form_and_is_the_same_each_time(given: tuple[Any, ...]):
    check_form(report(*given))
    text = to_text(report_json(*given))
    assert text == to_text(report_json(*given))
    assert text.isascii()
    assert text.count("\n") == 1


def test_features_are_in_the_order_of_the_table_and_then_the_others():
    assert list(by_name(report(PROFILE, manifest()))) == ["late", "trip", "fare", "paid", "empty"]
    assert list(by_name(report())) == ["fare", "paid", "trip"]


TYPES = {"fare": "FLOAT", "paid": "STRING", "trip": "INT", "late": "INT", "empty": "STRING"}


@pytest.mark.parametrize(("name", "type_"), TYPES.items())
def test_types_are_those_of_values_or_of_the_manifest(name: str, type_: str):
    assert by_name(report(PROFILE, manifest()))[name]["type"] == type_


@pytest.mark.parametrize("name", ["fare", "late", "trip"])
def test_a_feature_without_values_in_a_split_is_missing_from_all_its_rows(name: str):
    found = by_name(report(PROFILE, manifest()))[name]["splits"]["eval"]
    expected = {"rows": 4, "present": 0, "missing": 4, "zeros": 0, "mean": None, "max": None, "histogram": None}
    assert {key: found[key] for key in expected} == expected
    assert found["distinct"] == {"value": 0, "exact": True}
    assert found["values"] == {"complete": True, "exact": True, "counts": []}


def test_numbers():
    found = by_name(report())
    fare = found["fare"]["splits"]["train"]
    assert [fare[name] for name in ("present", "missing", *NUMBERS)] == [9, 1, 1, 1, 1]
    assert fare["distinct"] == {"value": 6, "exact": False, "error": 0.01}
    assert fare["percentiles"] == {
        "50": {"value": 2.25, "rank_error": 0.01},
        "99": {"value": 1e300, "rank_error": 0.0},
    }
    trip = found["trip"]["splits"]["train"]
    assert (trip["mean"], trip["max"]) == (None, 2**63 - 1)
    assert trip["values"]["counts"] == [{"value": 7, "count": 6}, {"value": 2**63 - 1, "count": 4}]
    assert trip["length"] is None
    assert found["paid"]["splits"]["train"]["length"] == {"min": 1, "mean": 12 / 7, "max": 4}
    assert found["trip"]["slices"]["paid_Cash"]["train"]["rows"] == 3


HISTOGRAMS = {
    "whole": (
        Histogram(-1.0, 1.0, (4, 6)),
        {
            "exact": True,
            "bins": [{"low": -1.0, "high": 0.0, "count": 4}, {"low": 0.0, "high": 1.0, "count": 6}],
            "below": {"count": 0, "min": None},
            "above": {"count": 0, "max": None},
        },
    ),
    "an end of a last bin that does not include it": (
        Histogram(0.0, 0.5, (3,), Tail(1, -4.0), Tail(2, 0.5), exact=False),
        {
            "exact": False,
            "bins": [{"low": 0.0, "high": math.nextafter(0.5, 0), "count": 3}],
            "below": {"count": 1, "min": -4.0},
            "above": {"count": 2, "max": 0.5},
        },
    ),
}


@pytest.mark.parametrize(("histogram", "expected"), HISTOGRAMS.values(), ids=HISTOGRAMS)
def test_histograms(histogram: Histogram, expected: dict[str, object]):
    profile = Profile((DatasetProfile("all", 10, {"x": replace(TRIP, histogram=histogram)}),))
    assert by_name(report(profile))["x"]["splits"]["all"]["histogram"] == expected


DISTINCT = {
    "exact": (Distinct(3), {"value": 3, "exact": True}),
    "estimate": (Distinct(3, False, 0.09), {"value": 3, "exact": False, "error": 0.09}),
    "unknown": (Distinct(0, False), {"value": None, "exact": False, "error": 0.0}),
}


@pytest.mark.parametrize(("distinct", "expected"), DISTINCT.values(), ids=DISTINCT)
def test_distinct(distinct: Distinct, expected: dict[str, object]):
    profile = Profile((DatasetProfile("all", 10, {"x": replace(TRIP, distinct=distinct)}),))
    assert by_name(report(profile))["x"]["splits"]["all"]["distinct"] == expected


def test_findings_keep_their_order_and_have_no_infinite_numbers():
    found = report(PROFILE, manifest(), None, FINDINGS)["findings"]
    assert [one["kind"] for one in found] == ["outliers", "duplicate_rows"]
    assert found[0]["evidence"] == {"limit": None, "rows": 1}
    assert found[0]["features"] == ["fare"]


def test_results_have_the_form_of_validation_json():
    results = (
        make.anomaly("fare"),
        Result(CHECKS, "unique", PASSED, "trip is unique", ("trip",), source="checks.yaml", line=2),
        Result(DRIFT, "KS", WARNED, "fare differs", ("fare",), "train", evidence={"floor": 0.1, "ks": math.nan}),
    )
    validation = make.validation(*results)
    found = report(PROFILE, manifest(validation=judge(results, ["checks"])), validation)
    assert found["verdict"] == FAILED
    written = json.loads(validation.to_json_text())["results"]
    assert [found[kind] for kind in ("anomalies", "checks", "drift")] == [[one] for one in written]
    nothing = report(PROFILE, manifest())
    assert [nothing[kind] for kind in ("verdict", "anomalies", "checks", "drift")] == ["not evaluated", [], [], []]


INPUTS = {
    "file": ("sha256:ab", "ab"),
    "large file": ("sha256-32MiB:ab", None),
    "table": ("bigquery-snapshot:2026-01-02T03:04:05Z", None),
    "not hashed": (None, None),
}


@pytest.mark.parametrize(("content_hash", "sha256"), INPUTS.values(), ids=INPUTS)
def test_provenance(content_hash: str | None, sha256: str | None):
    made = manifest()
    made = replace(made, inputs=(replace(made.inputs[0], content_hash=content_hash),))
    found = report(PROFILE, made)["provenance"]
    (entry,) = found["inputs"]
    assert (entry["uri"], entry["bytes"], entry["sha256"]) == ("/data/trips.csv", 123456, sha256)
    assert entry["content_hash"] == content_hash
    assert found["settings"]["run_id"] == "run-1"
    assert found["versions"] == {"beam_taxi": "0.1.0"}
