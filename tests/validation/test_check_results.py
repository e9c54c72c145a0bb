"""From batches, counts and statistics to results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.main import main
from beam_taxi.run.validation import FAILED, NOT_EVALUATED, PASSED, WARNED, Offender, Offenders, Result
from beam_taxi.sources.kinds import Kind
from beam_taxi.validation.check_results import (
    results_of_freshness,
    results_of_row_count,
    results_of_rows,
    results_of_statistics,
    results_of_unique,
)
from beam_taxi.validation.checks import Checks
from beam_taxi.validation.checks_file import parse_checks
from beam_taxi.validation.freshness import Newest, microseconds_of, newest
from beam_taxi.validation.row_checks import RowRules
from tests.report.make import Dataset, dataset, numeric, strings

List = statistics_pb2.DatasetFeatureStatisticsList


def parsed(text: str) -> Checks:
    return parse_checks(f"version: 1\n{text}\n", "checks.yaml")


def outcomes(results: list[Result]) -> list[tuple[str, str, str]]:
    return [(one.split, one.outcome, one.text) for one in results]


def test_violations_of_a_batch():
    checks = parsed(
        "rows: [{rule: f > 1}, {rule: f > 0}]\n"
        "references: [{column: s, values: [a, é]}, {column: f, values: [0.1, 0, 2]}, {column: i, values: [1]},"
        " {column: m, values: [x]}, {column: b, values: [a]}]"
    )
    kinds = {"f": Kind.FLOAT, "s": Kind.STRING, "i": Kind.INT, "m": Kind.MISSING, "b": Kind.STRING}
    columns = {
        "f": pa.array([0.1, None, -0.0, 3.0], pa.float32()),
        "s": pa.array(["a", "é", None, "b"]),
        "i": pa.array([1, 1, None, 1]),
        "m": pa.nulls(4, pa.string()),
        "b": pa.array([b"a", b"\xff", None, b"a"]),
    }
    rules, batch = RowRules(checks, kinds), pa.RecordBatch.from_pydict(columns)
    found = [rules.violations_of(number, batch) for number in range(len(checks.by_row))]
    assert [None if one is None else one.tolist() for one in found] == [
        [True, False, True, False],
        [False, False, True, False],
        [False, False, False, True],
        [False, False, False, True],
        None,
        None,
        [False, True, False, False],
    ]


ROWS = {
    "none": ("", 10_014, 0, PASSED, "fare >= 0: none of 10,014 rows violates it"),
    "some": ("", 10_014, 12, FAILED, "fare >= 0: 12 of 10,014 rows violate it (0.12%)"),
    "a warning": ("severity: warning", 3, 1, WARNED, "fare >= 0: 1 of 3 rows violates it (33%)"),
    "tolerated": (
        "tolerate: 0.2%",
        10_014,
        12,
        PASSED,
        "fare >= 0: 12 of 10,014 rows violate it (0.12%, tolerated 0.2%)",
    ),
    "as much as tolerated": (
        "tolerate: 0.0012",
        10_000,
        12,
        PASSED,
        "fare >= 0: 12 of 10,000 rows violate it (0.12%, tolerated 0.12%)",
    ),
    "a little more": (
        "tolerate: 0.12%",
        9_999,
        12,
        FAILED,
        "fare >= 0: 12 of 9,999 rows violate it (0.12001%, tolerated 0.12%)",
    ),
    "nearly all": ("", 10_000, 9_999, FAILED, "fare >= 0: 9,999 of 10,000 rows violate it (99.99%)"),
    "all": ("", 2, 2, FAILED, "fare >= 0: 2 of 2 rows violate it (100%)"),
    "no rows": ("", 0, 0, NOT_EVALUATED, "fare >= 0: split 'train' has no rows"),
    "a name": ("name: plausible", 2, 0, PASSED, "plausible (fare >= 0): none of 2 rows violates it"),
}


@pytest.mark.parametrize(("keys", "rows", "violations", "outcome", "text"), ROWS.values(), ids=ROWS)
def test_rows(keys: str, rows: int, violations: int, outcome: str, text: str):
    checks = parsed(f"rows:\n  - rule: fare >= 0\n    {keys}")
    (found,) = results_of_rows(checks, {"train": rows}, {(0, "train"): violations}, {})
    assert (found.split, found.outcome, found.text) == ("train", outcome, text)
    assert (found.kind, found.source, found.line, found.features) == ("checks", "checks.yaml", 3, ("fare",))
    assert found.evidence == {"rows": rows, "violations": violations, "tolerate": checks.rows[0].tolerate}


def test_rows_by_check_and_split():
    checks = parsed("rows: [{rule: a > 1, splits: [eval]}]\nreferences: [{column: b, values: [x]}]")
    offenders = Offenders(2, (Offender("a.csv", 7, "train"),))
    found = results_of_rows(
        checks, {"train": 9, "eval": 5}, {(1, "train"): 2, (0, "train"): 1}, {(1, "train"): offenders}
    )
    assert outcomes(found) == [
        ("eval", PASSED, "a > 1: none of 5 rows violates it"),
        ("train", FAILED, "values of b: 2 of 9 rows have a value not in the list (22%)"),
        ("eval", PASSED, "values of b: none of 5 rows has a value not in the list"),
    ]
    assert [one.offenders for one in found] == [None, offenders, None]


def fares(rows: int, mean: float = 12.5, values: int | None = None) -> Dataset:
    present = rows if values is None else values
    fare = numeric("fare", [(0.0, 20.0, present)] if present else [], rows - present, mean=mean, num_zeros=present // 4)
    fare.num_stats.std_dev, fare.num_stats.median = 2.0, 11.0
    company = strings("company", {"Flash Cab": 3, "Yellow": 1})
    company.string_stats.avg_length = 8.0
    return dataset(rows, fare, company)


STATISTICS = {
    "mean": ("fare.mean between 5 and 30", PASSED, "holds (fare.mean is 12.5)"),
    "not": ("fare.mean > 30", FAILED, "does not hold (fare.mean is 12.5)"),
    "limits": ("fare.min = 0 and fare.max = 20", PASSED, "holds (fare.min is 0, fare.max is 20)"),
    "spread": ("fare.std < fare.median", PASSED, "holds (fare.std is 2, fare.median is 11)"),
    "zeros": ("fare.zeros = 0.2", PASSED, "holds (fare.zeros is 0.2)"),
    "missing": ("company.missing < 0.5", FAILED, "does not hold (company.missing is 0.6)"),
    "present": ("company.present = 4", PASSED, "holds (company.present is 4)"),
    "unique": ("company.unique = 2", PASSED, "holds (company.unique is 2)"),
    "length": ("company.avg_length = 8", PASSED, "holds (company.avg_length is 8)"),
    "share": ("company.share('Yellow') = 0.25", PASSED, "holds (company.share('Yellow') is 0.25)"),
    "a value that does not occur": ("company.share('x') = 0", PASSED, "holds (company.share('x') is 0)"),
    "rows": ("now.rows > 1000", FAILED, "does not hold (rows is 10)"),
    "a ratio": (
        "fare.mean / baseline.fare.mean < 1.2",
        FAILED,
        "does not hold (fare.mean is 12.5, baseline.fare.mean is 10)",
    ),
    "no such column": ("abc.mean > 1", NOT_EVALUATED, "column 'abc' has no statistics"),
    "no mean of text": ("company.mean > 1", NOT_EVALUATED, "column 'company' is not numeric"),
    "no length of numbers": ("fare.unique > 1", NOT_EVALUATED, "column 'fare' is not text"),
    "no value in the baseline": ("baseline.tips.mean > 1", NOT_EVALUATED, "baseline column 'tips' has no values"),
    "one of two": (
        "baseline.tips.mean > 1 and fare.mean > 30",
        FAILED,
        "does not hold (baseline.tips.mean is missing, fare.mean is 12.5)",
    ),
    "division by zero": ("rows / fare.min > 1", NOT_EVALUATED, "the rule divides by zero"),
}


@pytest.mark.parametrize(("rule", "outcome", "text"), STATISTICS.values(), ids=STATISTICS)
def test_statistics(rule: str, outcome: str, text: str):
    baseline = {"train": List(datasets=[dataset(8, numeric("fare", [(0, 1, 8)], mean=10.0), numeric("tips", [], 8))])}
    (found,) = results_of_statistics(
        parsed(f"statistics:\n  - rule: {rule}"), {"train": List(datasets=[fares(10)])}, baseline
    )
    assert (found.split, found.outcome, found.text) == ("train", outcome, f"{rule}: {text}")


def statistics_of(
    rule: str, now: Mapping[str, Any], baseline: Mapping[str, Any] | None, keys: str = ""
) -> list[Result]:
    return results_of_statistics(parsed(f"statistics:\n  - rule: {rule}\n    {keys}"), now, baseline)


def test_a_numeric_column_without_values_has_no_mean():
    now = {"train": List(datasets=[fares(10, mean=0.0, values=0)])}
    for rule in ("fare.mean >= 0", "fare.min = 0", "fare.zeros = 0"):
        (found,) = statistics_of(rule, now, None)
        assert (found.outcome, found.text) == (NOT_EVALUATED, f"{rule}: column 'fare' has no values")
    assert [one.outcome for one in statistics_of("fare.missing = 1", now, None)] == [PASSED]


def test_an_empty_split_never_passes():
    for empty in (List(), List(datasets=[Dataset()])):
        for rule, outcome in {"rows < 5": NOT_EVALUATED, "rows > 5": FAILED, "fare.mean > 1": NOT_EVALUATED}.items():
            assert [one.outcome for one in statistics_of(rule, {"eval": empty}, None)] == [outcome]


def test_a_missing_baseline_never_passes():
    now = {"train": List(datasets=[fares(10)])}
    reasons = {
        "there is no baseline": None,
        "the baseline has no split 'train'": {"all": List(datasets=[fares(10)])},
        "split 'train' of the baseline has no rows": {"train": List(datasets=[Dataset()])},
    }
    for reason, baseline in reasons.items():
        (found,) = statistics_of("rows >= baseline.rows * 0.9", now, baseline)
        assert (found.outcome, found.text) == (NOT_EVALUATED, f"rows >= baseline.rows * 0.9: {reason}")
        assert found.evidence == {"rows": 10, "baseline.rows": None}


def test_slices():
    def sliced(*names: str) -> List:
        made = [fares(10) for _ in names]
        for one, name in zip(made, names, strict=True):
            one.name = name
        return List(datasets=made)

    now, baseline = {"train": sliced("All Examples", "s_a", "s_b")}, {"train": sliced("All Examples", "s_a")}
    rule = "rows = baseline.rows"
    found = statistics_of(rule, now, baseline, "slices: true")
    assert [(one.slice, one.outcome) for one in found] == [("", PASSED), ("s_a", PASSED), ("s_b", NOT_EVALUATED)]
    assert found[2].text == f"{rule}: the baseline has no slice 's_b'"
    assert [one.slice for one in statistics_of(rule, now, baseline)] == [""]
    assert statistics_of(rule, now, baseline, "splits: [eval]") == []


def test_an_unlisted_value_has_no_share():
    company = strings("company", {"Flash Cab": 3})
    company.string_stats.unique = 5
    company.string_stats.common_stats.tot_num_values = 9
    (found,) = statistics_of("company.share('x') < 0.1", {"train": List(datasets=[dataset(9, company)])}, None)
    assert found.text == "company.share('x') < 0.1: 'x' is not among the 1 most frequent values of column 'company'"


def test_statistics_near_a_limit_are_shown_in_full():
    (found,) = statistics_of("fare.mean <= 30", {"a": List(datasets=[fares(10, mean=30.0000001)])}, None)
    assert found.text == "fare.mean <= 30: does not hold (fare.mean is 30.0000001)"


def test_evidence_is_json():
    (found,) = statistics_of("fare.mean <= 30", {"a": List(datasets=[fares(10, mean=float("nan"))])}, None)
    assert found.outcome == FAILED
    assert json.dumps(found.evidence, allow_nan=False) == '{"fare.mean": "nan"}'


def test_statistics_of_a_run(tmp_path: Path):
    (tmp_path / "a.csv").write_text("fare,tips,company\n0,,Yellow\n2.5,,Yellow\n,,Blue Cab\n5,,\n")
    arguments = ["--input", str(tmp_path / "a.csv"), "--output", str(tmp_path), "--splits", "all:1"]
    assert main([*arguments, "--run_id", "one", "--metadata_store", "none"]) == 0
    (file,) = tmp_path.glob("one/**/FeatureStats.pb")
    rules = [
        "rows = 4 and fare.mean = 2.5 and fare.min = 0 and fare.max = 5 and fare.median = 2.5",
        "fare.zeros between 0.333 and 0.334 and fare.missing = 0.25 and fare.present = 3 and tips.missing = 1",
        "company.missing = 0.25 and company.unique = 2 and company.share('Yellow') between 0.66 and 0.67",
        "company.avg_length between 6.6 and 6.7 and company.share('x') = 0",
        "tips.mean = 0",
    ]
    checks = parsed("statistics:\n" + "\n".join(f"  - rule: {rule}" for rule in rules))
    found = results_of_statistics(checks, {"all": List.FromString(file.read_bytes())}, None)
    assert [one.outcome for one in found] == [*[PASSED] * 4, NOT_EVALUATED], outcomes(found)


def test_unique():
    checks = parsed("unique: [{columns: [a]}, {columns: [a, b], severity: warning}]")
    found = results_of_unique(checks, 1000, {1: Offenders(4)})
    assert outcomes(found) == [
        ("", PASSED, "unique a: no key occurs twice"),
        ("", WARNED, "unique a, b: 4 of 1,000 rows have a key that occurs more than once"),
    ]
    assert [one.outcome for one in results_of_unique(checks, 0, {})] == [NOT_EVALUATED] * 2


NOON = 1_700_000_000
FRESHNESS = {
    "fresh": (Newest((NOON - 5400) * 10**6), PASSED, "2023-11-14 20:43:20 UTC, is 1.5 h before the run (limit 36h)"),
    "at the limit": (
        Newest((NOON - 36 * 3600) * 10**6),
        PASSED,
        "2023-11-13 10:13:20 UTC, is 1.5 d before the run (limit 36h)",
    ),
    "old": (Newest((NOON - 3 * 86400) * 10**6), FAILED, "2023-11-11 22:13:20 UTC, is 3.0 d before the run (limit 36h)"),
    "a clock that is fast": (
        Newest((NOON + 5) * 10**6),
        PASSED,
        "2023-11-14 22:13:25 UTC, is 5.0 s after the run (limit 36h)",
    ),
    "in the future": (
        Newest((NOON + 3 * 86400) * 10**6),
        FAILED,
        "2023-11-17 22:13:20 UTC, is 3.0 d after the run (limit 36h)",
    ),
    "another unit": (Newest(NOON * 10**9), FAILED, "1.7e+12 s since 1970, is 19,656,250.0 d after the run (limit 36h)"),
}


@pytest.mark.parametrize(("time", "outcome", "text"), FRESHNESS.values(), ids=FRESHNESS)
def test_freshness(time: Newest, outcome: str, text: str):
    checks = parsed("freshness: [{column: t, within: 36h}]")
    (found,) = results_of_freshness(checks, {0: time}, NOON)
    assert (found.outcome, found.text) == (outcome, f"freshness of t: the newest time, {text}")


def test_freshness_of_nothing():
    checks = parsed("freshness: [{column: t, within: 36h}]")
    assert outcomes(results_of_freshness(checks, {}, NOON)) == [
        ("", NOT_EVALUATED, "freshness of t: column 't' has no times")
    ]
    assert outcomes(results_of_freshness(checks, {0: Newest(None, 2)}, NOON)) == [
        ("", NOT_EVALUATED, "freshness of t: column 't' has no times; 2 values not in ISO 8601")
    ]


DAY = 1_577_836_800_000_000
NEWEST = {
    "seconds": ("", pa.array([5, None, 7]), Newest(7_000_000)),
    "milliseconds": ("unit: ms", pa.array([5, 7]), Newest(7_000)),
    "microseconds": ("unit: us", pa.array([-5, -7]), Newest(-5)),
    "nothing": ("", pa.array([None], pa.int64()), Newest()),
    "dates": ("", pa.array(["2020-01-01", "2019-12-31", None]), Newest(DAY)),
    "several forms": ("", pa.array(["2019-12-31T23:59:59.5Z", "2020-01-01 01:00:00+02:00"]), Newest(DAY - 500_000)),
    "what is no time": ("", pa.array(["2020-01-01", "n/a", "n/a", None]), Newest(DAY, 2)),
    "bytes": ("", pa.array([b"2020-01-01", b"\xff"]), Newest(DAY, 1)),
}


@pytest.mark.parametrize(("keys", "column", "expected"), NEWEST.values(), ids=NEWEST)
def test_newest(keys: str, column: pa.Array, expected: Newest):
    (check,) = parsed(f"freshness:\n  - column: t\n    within: 1d\n    {keys}").freshness
    assert newest(check, pa.RecordBatch.from_arrays([column], ["t"])) == expected


def test_newest_merges_in_any_order():
    parts = [Newest(5, 1), Newest(), Newest(7), Newest(None, 2)]
    for order in (parts, parts[::-1]):
        merged = Newest()
        for one in order:
            merged = merged.merge(one)
        assert merged == Newest(7, 3)


TIMES = [
    "2020-01-01",
    "2020-01-01 01",
    "2020-01-01T01:02",
    "2020-01-01 01:02:03",
    "2020-01-01T01:02:03.5",
    "2020-01-01 01:02:03.123456",
    "0001-01-01",
    "9999-12-31",
]


@pytest.mark.parametrize("text", TIMES)
def test_times_are_those_of_arrow(text: str):
    assert microseconds_of(text) == pa.array([text]).cast(pa.timestamp("us")).cast(pa.int64())[0].as_py()


OFFSETS = {
    "Z": ("2020-01-01T00:00:00Z", DAY),
    "hours": ("2020-01-01 02:00:00+02:00", DAY),
    "without a colon": ("2019-12-31T19:30-0430", DAY),
    "nanoseconds": ("2020-01-01 00:00:00.123456789", DAY + 123_456),
    "white space": (" 2020-01-01 ", DAY),
    "a month": ("2020-13-01", None),
    "an offset": ("2020-01-01T00:00:00+99:00", None),
    "a number": ("1577836800", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("text", "expected"), OFFSETS.values(), ids=OFFSETS)
def test_times_with_offsets(text: str, expected: int | None):
    assert microseconds_of(text) == expected


ROW_COUNTS = {
    "both": ("min: 5, max: 20", [("", PASSED, "row count: 15 rows (required: between 5 and 20)")]),
    "too few": ("min: 1000", [("", FAILED, "row count: 15 rows (required: at least 1,000)")]),
    "each split": (
        "max: 5, each_split: true",
        [
            ("train", FAILED, "row count: 10 rows (required: at most 5)"),
            ("eval", PASSED, "row count: 5 rows (required: at most 5)"),
            ("test", NOT_EVALUATED, "row count: there are no rows"),
        ],
    ),
    "some splits": ("min: 5, splits: [eval, test]", [("", PASSED, "row count: 5 rows (required: at least 5)")]),
    "one split": ("min: 5, splits: [test]", [("test", FAILED, "row count: 0 rows (required: at least 5)")]),
    "too many": ("max: 1, severity: warning", [("", WARNED, "row count: 15 rows (required: at most 1)")]),
}


@pytest.mark.parametrize(("keys", "expected"), ROW_COUNTS.values(), ids=ROW_COUNTS)
def test_row_count(keys: str, expected: list[tuple[str, str, str]]):
    checks = parsed(f"row_count: [{{{keys}}}]")
    assert outcomes(results_of_row_count(checks, {"train": 10, "eval": 5, "test": 0})) == expected
