"""The judgement of a run: results with the rows that cause them, and what became of rows that were set aside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.validation import FAILED, NOT_EVALUATED, PASSED, WARNED, Result
from beam_taxi.settings import DateSettings, Settings, Split, ValidationSettings
from beam_taxi.sources.kinds import Kind
from beam_taxi.validation.findings import RowFindings
from beam_taxi.validation.judge import Evidence, Judgement, _moment, _weekday, judge_run
from beam_taxi.validation.rules import rules_of
from tests.schemas.tables import statistics_of
from tests.validation.places import Lines, unit_batch

SCHEMA = 'feature { name: "n" type: INT presence { min_fraction: 1 } int_domain { min: 0 } }'
ALL = (Split("all", 1),)
TWO = (Split("train", 1), Split("eval", 1))


def judged(
    numbers: list[int | None],
    splits: list[int] | None = None,
    names: tuple[Split, ...] = ALL,
    described: list[int | None] | None = None,
    **validation: Any,
) -> Judgement:
    """Return the judgement of a column; `described` are the values in the statistics, if they are not all."""
    schema, is_set_aside = validation.pop("schema", SCHEMA), validation.get("quarantine", False)
    settings = Settings(
        ("a.csv",),
        "out/run",
        "run",
        splits=names,
        schema=schema,
        max_rejects=9,
        validation=ValidationSettings(**validation),
    )
    rules = rules_of(settings, {"n": Kind.INT})
    batch = pa.RecordBatch.from_arrays([pa.array(numbers, pa.int64())], ["n"])
    of_rows = np.array(splits or [0] * len(numbers), np.uint8)
    findings = RowFindings(20)
    lines = unit_batch(batch, (0, len(batch), Lines(2)))
    violated = findings.add_batch(rules.by_row, batch, of_rows, lines.places_of)
    kept = np.ones(len(batch), bool) if violated is None or not is_set_aside else violated < 0
    statistics = {}
    for number, split in enumerate(names):
        its = [value for value, of, keep in zip(numbers, of_rows, kept, strict=True) if of == number and keep]
        its = its if described is None else described
        empty = statistics_pb2.DatasetFeatureStatisticsList(datasets=[statistics_pb2.DatasetFeatureStatistics()])
        statistics[split.name] = statistics_of({"n": its}, n=int) if its else empty
    return judge_run(settings, Evidence(statistics, None, [], findings, rules, ["a.csv"], "2026-01-02T03:04:05+00:00"))


def told(result: Result) -> tuple[str, ...]:
    rows = () if result.offenders is None else (result.offenders.text(),)
    return (result.split, result.name, result.outcome, *rows)


def test_anomalies_have_the_rows_that_cause_them():
    found = judged([-1, None, 5, -2], [0, 0, 0, 1], TWO)
    assert [told(one) for one in found.validation.results] == [
        ("train", "FEATURE_TYPE_LOW_FRACTION_PRESENT", FAILED, "1 row, first a.csv:3"),
        ("train", "INT_TYPE_SMALL_INT", FAILED, "1 row, first a.csv:2"),
        ("eval", "INT_TYPE_SMALL_INT", FAILED, "1 row, first a.csv:5"),
    ]
    assert {one.line for one in found.validation.results} == {1}
    summary = found.validation.summary
    assert (summary.verdict, summary.accepted, summary.blessed) == (FAILED, False, {"train": False, "eval": False})


def test_a_sound_run():
    found = judged([1, 2, 3], [0, 1, 1], TWO).validation
    assert {(one.split, one.outcome, one.offenders) for one in found.results} == {
        ("train", PASSED, None),
        ("eval", PASSED, None),
    }
    assert (found.summary.verdict, found.summary.accepted) == (PASSED, True)


def test_rows_that_were_set_aside_are_a_warning():
    found = judged([-1, None, 5, 7], quarantine=True)
    assert [told(one) for one in found.validation.results] == [
        ("all", "SCHEMA", PASSED),
        ("all", "FEATURE_TYPE_LOW_FRACTION_PRESENT", WARNED, "1 row, first a.csv:3"),
        ("all", "INT_TYPE_SMALL_INT", WARNED, "1 row, first a.csv:2"),
    ]
    assert (found.validation.summary.verdict, found.validation.summary.accepted) == (WARNED, True)
    assert found.validation.summary.blessed == {"all": True}
    assert not judged([-1, 5], quarantine=True, fail_on=("anomalies", "warnings")).validation.summary.accepted


def test_rows_that_a_share_tolerates_are_not_set_aside():
    schema = SCHEMA.replace("min_fraction: 1", "min_fraction: 0.5")
    found = judged([1, None, 5], schema=schema, quarantine=True)
    assert [told(one) for one in found.validation.results] == [("all", "SCHEMA", PASSED)]
    assert [told(one) for one in judged([1, None, 5], schema=schema).validation.results] == [("all", "SCHEMA", PASSED)]


def test_rows_tell_what_statistics_do_not_show():
    # As with a text that is not among the 1,000 most frequent ones, or an integer that float64 rounds.
    found = judged([1, -1], described=[1, 2])
    assert [told(one) for one in found.validation.results] == [
        ("all", "INT_TYPE_SMALL_INT", FAILED, "1 row, first a.csv:3")
    ]
    assert not found.validation.summary.accepted


def test_a_split_whose_rows_were_all_set_aside():
    found = judged([-1, 5], [0, 1], TWO, quarantine=True)
    assert [told(one) for one in found.validation.results] == [
        ("train", "NO_DATA_IN_SPAN", NOT_EVALUATED),
        ("eval", "SCHEMA", PASSED),
        ("train", "INT_TYPE_SMALL_INT", WARNED, "1 row, first a.csv:2"),
    ]


CHECKS = """version: 1
rows:
  - rule: n < 5
  - {rule: n > 0, severity: warning}
severity: {anomalies: {n/INT_TYPE_SMALL_INT: warning}}
"""


def test_checks_and_severities():
    found = judged([-1, 5], checks=CHECKS)
    assert [told(one) for one in found.validation.results] == [
        ("all", "INT_TYPE_SMALL_INT", WARNED, "1 row, first a.csv:2"),
        ("all", "n < 5", FAILED, "1 row, first a.csv:3"),
        ("all", "n > 0", WARNED, "1 row, first a.csv:2"),
    ]
    assert not found.validation.summary.accepted
    assert judged([-1, 5], checks=CHECKS, fail_on=("anomalies",)).validation.summary.accepted
    # Only the errors are set aside.
    found = judged([-1, 5], checks=CHECKS, quarantine=True)
    assert found.anomalies["all"].anomaly_info["n"].reason
    assert told(found.validation.results[0]) == (
        "all",
        "INT_TYPE_SMALL_INT",
        WARNED,
        "1 row, first a.csv:2",
    )


ACCEPTED: dict[tuple[str, ...] | None, bool] = {
    None: False,
    ("anomalies",): False,
    ("checks",): True,
    ("drift",): True,
    ("none",): True,
    ("warnings",): False,
}


def test_fail_on_decides_what_is_accepted():
    found = {words: judged([-1], fail_on=words).validation.summary for words in ACCEPTED}
    assert {words: one.accepted for words, one in found.items()} == ACCEPTED
    assert {one.verdict for words, one in found.items() if words != ("drift",)} == {FAILED}


MOMENTS = {
    "no date": (None, "2026-01-02T03:04:05+00:00", "the run", 4),
    "yesterday": ("2026-01-01", "2026-01-02T00:00:00+00:00", "the end of the day", 3),
    "a late day": ("2024-02-29", "2024-03-01T00:00:00+00:00", "the end of the day", 3),
    "today": ("2026-01-02", "2026-01-02T03:04:05+00:00", "the run", 4),
}


@pytest.mark.parametrize(("day", "time", "moment", "weekday"), MOMENTS.values(), ids=MOMENTS)
def test_a_late_day_is_judged_as_on_its_day(day: str | None, time: str, moment: str, weekday: int):
    settings = Settings(("{SPAN}" if day else "a.csv",), "out/run", "run", dates=DateSettings(day))
    started = "2026-01-02T03:04:05+00:00"
    assert _moment(settings, started) == (datetime.fromisoformat(time).timestamp(), moment)
    assert _weekday(settings, started) == weekday
