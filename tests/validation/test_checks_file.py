"""`checks.yaml`: what it says, and its faults by line."""

from __future__ import annotations

import pickle

import pytest

from beam_taxi.errors import StorageError, UsageError
from beam_taxi.sources.kinds import Kind
from beam_taxi.validation.checks import Checks, SeverityRule, check_columns, check_splits
from beam_taxi.validation.checks_file import parse_checks

EVERYTHING = """\
version: 1
rows:
  - rule: fare >= 0 and trip_miles < 500
    name: plausible trips
    tolerate: 0.1%
    severity: warning
    splits: [train]
  - rule: >
      payment_type = 'Cash'
      or tips is not null
statistics:
  - rule: fare.mean between 5 and 30
    slices: true
unique:
  - columns: [trip_id, 2020]
references:
  - column: payment_type
    values: [Cash, "Credit Card", 7, Cash]
  - column: company
    file: companies.txt
    tolerate: 1e-3
freshness:
  - column: trip_start_timestamp
    within: 36h
    unit: ms
row_count:
  - min: 1_000
    each_split: yes
severity:
  anomalies: {ENUM_TYPE_UNEXPECTED_STRING_VALUES: warning, tips: none, fare/INT_TYPE_BIG_INT: error}
  drift: {fare: error, company: none}
"""


def read(file: str) -> str:
    return {"companies.txt": "\ufeffFlash Cab\r\nYellow\n\nFlash Cab\n", "empty.txt": "\n", "bytes.bin": ""}[file]


def parsed(text: str) -> Checks:
    return parse_checks(text, "checks.yaml", read)


def test_everything():
    checks = parsed(EVERYTHING)
    trips, paid = checks.rows
    assert (trips.name, trips.rule, trips.line) == ("plausible trips", "fare >= 0 and trip_miles < 500", 3)
    assert (trips.tolerate, trips.severity, trips.splits) == (0.001, "warning", ("train",))
    assert (paid.name, paid.line) == ("payment_type = 'Cash' or tips is not null", 8)
    assert (paid.tolerate, paid.severity, paid.splits) == (0, "error", ())
    assert (checks.statistics[0].slices, checks.statistics[0].line) == (True, 12)
    assert checks.unique[0].key == ("trip_id", "2020")
    assert checks.references[0].values == ("Cash", "Credit Card", "7")
    assert (checks.references[1].values, checks.references[1].tolerate) == (("Flash Cab", "Yellow"), 0.001)
    assert (checks.freshness[0].seconds, checks.freshness[0].unit) == (36 * 3600, "ms")
    assert (checks.row_count[0].minimum, checks.row_count[0].maximum) == (1000, None)
    assert checks.row_count[0].each_split
    assert checks.drift == (SeverityRule("error", 31, "fare"), SeverityRule("none", 31, "company"))
    assert checks.by_row == (*checks.rows, *checks.references)
    assert len(checks.all) == 8
    assert pickle.loads(pickle.dumps(checks)) == checks


def test_the_most_specific_severity_counts():
    checks = parsed(EVERYTHING)
    assert checks.anomaly_severity("tips", "ENUM_TYPE_UNEXPECTED_STRING_VALUES") == "none"
    assert checks.anomaly_severity("fare", "ENUM_TYPE_UNEXPECTED_STRING_VALUES") == "warning"
    assert checks.anomaly_severity("fare", "INT_TYPE_BIG_INT") == "error"
    assert checks.anomaly_severity("fare", "SCHEMA_MISSING_COLUMN") is None
    assert (checks.drift_severity("company"), checks.drift_severity("tips")) == ("none", None)


ONE_ROW = "version: 1\nrows:\n  - rule: a > 1\n"
FAULTS = {
    "an empty file": ("# nothing\n", ["1: the file is empty; it must begin with `version: 1`"]),
    "a list": ("- 1\n", ["1: the file must be a mapping of keys and values, not a list"]),
    "no version": ("rows:\n  - rule: a > 1\n", ["1: the file needs `version`"]),
    "another version": ("version: 2\n", ["1: `version` must be 1, not '2'"]),
    "an unknown section": (
        "version: 1\nrow:\n  - rule: a > 1\n",
        ["2: unknown key 'row' in the file; did you mean 'rows'?"],
    ),
    "an unknown key": (
        ONE_ROW + "    toleratte: 0\n",
        ["4: unknown key 'toleratte' in a check of `rows`; did you mean 'tolerate'?"],
    ),
    "a key of another section": (
        "version: 1\nunique:\n  - columns: a\n    splits: [train]\n",
        ["4: unknown key 'splits' in a check of `unique`; the keys are columns, name, severity"],
    ),
    "a duplicate key": (
        ONE_ROW + "rows:\n  - rule: b > 1\n",
        ["4: duplicate key 'rows' in the file; the first is on line 2"],
    ),
    "no rule": ("version: 1\nrows:\n  - name: x\n", ["3: a check of `rows` needs `rule`"]),
    "an empty rule": ("version: 1\nrows:\n  - rule:\n", ["3: `rule` must be text, but is empty"]),
    "a rule that is a list": ("version: 1\nrows:\n  - rule: [a]\n", ["3: `rule` must be text, not a list"]),
    "a wrong rule": (
        "version: 1\nrows:\n  - rule: a >\n",
        ["3: 'a >': character 4: expected a value, not the end of the rule"],
    ),
    "a wrong statistic": (
        "version: 1\nstatistics:\n  - rule: a.men > 1\n",
        ["3: 'a.men > 1': character 3: no statistic 'men'; did you mean 'mean'?"],
    ),
    "no list": ("version: 1\nrows: a > 1\n", ["2: `rows` must be a list with at least one item"]),
    "an empty list": ("version: 1\nrows: []\n", ["2: `rows` must be a list with at least one item"]),
    "an empty section": ("version: 1\nrows:\n", ["2: `rows` must be a list with at least one item"]),
    "a rule without a key": (
        "version: 1\nrows:\n  - a > 1\n",
        ["3: a check of `rows` must be a mapping of keys and values, not 'a > 1'"],
    ),
    "a share of all": (
        ONE_ROW + "    tolerate: 1\n",
        ["4: `tolerate` must be a share from 0 to below 1, such as 0.001 or 0.1%, not '1'"],
    ),
    "a negative share": (
        ONE_ROW + "    tolerate: -1%\n",
        ["4: `tolerate` must be a share from 0 to below 1, such as 0.001 or 0.1%, not '-1%'"],
    ),
    "no share": (
        ONE_ROW + "    tolerate: few\n",
        ["4: `tolerate` must be a share from 0 to below 1, such as 0.001 or 0.1%, not 'few'"],
    ),
    "NaN": (
        ONE_ROW + "    tolerate: nan\n",
        ["4: `tolerate` must be a share from 0 to below 1, such as 0.001 or 0.1%, not 'nan'"],
    ),
    "a severity": (ONE_ROW + "    severity: fatal\n", ["4: `severity` must be error or warning, not 'fatal'"]),
    "a flag": (
        "version: 1\nstatistics:\n  - rule: rows > 1\n    slices: 1\n",
        ["4: `slices` must be true or false, not '1'"],
    ),
    "a duration": (
        "version: 1\nfreshness:\n  - column: t\n    within: 36\n",
        ["4: `within` must be a duration such as 36h or 7d, not '36'"],
    ),
    "no duration": (
        "version: 1\nfreshness:\n  - column: t\n    within: 0h\n",
        ["4: `within` must be a duration such as 36h or 7d, not '0h'"],
    ),
    "a unit": (
        "version: 1\nfreshness:\n  - {column: t, within: 1d, unit: ns}\n",
        ["3: `unit` must be s, ms or us, not 'ns'"],
    ),
    "values and file": (
        "version: 1\nreferences:\n  - {column: a, values: [1], file: companies.txt}\n",
        ["3: a check of `references` needs either `values` or `file`"],
    ),
    "no values": (
        "version: 1\nreferences:\n  - column: a\n",
        ["3: a check of `references` needs either `values` or `file`"],
    ),
    "an empty value": (
        "version: 1\nreferences:\n  - column: a\n    values: [x, null]\n",
        ["4: `values` must be a list of text or numbers"],
    ),
    "a file without values": (
        "version: 1\nreferences:\n  - {column: a, file: empty.txt}\n",
        ["3: empty.txt: no values"],
    ),
    "no limit": ("version: 1\nrow_count:\n  - name: a\n", ["3: a check of `row_count` needs `min` or `max`"]),
    "limits": ("version: 1\nrow_count:\n  - {min: 2000, max: 1}\n", ["3: `min` 2,000 exceeds `max` 1"]),
    "a limit": ("version: 1\nrow_count:\n  - min: 1.5\n", ["3: `min` must be a whole number, 0 or more, not '1.5'"]),
    "a severity of anomalies": (
        "version: 1\nseverity:\n  anomalies: {fare: bad}\n",
        ["3: severity of 'fare' must be error, warning or none"],
    ),
    "a type of anomaly": (
        "version: 1\nseverity:\n  anomalies: {INT_TYPE_BIG_INTS: none}\n",
        ["3: no anomaly type 'INT_TYPE_BIG_INTS'; did you mean 'INT_TYPE_BIG_INT'?"],
    ),
    "an unknown severity": (
        "version: 1\nseverity:\n  drifts: {}\n",
        ["3: unknown key 'drifts' in `severity`; did you mean 'drift'?"],
    ),
    "an anchor": (
        "version: 1\nrows:\n  - &a\n    rule: a > 1\n  - *a\n",
        [
            "3: anchors, aliases, tags and directives of YAML are not supported",
            "5: anchors, aliases, tags and directives of YAML are not supported",
        ],
    ),
    "a Python object": (
        "version: 1\nrows: !!python/object/apply:os.system [ls]\n",
        ["2: anchors, aliases, tags and directives of YAML are not supported"],
    ),
    "depth": ("version: 1\nrows:\n  " + "[" * 5000, ["3: lists and mappings are nested too deeply"]),
    "a backquote": (
        "version: 1\nrows:\n  - rule: `a b` > 1\n",
        [
            "3: not valid YAML: while scanning for the next token, found character '`' that cannot start any token;"
            " is a value missing its quotes?"
        ],
    ),
    "a colon": (
        "version: 1\nrows:\n  - rule: a: b\n",
        ["3: not valid YAML: mapping values are not allowed here; is a value missing its quotes?"],
    ),
    "a control character": ("version: 1\n\x00", ["2: not valid YAML: control characters are not allowed"]),
    "two documents": (
        "version: 1\n---\nversion: 1\n",
        [
            "2: not valid YAML: expected a single document in the stream, but found another document;"
            " is a value missing its quotes?"
        ],
    ),
    "several faults": (
        "rows:\n  - rule: a >\n    name: [x]\n    tolerate: x\nunique:\n  - column: a\n",
        [
            "1: the file needs `version`",
            "2: 'a >': character 4: expected a value, not the end of the rule",
            "3: `name` must be text, not a list",
            "4: `tolerate` must be a share from 0 to below 1, such as 0.001 or 0.1%, not 'x'",
            "6: a check of `unique` needs `columns`",
            "6: unknown key 'column' in a check of `unique`; did you mean 'columns'?",
        ],
    ),
}


@pytest.mark.parametrize(("text", "faults"), FAULTS.values(), ids=FAULTS)
def test_faults(text: str, faults: list[str]):
    with pytest.raises(UsageError) as caught:
        parsed(text)
    assert str(caught.value) == "; ".join(f"checks.yaml: line {fault}" for fault in faults)


UNREADABLE = {
    "not found": (FileNotFoundError(2, "No such file or directory"), "[Errno 2] No such file or directory"),
    "away": (StorageError("gs://b/codes.txt: not found"), "gs://b/codes.txt: not found"),
    "bytes": (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "invalid start byte"),
}


@pytest.mark.parametrize(("error", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_of_values_that_cannot_be_read(error: Exception, reason: str):
    def fail(_: str) -> str:
        raise error

    with pytest.raises(UsageError, match="^checks.yaml: line 4: codes.txt: cannot be read: ") as caught:
        parse_checks("version: 1\nreferences:\n  - column: a\n    file: codes.txt\n", "checks.yaml", fail)
    assert reason in str(caught.value)


COLUMNS = {
    "a rule": ("rows: [{rule: fair > 1}]", ["'fair > 1': character 1: no column 'fair'; did you mean 'fare'?"]),
    "a statistic": (
        "statistics: [{rule: company.mean > 1}]",
        ["'company.mean > 1': character 1: `mean` is a statistic of INT and FLOAT columns; company is STRING"],
    ),
    "a baseline": (
        "statistics: [{rule: baseline.rows > 1}]",
        ["'baseline.rows > 1': character 1: baseline.rows needs --baseline"],
    ),
    "a key": ("unique: [{columns: [compani, x]}]", ["no column 'compani'; did you mean 'company'?", "no column 'x'"]),
    "a reference": ("references: [{column: fair, values: [1]}]", ["no column 'fair'; did you mean 'fare'?"]),
    "values of numbers": (
        "references: [{column: id, values: [1, 2.5]}]",
        ["column 'id': the value '2.5' is not of type INT"],
    ),
    "any values": ("references: [{column: fare, values: [1, 2.5]}, {column: later, values: [x]}]", []),
    "a time in float32": (
        "freshness: [{column: fare, within: 1d}]",
        ["column 'fare' is FLOAT; float32 is too coarse for times, so use INT or text"],
    ),
    "a unit of text": (
        "freshness: [{column: company, within: 1d, unit: s}]",
        ["column 'company' is STRING; `unit` is for numbers"],
    ),
    "a severity": ("severity: {drift: {fair: none}}", ["no column 'fair'; did you mean 'fare'?"]),
    "a severity of a type": (
        "severity: {anomalies: {fair/INT_TYPE_BIG_INT: none}}",
        ["no column 'fair'; did you mean 'fare'?"],
    ),
    "kinds that are not known yet": ("rows: [{rule: later = 'a' or later > 1}]", []),
}


@pytest.mark.parametrize(("check", "faults"), COLUMNS.values(), ids=COLUMNS)
def test_faults_against_columns(check: str, faults: list[str]):
    kinds = {"fare": Kind.FLOAT, "company": Kind.STRING, "id": Kind.INT, "later": None}
    found = check_columns(parsed(f"version: 1\n{check}\n"), kinds, baseline_expected=False)
    assert found == [f"checks.yaml: line 2: {fault}" for fault in faults]


def test_the_severity_of_a_column_that_only_the_schema_has():
    checks = parsed("version: 1\nseverity: {anomalies: {tips: warning}}\n")
    assert check_columns(checks, {}, False, schema_columns=["tips"]) == []
    assert check_columns(checks, {}, False) == ["checks.yaml: line 2: no column 'tips'"]


def test_unknown_splits():
    checks = parsed(EVERYTHING)
    assert check_splits(checks, ["train", "eval"]) == []
    assert check_splits(checks, ["all"]) == ["checks.yaml: line 3: no split 'train'; the splits are all"]
