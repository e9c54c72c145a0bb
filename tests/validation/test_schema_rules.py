"""Rules of a schema for single rows, against TFDV, which sees only the statistics of all rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.settings import Settings, ValidationSettings
from beam_taxi.sources.kinds import ARROW_TYPES, Kind
from beam_taxi.validation.anomalies import Rules, validate
from beam_taxi.validation.rules import rules_of
from beam_taxi.validation.schema_rules import rules_of_schema
from tests.schemas.tables import statistics

NAN, INF = float("nan"), float("inf")
MIN, MAX = -(2**63), 2**63 - 1
TYPES = {Kind.INT: "INT", Kind.FLOAT: "FLOAT", Kind.STRING: "BYTES"}
EXACT = 2**53
"""Up to here the statistics of TFDV, which are float64, tell one integer from the next."""


def schema_of(kind: Kind, rest: str) -> schema_pb2.Schema:
    return text_format.Parse(f'feature {{ name: "a" type: {TYPES[kind]} {rest} }}', schema_pb2.Schema())


def violations(schema: schema_pb2.Schema, kind: Kind, column: pa.Array) -> dict[str, list[int]]:
    """Return the rows that violate a rule, by the name of the rule."""
    found = {}
    for rule in rules_of_schema(schema, {"a": kind}):
        # A slice shows whether offsets are respected.
        padded = pa.RecordBatch.from_arrays([pa.concat_arrays([column[:1], column])], ["a"]).slice(1)
        violated = rule.violations(padded)
        if violated is not None:
            assert violated.any()
            found[rule.name] = violated.nonzero()[0].tolist()
    return found


INT, FLOAT, TEXT = Kind.INT, Kind.FLOAT, Kind.STRING
SMALL, BIG = "INT_TYPE_SMALL_INT", "INT_TYPE_BIG_INT"
LOW, HIGH = "FLOAT_TYPE_SMALL_FLOAT", "FLOAT_TYPE_BIG_FLOAT"
OTHER, MISSING = "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "FEATURE_TYPE_LOW_FRACTION_PRESENT"
NOT_BOOL = "BOOL_TYPE_UNEXPECTED_STRING"
CASES: dict[str, tuple[Kind, str, list[Any], dict[str, list[int]]]] = {
    "a range of integers": (INT, "int_domain { min: 2 max: 4 }", [1, 2, 4, 5, None], {SMALL: [0], BIG: [3]}),
    "all are in it": (INT, "int_domain { min: 2 max: 4 }", [2, 4, None], {}),
    "the ends of int64": (INT, f"int_domain {{ min: {MIN} max: {MAX} }}", [MIN, MAX], {}),
    "beside the ends": (
        INT,
        f"int_domain {{ min: {MIN + 1} max: {MAX - 1} }}",
        [MIN, MIN + 1, MAX - 1, MAX],
        {SMALL: [0], BIG: [3]},
    ),
    "beyond float64": (INT, f"int_domain {{ max: {EXACT} }}", [EXACT, EXACT + 1], {BIG: [1]}),
    "no limits": (INT, "int_domain {}", [MIN, MAX], {}),
    "float32 at the limit": (FLOAT, "float_domain { min: 0.1 max: 0.1 }", [0.1], {}),
    "float32 beside the limit": (
        FLOAT,
        "float_domain { min: 0.1 max: 0.1 }",
        [0.099999994, 0.1, 0.10000001],
        {LOW: [0], HIGH: [2]},
    ),
    "NaN is in every range": (FLOAT, "float_domain { min: 0 max: 1 }", [NAN, 0.5], {}),
    "nothing but NaN": (FLOAT, "float_domain { min: 2 max: 3 }", [NAN, NAN], {}),
    "NaN beside others": (FLOAT, "float_domain { min: 0 max: 1 }", [2.0, NAN, -1.0], {LOW: [2], HIGH: [0]}),
    "infinities": (FLOAT, "float_domain { min: 0 max: 1 }", [INF, -INF], {LOW: [1], HIGH: [0]}),
    "minus zero": (FLOAT, "float_domain { min: 0 }", [-0.0], {}),
    "no NaN": (FLOAT, "float_domain { disallow_nan: true }", [NAN, INF, 1.0, None], {"FLOAT_TYPE_HAS_NAN": [0]}),
    "no infinities": (
        FLOAT,
        "float_domain { disallow_inf: true }",
        [NAN, INF, -INF, None],
        {"FLOAT_TYPE_HAS_INF": [1, 2]},
    ),
    "a domain": (TEXT, 'string_domain { value: ["x", ""] }', ["x", "", "y", None, "X"], {OTHER: [2, 4]}),
    "an empty domain": (TEXT, "string_domain {}", ["x", None], {OTHER: [0]}),
    "a domain that is missing": (TEXT, 'domain: "d"', ["x"], {}),
    "truth": (TEXT, 'bool_domain { true_value: "yes" false_value: "" }', ["yes", "", "no", None], {NOT_BOOL: [2]}),
    "one truth": (TEXT, 'bool_domain { true_value: "yes" }', ["yes", "false"], {NOT_BOOL: [1]}),
    "no truth": (TEXT, "bool_domain {}", ["true"], {NOT_BOOL: [0]}),
    "0 and 1": (INT, "bool_domain {}", [0, 1, 2, -1], {"BOOL_TYPE_SMALL_INT": [3], "BOOL_TYPE_BIG_INT": [2]}),
    "everywhere": (INT, "presence { min_fraction: 1 }", [1, None], {MISSING: [1]}),
    "a share": (INT, "presence { min_fraction: 0.5 }", [1, None], {MISSING: [1]}),
    "a number": (INT, "presence { min_count: 2 }", [1, None], {}),
    "nothing": (INT, "int_domain { min: 2 } presence { min_fraction: 1 }", [None, None], {MISSING: [0, 1]}),
    "deprecated": (INT, "int_domain { min: 2 } lifecycle_stage: DEPRECATED", [1], {}),
    "of another type": (TEXT, "int_domain { min: 2 }", ["1"], {}),
}


@pytest.mark.parametrize(("kind", "rest", "values", "expected"), CASES.values(), ids=CASES)
def test_rules(kind: Kind, rest: str, values: list[Any], expected: dict[str, list[int]]):
    assert violations(schema_of(kind, rest), kind, pa.array(values, ARROW_TYPES[kind])) == expected


def test_bytes_that_are_no_text_are_not_in_a_domain():
    column = pa.array([b"x", b"\xff", None], pa.binary())
    assert violations(schema_of(TEXT, 'string_domain { value: "x" }'), TEXT, column) == {OTHER: [1]}


def test_named_domains():
    schema = schema_of(TEXT, 'domain: "d"')
    schema.string_domain.add(name="d", value=["x"])
    assert violations(schema, TEXT, pa.array(["x", "y"])) == {OTHER: [1]}


STRICT = {
    "everywhere": (INT, "presence { min_fraction: 1 }", True),
    "nearly everywhere": (INT, "presence { min_fraction: 0.99 }", False),
    "a domain": (TEXT, 'string_domain { value: "x" }', True),
    "most of it": (
        TEXT,
        'string_domain { value: "x" } distribution_constraints { min_domain_mass: 0.9 }',
        False,
    ),
    "a range": (FLOAT, "float_domain { min: 0 }", True),
}


@pytest.mark.parametrize(("kind", "rest", "expected"), STRICT.values(), ids=STRICT)
def test_a_rule_is_strict_if_one_row_is_a_fault(kind: Kind, rest: str, expected: bool):
    assert [rule.is_strict for rule in rules_of_schema(schema_of(kind, rest), {"a": kind})] == [expected]


SEVERITIES = {
    "error": [("INT_TYPE_SMALL_INT", True), (MISSING, False)],
    "warning": [("INT_TYPE_SMALL_INT", False), (MISSING, False)],
    "none": [(MISSING, False)],
}


@pytest.mark.parametrize("severity", SEVERITIES)
def test_severities_decide_which_rules_are_strict(severity: str):
    schema = 'feature { name: "a" type: INT int_domain { min: 2 } presence { min_fraction: 0.5 } }'
    checks = f"version: 1\nseverity: {{anomalies: {{a/{SMALL}: {severity}}}}}\n"
    chosen = Settings(("x",), "out/r", "r", schema=schema, validation=ValidationSettings(checks=checks))
    found = [(rule.name, rule.is_strict) for rule in rules_of(chosen, {"a": INT}).by_row]
    assert sorted(found) == sorted(SEVERITIES[severity])


def test_features_of_other_environments_have_no_rules():
    text = (
        'default_environment: ["T", "S"] feature { name: "a" type: INT int_domain { min: 2 } not_in_environment: "S" }'
    )
    for environment, count in {"T": 1, "S": 0, None: 1}.items():
        validation = ValidationSettings(environment=environment)
        chosen = Settings(("x",), "out/r", "r", schema=text, validation=validation)
        assert len(rules_of(chosen, {"a": INT}).by_row) == count


def types_of_tfdv(schema: schema_pb2.Schema, batch: pa.RecordBatch) -> set[tuple[str, str]]:
    """Return features and types of TFDV's anomalies."""
    rules = Rules(schema, lambda feature, fields: None, lambda feature, type_: None)
    results = validate({"all": statistics(batch)}, rules)[1]
    return {(*one.features, one.name) for one in results if one.outcome == "failed"}


ROWS = 4


def column(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Return columns with a value at least: one without is another anomaly, FEATURE_TYPE_NOT_PRESENT."""
    column = st.lists(st.none() | values, min_size=ROWS, max_size=ROWS)
    return column.filter(lambda drawn: any(value is not None for value in drawn))


def limits(numbers: Sequence[float]) -> st.SearchStrategy[str]:
    sides = (st.sampled_from(["", *(f"{side}: {one!r}" for one in numbers)]) for side in ("min", "max"))
    return st.tuples(*sides).map(" ".join)


INTEGERS = [0, 1, -1, 7, EXACT, -EXACT, EXACT - 1]
FLOATS = [0.0, -0.0, 0.1, 0.30000001192092896, 1.0, -1.5, 16777217.0, 3.4e38]
# Of nothing but NaN, TFDV takes 0 for the smallest and the largest value.
FLOAT_COLUMN = column(st.sampled_from([*FLOATS, NAN, INF, -INF])).filter(
    lambda drawn: any(value is not None and not math.isnan(value) for value in drawn)
)
DISALLOWED = st.sampled_from(["", "disallow_nan: true", "disallow_inf: true", "disallow_nan: true disallow_inf: true"])
TEXT_DOMAINS = [
    'string_domain { value: ["x", "é", ""] }',
    "string_domain {}",
    "bool_domain {}",
    'bool_domain { true_value: "true" }',
    'bool_domain { true_value: "" false_value: "x" }',
]
COLUMNS = st.one_of(
    st.tuples(st.just(INT), column(st.sampled_from(INTEGERS)), limits(INTEGERS).map("int_domain {{ {} }}".format)),
    st.tuples(st.just(INT), column(st.integers(-1, 2)), st.just("bool_domain {}")),
    st.tuples(
        st.just(FLOAT),
        FLOAT_COLUMN,
        st.tuples(limits(FLOATS), DISALLOWED).map(" ".join).map("float_domain {{ {} }}".format),
    ),
    st.tuples(
        st.just(TEXT),
        column(st.sampled_from(["", "x", "y", "é", "true", "false", "\0"])),
        st.sampled_from(TEXT_DOMAINS),
    ),
)
TABLES = st.lists(st.tuples(COLUMNS, st.sampled_from(["", "presence { min_fraction: 1 }"])), min_size=1, max_size=10)


@given(TABLES)
@settings(max_examples=25)
def test_a_row_violates_a_rule_if_and_only_if_tfdv_raises_its_anomaly(drawn: list[Any]):
    features, arrays = [], []
    for number, ((kind, values, domain), presence) in enumerate(drawn):
        features.append(f'feature {{ name: "{number}" type: {TYPES[kind]} {domain} {presence} }}')
        arrays.append(pa.array(values, ARROW_TYPES[kind]))
    batch = pa.RecordBatch.from_arrays(arrays, [str(number) for number in range(len(arrays))])
    schema = text_format.Parse(" ".join(features), schema_pb2.Schema())
    rules = rules_of_schema(schema, {str(number): kind for number, ((kind, _, _), _) in enumerate(drawn)})
    found = {(rule.feature, rule.name) for rule in rules if rule.violations(batch) is not None}
    # Of these two, TFDV tells only the first.
    found -= {(name, "BOOL_TYPE_BIG_INT") for name, type_ in found if type_ == "BOOL_TYPE_SMALL_INT"}
    assert found == types_of_tfdv(schema, batch)
