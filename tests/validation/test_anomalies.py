"""TFDV's anomalies as results: every type that TFDV raises, comparators, environments, slices, severities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from beam_taxi.run.validation import FAILED, NOT_EVALUATED, PASSED, WARNED, Result
from beam_taxi.statistics.splits import ALL_ROWS
from beam_taxi.validation.anomalies import Rules, is_blessed, validate
from tests.schemas.tables import statistics_of

Statistics = statistics_pb2.DatasetFeatureStatisticsList
Found = set[tuple[str, str, str]]
NAN, INF = float("nan"), float("inf")


def rules_of(schema: str, **changes: Any) -> Rules:
    parsed = text_format.Parse(schema, schema_pb2.Schema())
    return Rules(parsed, **{"line_of": lambda feature, fields: None, "severity_of": lambda *_: None, **changes})


def judged(schema: str, statistics: Mapping[str, Statistics], baseline: Any = None, **changes: Any) -> list[Result]:
    return validate(statistics, rules_of(schema, **changes), baseline)[1]


def found_in(results: Sequence[Result]) -> Found:
    """Return feature, type and outcome of the results; the feature is empty for those of the data set."""
    return {(",".join(one.features), one.name, one.outcome) for one in results}


def failing(results: Sequence[Result]) -> Found:
    return found_in([one for one in results if one.outcome != PASSED])


def by_hand(text: str) -> Statistics:
    """Return the statistics of features that no flat table has."""
    return text_format.Parse(f"datasets {{ num_examples: 4 {text} }}", Statistics())


def common(rest: str = "", least: int = 1, most: int = 1, present: int = 4) -> str:
    return (
        f"common_stats {{ num_non_missing: {present} num_missing: {4 - present} tot_num_values: {present * most} "
        f"min_num_values: {least} max_num_values: {most} avg_num_values: {most} {rest} }}"
    )


def feature(name: str, rest: str = "", type_: str = "INT", **counts: int) -> str:
    """Return the statistics of a feature as text; `rest` is outside of those of its values."""
    stats = {"INT": "num_stats", "FLOAT": "num_stats", "STRING": "string_stats", "BYTES": "bytes_stats"}[type_]
    return f'features {{ path {{ step: "{name}" }} type: {type_} {stats} {{ {common(**counts)} }} {rest} }}'


def nested(levels: int) -> str:
    """Return the statistics of a feature with lists in lists."""
    one = "presence_and_valency_stats { num_non_missing: 4 min_num_values: 2 max_num_values: 2 tot_num_values: 8 }"
    return f'features {{ path {{ step: "a" }} type: INT num_stats {{ {common(one * levels, 2, 2)} }} }}'


def custom(name: str, stats: str) -> str:
    """Return the statistics of a sparse or weighted feature."""
    return f'features {{ path {{ step: "{name}" }} type: INT custom_stats {{ {stats} }} }}'


def int_a(rest: str) -> str:
    return f'feature {{ name: "a" type: INT {rest} }}'


def float_a(rest: str) -> str:
    return f'feature {{ name: "a" type: FLOAT {rest} }}'


def text_a(rest: str) -> str:
    return f'feature {{ name: "a" type: BYTES {rest} }}'


SPARSE = """feature { name: "i" type: INT } feature { name: "v" type: INT }
sparse_feature { name: "s" index_feature { name: "i" } value_feature { name: "v" } }"""
WEIGHTED = """feature { name: "v" type: INT } feature { name: "w" type: INT }
weighted_feature { name: "x" feature { step: "v" } weight_feature { step: "w" } }"""
VALUES = feature("i") + feature("v")
WEIGHTS = feature("v") + feature("w")
LANGUAGE = """custom_stats { name: "nl_statistics" any {
  [type.googleapis.com/tensorflow.metadata.v0.NaturalLanguageStatistics] {
    feature_coverage: 0.25 avg_token_length: 2
    token_statistics {
      int_token: 7 frequency: 4 fraction_of_sequences: 0.5 per_sequence_min_frequency: 2 per_sequence_max_frequency: 3
    }
  } } }"""


def language(constraint: str) -> tuple[str, Statistics]:
    return text_a(f"natural_language_domain {{ {constraint} }}"), by_hand(feature("a", LANGUAGE, "STRING"))


def token(limit: str) -> tuple[str, Statistics]:
    return language(f"token_constraints {{ int_value: 7 {limit} }}")


IMAGES = """custom_stats { name: "image_format_histogram" rank_histogram {
  buckets { label: "jpeg" sample_count: 1 } buckets { label: "UNKNOWN" sample_count: 3 } } }"""

TYPES: dict[str, list[tuple[str, Statistics]]] = {
    "BOOL_TYPE_BIG_INT": [(int_a("bool_domain {}"), statistics_of({"a": [0, 2]}))],
    "BOOL_TYPE_SMALL_INT": [(int_a("bool_domain {}"), statistics_of({"a": [-1, 1]}))],
    "BOOL_TYPE_UNEXPECTED_STRING": [
        (text_a('bool_domain { true_value: "yes" }'), statistics_of({"a": ["yes", "no"]})),
        (text_a("bool_domain {}"), statistics_of({"a": ["true"]})),
    ],
    "BOOL_TYPE_UNEXPECTED_FLOAT": [
        (float_a("bool_domain {}"), statistics_of({"a": [0.0, 0.5, 1.0, 2.0]})),
        (float_a("bool_domain {}"), statistics_of({"a": [0.0, NAN]})),
    ],
    "ENUM_TYPE_INVALID_UTF8": [(text_a('string_domain { value: "x" }'), statistics_of({"a": [b"x", b"\xff"]}))],
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES": [
        (text_a('string_domain { value: "x" }'), statistics_of({"a": ["x", "y", None]})),
        (text_a('domain: "d"') + ' string_domain { name: "d" value: "x" }', statistics_of({"a": ["x", "y"]})),
        (
            text_a('string_domain { value: "x" } distribution_constraints { min_domain_mass: 0.8 }'),
            statistics_of({"a": ["x", "x", "y"]}),
        ),
    ],
    "FEATURE_TYPE_HIGH_NUMBER_VALUES": [
        (int_a("value_count { max: 2 }"), by_hand(feature("a", most=3))),
        (int_a("value_counts { value_count {} value_count { max: 1 } }"), by_hand(nested(2))),
    ],
    "FEATURE_TYPE_LOW_NUMBER_VALUES": [
        (int_a("value_count { min: 2 }"), by_hand(feature("a", most=3))),
        (int_a("value_counts { value_count {} value_count { min: 3 } }"), by_hand(nested(2))),
    ],
    "FEATURE_TYPE_LOW_FRACTION_PRESENT": [
        (int_a("presence { min_fraction: 1 }"), statistics_of({"a": [1, None]})),
        (int_a("presence { min_fraction: 0.8 }"), statistics_of({"a": [1, 2, 3, None]})),
    ],
    "FEATURE_TYPE_LOW_NUMBER_PRESENT": [(int_a("presence { min_count: 2 }"), statistics_of({"a": [1, None]}))],
    "FEATURE_TYPE_NOT_PRESENT": [
        (int_a("presence { min_count: 1 }"), statistics_of({"a": [None, None]}, a=int)),
        (int_a("presence { min_fraction: 0.1 }"), statistics_of({"a": [None, None]}, a=int)),
    ],
    "FEATURE_TYPE_HIGH_UNIQUE": [(text_a("unique_constraints { max: 1 }"), statistics_of({"a": ["x", "y"]}))],
    "FEATURE_TYPE_LOW_UNIQUE": [(text_a("unique_constraints { min: 2 max: 9 }"), statistics_of({"a": ["x", "x"]}))],
    "FEATURE_TYPE_NO_UNIQUE": [(int_a("unique_constraints { max: 1 }"), statistics_of({"a": [1, 2]}))],
    "FLOAT_TYPE_BIG_FLOAT": [
        (float_a("float_domain { max: 0.1 }"), statistics_of({"a": [0.11]})),
        (text_a("float_domain { max: 1 }"), statistics_of({"a": ["1.5"]})),
    ],
    "FLOAT_TYPE_SMALL_FLOAT": [(float_a("float_domain { min: 0.1 }"), statistics_of({"a": [0.09]}))],
    "FLOAT_TYPE_STRING_NOT_FLOAT": [(text_a("float_domain {}"), statistics_of({"a": ["1.5", "x"]}))],
    "FLOAT_TYPE_HAS_NAN": [(float_a("float_domain { disallow_nan: true }"), statistics_of({"a": [1.0, NAN]}))],
    "FLOAT_TYPE_HAS_INF": [(float_a("float_domain { disallow_inf: true }"), statistics_of({"a": [1.0, -INF]}))],
    "INT_TYPE_BIG_INT": [
        (int_a("int_domain { max: 5 }"), statistics_of({"a": [5, 6]})),
        (text_a("int_domain { max: 5 }"), statistics_of({"a": ["5", "6"]})),
    ],
    "INT_TYPE_SMALL_INT": [(int_a("int_domain { min: 5 }"), statistics_of({"a": [4, 5]}))],
    "INT_TYPE_NOT_INT_STRING": [(text_a("int_domain {}"), statistics_of({"a": ["5", "x"]}))],
    "LOW_SUPPORTED_IMAGE_FRACTION": [
        (text_a("image_domain { minimum_supported_image_fraction: 0.5 }"), by_hand(feature("a", IMAGES, "BYTES")))
    ],
    "MAX_IMAGE_BYTE_SIZE_EXCEEDED": [
        (
            text_a("image_domain { max_image_byte_size: 5 }"),
            by_hand(feature("a", type_="BYTES").replace("bytes_stats {", "bytes_stats { max_num_bytes_int: 6")),
        )
    ],
    "SCHEMA_MISSING_COLUMN": [(int_a("presence { min_count: 1 }"), by_hand(""))],
    "SCHEMA_NEW_COLUMN": [("", statistics_of({"a": [1]}))],
    "SPARSE_FEATURE_MISSING_VALUE": [(SPARSE, by_hand(VALUES + custom("s", 'name: "missing_value" num: 1')))],
    "SPARSE_FEATURE_MISSING_INDEX": [
        (
            SPARSE,
            by_hand(
                VALUES + custom("s", 'name: "missing_index" rank_histogram { buckets { label: "i" sample_count: 1 } }')
            ),
        )
    ],
    "SPARSE_FEATURE_LENGTH_MISMATCH": [
        (
            SPARSE,
            by_hand(
                VALUES
                + custom("s", 'name: "max_length_diff" rank_histogram { buckets { label: "i" sample_count: 1 } }')
            ),
        )
    ],
    "SPARSE_FEATURE_NAME_COLLISION": [
        (SPARSE + ' feature { name: "s" type: INT }', by_hand(VALUES + custom("s", 'name: "missing_value"')))
    ],
    "WEIGHTED_FEATURE_MISSING_VALUE": [(WEIGHTED, by_hand(WEIGHTS + custom("x", 'name: "missing_value" num: 1')))],
    "WEIGHTED_FEATURE_MISSING_WEIGHT": [(WEIGHTED, by_hand(WEIGHTS + custom("x", 'name: "missing_weight" num: 1')))],
    "WEIGHTED_FEATURE_LENGTH_MISMATCH": [
        (WEIGHTED, by_hand(WEIGHTS + custom("x", 'name: "max_weight_length_diff" num: 1')))
    ],
    "WEIGHTED_FEATURE_NAME_COLLISION": [
        (WEIGHTED + ' feature { name: "x" type: INT }', by_hand(WEIGHTS + custom("x", 'name: "missing_value"')))
    ],
    "SEMANTIC_DOMAIN_UPDATE": [
        (
            text_a(""),
            by_hand(feature("a", 'custom_stats { name: "domain_info" str: "image_domain {}" }', "STRING")),
        )
    ],
    "DATASET_LOW_NUM_EXAMPLES": [("dataset_constraints { min_examples_count: 5 }", by_hand(""))],
    "DATASET_HIGH_NUM_EXAMPLES": [
        ("dataset_constraints { min_examples_count: 1 max_examples_count: 3 }", by_hand("")),
        ("dataset_constraints { max_examples_count: 3 }", by_hand("")),
    ],
    "VALUE_NESTEDNESS_MISMATCH": [
        (int_a("value_count { min: 1 }"), by_hand(nested(2))),
        (int_a("value_counts { value_count {} value_count {} }"), by_hand(feature("a"))),
    ],
    "DOMAIN_INVALID_FOR_TYPE": [(int_a('string_domain { value: "x" }'), statistics_of({"a": [1]}))],
    "FEATURE_MISSING_NAME": [("feature { type: INT }", by_hand(feature("")))],
    "FEATURE_MISSING_TYPE": [('feature { name: "a" }', statistics_of({"a": [1]}))],
    "INVALID_SCHEMA_SPECIFICATION": [(int_a("presence { min_fraction: 2 }"), statistics_of({"a": [1]}))],
    "INVALID_DOMAIN_SPECIFICATION": [(text_a('domain: "d"'), statistics_of({"a": ["x"]}))],
    "UNEXPECTED_DATA_TYPE": [(int_a(""), statistics_of({"a": ["x"]}))],
    "SEQUENCE_VALUE_TOO_FEW_OCCURRENCES": [token("min_per_sequence: 3")],
    "SEQUENCE_VALUE_TOO_MANY_OCCURRENCES": [token("max_per_sequence: 2")],
    "SEQUENCE_VALUE_TOO_SMALL_FRACTION": [token("min_fraction_of_sequences: 0.6")],
    "SEQUENCE_VALUE_TOO_LARGE_FRACTION": [token("max_fraction_of_sequences: 0.4")],
    "FEATURE_COVERAGE_TOO_LOW": [language("coverage { min_coverage: 0.5 }")],
    "FEATURE_COVERAGE_TOO_SHORT_AVG_TOKEN_LENGTH": [language("coverage { min_avg_token_length: 3 }")],
    "STATS_NOT_AVAILABLE": [
        (text_a("natural_language_domain { coverage { min_coverage: 1 } }"), statistics_of({"a": ["x"]}))
    ],
    "INVALID_FEATURE_SHAPE": [
        (int_a("shape { dim { size: 1 } }"), statistics_of({"a": [1, None]})),
        (int_a("shape { dim { size: 2 } }"), statistics_of({"a": [1, 2]})),
    ],
    "DERIVED_FEATURE_BAD_LIFECYCLE": [
        (int_a('validation_derived_source { deriver_name: "d" }'), by_hand(feature("a")))
    ],
    "DERIVED_FEATURE_INVALID_SOURCE": [
        (int_a(""), by_hand(feature("a", 'validation_derived_source { deriver_name: "d" }')))
    ],
}

OF_DATASET = {"DATASET_LOW_NUM_EXAMPLES", "DATASET_HIGH_NUM_EXAMPLES"}
OTHER_FEATURES = {"FEATURE_MISSING_NAME": "''"}


@pytest.mark.parametrize("type_", TYPES)
def test_types(type_: str):
    for schema, statistics in TYPES[type_]:
        found = failing(judged(schema, {"all": statistics}))
        if type_.startswith(("SPARSE", "WEIGHTED")):
            named = "s" if type_.startswith("SPARSE") else "x"
        else:
            named = "" if type_ in OF_DATASET else OTHER_FEATURES.get(type_, "a")
        assert found == {(named, type_, FAILED)}


TEXTS, NUMBERS = statistics_of({"a": ["x", "x", "x", "y"]}), statistics_of({"a": [1.0, 2.0, 3.0, 4.0]})
OTHER_TEXTS, OTHER_NUMBERS = statistics_of({"a": ["x", "y", "y", "z"]}), statistics_of({"a": [7.0, 8.0, 9.0, 9.5]})
WITHOUT_A = statistics_of({"b": [1, 2]})
EMPTY = Statistics(datasets=[statistics_pb2.DatasetFeatureStatistics()])

# The type of a feature, the comparator, the statistics, and those that they are compared with.
COMPARED: dict[str, tuple[str, str, Statistics, Statistics]] = {
    "COMPARATOR_L_INFTY_HIGH": ("BYTES", "infinity_norm { threshold: 0.3 }", TEXTS, OTHER_TEXTS),
    "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH": (
        "BYTES",
        "normalized_abs_difference { threshold: 0.2 }",
        TEXTS,
        OTHER_TEXTS,
    ),
    "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH": (
        "FLOAT",
        "jensen_shannon_divergence { threshold: 0.3 }",
        NUMBERS,
        OTHER_NUMBERS,
    ),
    "COMPARATOR_CONTROL_DATA_MISSING": ("FLOAT", "jensen_shannon_divergence { threshold: 0.3 }", NUMBERS, WITHOUT_A),
}


@pytest.mark.parametrize("type_", COMPARED)
def test_drift_comparators_compare_a_split_with_its_namesake(type_: str):
    kind, threshold, now, before = COMPARED[type_]
    schema = f'feature {{ name: "a" type: {kind} drift_comparator {{ {threshold} }} }}'
    assert failing(judged(schema, {"train": now}, {"train": before, "eval": now})) == {("a", type_, FAILED)}
    assert failing(judged(schema, {"train": now}, {"train": now, "eval": before})) == set()
    for without in (None, {"eval": before}, {"train": EMPTY}):
        (one,) = [one for one in judged(schema, {"train": now}, without) if one.outcome != PASSED]
        assert (one.name, one.outcome, one.split) == ("COMPARATOR", NOT_EVALUATED, "train")


@pytest.mark.parametrize("type_", COMPARED)
def test_skew_comparators_compare_a_split_with_the_first_one(type_: str):
    kind, threshold, now, other = COMPARED[type_]
    schema = f'feature {{ name: "a" type: {kind} skew_comparator {{ {threshold} }} }} feature {{ name: "b" type: INT }}'
    results = judged(schema, {"train": other, "eval": now, "test": now})
    missing = {("a", "SCHEMA_MISSING_COLUMN", FAILED)} if other is WITHOUT_A else set()
    assert failing([one for one in results if one.split == "train"]) - missing == set()
    for split in ("eval", "test"):
        assert ("a", type_, FAILED) in failing([one for one in results if one.split == split])
    results = judged(schema, {"train": EMPTY, "eval": now})
    assert ("a", "COMPARATOR", NOT_EVALUATED) in failing([one for one in results if one.split == "eval"])


def test_measurements_are_evidence_of_their_comparator():
    threshold = "infinity_norm { threshold: 0.25 } normalized_abs_difference { threshold: 0.2 }"
    schema = text_a(
        f"drift_comparator {{ {threshold} }} skew_comparator {{ infinity_norm {{ threshold: 0.125 }} }}"
        'string_domain { value: "x" }'
    )
    texts, fewer = statistics_of({"a": ["x", "x", "x", "y"]}), statistics_of({"a": ["x", "x", "y", "y"]})
    results = judged(schema, {"train": fewer, "eval": texts}, {"train": fewer, "eval": OTHER_TEXTS})
    assert [(one.name, one.evidence) for one in results if one.split == "eval"] == [
        ("ENUM_TYPE_UNEXPECTED_STRING_VALUES", {}),
        ("COMPARATOR_L_INFTY_HIGH", {"l_infty": 0.5, "l_infty_limit": 0.25}),
        (
            "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH",
            {"normalized_absolute_difference": 0.25, "normalized_absolute_difference_limit": 0.2},
        ),
        ("COMPARATOR_L_INFTY_HIGH", {"l_infty": 0.25, "l_infty_limit": 0.125}),
    ]


@pytest.mark.parametrize("comparator", ["num_examples_drift_comparator", "num_examples_version_comparator"])
def test_number_of_examples_against_the_baseline(comparator: str):
    schema = f"dataset_constraints {{ {comparator} {{ min_fraction_threshold: 0.9 max_fraction_threshold: 1.5 }} }}"
    schema += int_a("")

    def rows(count: int) -> dict[str, Statistics]:
        return {"all": statistics_of({"a": [1] * count})}

    assert failing(judged(schema, rows(10), rows(10))) == set()
    assert failing(judged(schema, rows(10), rows(12))) == {("", "COMPARATOR_LOW_NUM_EXAMPLES", FAILED)}
    assert failing(judged(schema, rows(10), rows(5))) == {("", "COMPARATOR_HIGH_NUM_EXAMPLES", FAILED)}
    for without in (None, {"eval": rows(1)["all"]}, {"all": EMPTY}):
        assert failing(judged(schema, rows(10), without)) == {("", "COMPARATOR", NOT_EVALUATED)}


NEVER_RAISED = {
    "UNKNOWN_TYPE",
    "MULTIPLE_REASONS",
    "BOOL_TYPE_BYTES_NOT_INT",
    "BOOL_TYPE_BYTES_NOT_STRING",
    "BOOL_TYPE_FLOAT_NOT_INT",
    "BOOL_TYPE_FLOAT_NOT_STRING",
    "BOOL_TYPE_INT_NOT_STRING",
    "BOOL_TYPE_INVALID_CONFIG",
    "BOOL_TYPE_STRING_NOT_INT",
    "COMPARATOR_TREATMENT_DATA_MISSING",
    "CUSTOM_VALIDATION",
    "EMBEDDING_SHAPE_INVALID",
    "ENUM_TYPE_BYTES_NOT_STRING",
    "ENUM_TYPE_FLOAT_NOT_STRING",
    "ENUM_TYPE_INT_NOT_STRING",
    "FEATURE_TYPE_NO_VALUES",
    "FEATURE_TYPE_UNEXPECTED_REPEATED",
    "FLOAT_TYPE_NON_STRING",
    "FLOAT_TYPE_NOT_FLOAT",
    "FLOAT_TYPE_UNKNOWN_TYPE_NUMBER",
    "INT_TYPE_INT_EXPECTED",
    "INT_TYPE_NOT_STRING",
    "INT_TYPE_STRING_EXPECTED",
    "INT_TYPE_UNKNOWN_TYPE_NUMBER",
    "NLP_WRONG_LOCATION",
    "SCHEMA_TRAINING_SERVING_SKEW",
    "STRING_TYPE_NOW_FLOAT",
    "STRING_TYPE_NOW_INT",
}
"""Types that no result has: TFDV's sources (`tensorflow_data_validation/anomalies/*.cc`) raise none of them.

MULTIPLE_REASONS is the type of an anomaly with several reasons, of which each is a result. CUSTOM_VALIDATION is that of
a validation by SQL, which has a configuration of its own.
"""
ELSEWHERE = {"NO_DATA_IN_SPAN", "COMPARATOR_LOW_NUM_EXAMPLES", "COMPARATOR_HIGH_NUM_EXAMPLES"}


def test_every_type_has_a_case():
    known = set(anomalies_pb2.AnomalyInfo.Type.keys())
    assert known - {*TYPES, *COMPARED, *ELSEWHERE} - NEVER_RAISED == set()
    assert {*TYPES, *COMPARED, *ELSEWHERE} & NEVER_RAISED == set()


def test_each_reason_of_an_anomaly_is_a_result():
    schema = int_a("int_domain { max: 5 } presence { min_count: 9 }")
    results = judged(schema, {"all": statistics_of({"a": [6]})})
    assert found_in(results) == {
        ("a", "INT_TYPE_BIG_INT", FAILED),
        ("a", "FEATURE_TYPE_LOW_NUMBER_PRESENT", FAILED),
    }
    assert [one.text for one in results] == [
        "a: The feature was present in fewer examples than expected: minimum count = 9, actual = 1",
        "a: Unexpectedly large value: 6",
    ]
    assert [one.title for one in results] == ["Column dropped", "Out-of-range values"]


def test_a_feature_without_an_anomaly_has_passed():
    (one,) = judged(int_a("int_domain { max: 5 }"), {"all": statistics_of({"a": [5]})})
    assert (one.name, one.outcome, one.features, one.split) == ("SCHEMA", PASSED, ("a",), "all")


def test_an_empty_split_is_not_evaluated():
    schema = int_a("int_domain { max: 5 } drift_comparator { jensen_shannon_divergence { threshold: 1 } }")
    full = statistics_of({"a": [5]})
    anomalies, results = validate({"train": full, "eval": EMPTY}, rules_of(schema), {"train": full, "eval": full})
    assert found_in([one for one in results if one.split == "eval"]) == {("", "NO_DATA_IN_SPAN", NOT_EVALUATED)}
    assert {split: is_blessed(one) for split, one in anomalies.items()} == {"train": True, "eval": False}


def test_features_without_statistics_are_not_evaluated():
    schema = int_a("presence { min_count: 1 }") + 'feature { name: "b" type: INT presence { min_count: 1 } }'
    results = judged(schema, {"all": statistics_of({"a": [1]})}, described=("a",))
    assert found_in(results) == {("a", "SCHEMA", PASSED), ("b", "SCHEMA", NOT_EVALUATED)}


ENVIRONMENTS = {
    "in": ('in_environment: "T"', "T", {("a", "SCHEMA_MISSING_COLUMN", FAILED)}),
    "in another, too": ('in_environment: "S"', "T", {("a", "SCHEMA_MISSING_COLUMN", FAILED)}),
    "in both lists": ('in_environment: "T" not_in_environment: "T"', "T", {("a", "SCHEMA_MISSING_COLUMN", FAILED)}),
    "in all but this": ('not_in_environment: "T"', "T", set()),
    "in all but another": ('not_in_environment: "S"', "T", {("a", "SCHEMA_MISSING_COLUMN", FAILED)}),
    "no environment is asked for": ('in_environment: "S"', None, {("a", "SCHEMA_MISSING_COLUMN", FAILED)}),
    "deprecated": ("lifecycle_stage: DEPRECATED", "T", set()),
    "planned": ("lifecycle_stage: PLANNED", "T", set()),
    "in production": ("lifecycle_stage: PRODUCTION", "T", {("a", "SCHEMA_MISSING_COLUMN", FAILED)}),
}


@pytest.mark.parametrize(("field", "environment", "expected"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_environments(field: str, environment: str | None, expected: Found):
    schema = f'default_environment: ["T", "S"] {int_a(field + " presence { min_count: 1 }")}'
    assert found_in(judged(schema, {"all": by_hand("")}, environment=environment)) == expected


@pytest.mark.parametrize(("field", "environment", "expected"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_feature_has_passed_only_in_its_environments(field: str, environment: str | None, expected: Found):
    schema = f'default_environment: ["T", "S"] {int_a(field)}'
    found = found_in(judged(schema, {"all": statistics_of({"a": [1]})}, environment=environment))
    if "STAGE" in field.upper() and not expected:
        assert found == set()
    else:
        assert found == {("a", "SCHEMA", PASSED) if expected else ("a", "SCHEMA_NEW_COLUMN", FAILED)}


def test_what_is_not_in_the_environment_is_not_compared():
    schema = int_a('not_in_environment: "T" drift_comparator { jensen_shannon_divergence { threshold: 1 } }')
    assert judged('default_environment: "T" ' + schema, {"all": by_hand("")}, environment="T") == []


def test_default_environments():
    schema = f'default_environment: ["T"] {int_a("presence { min_count: 1 }")}'
    assert failing(judged(schema, {"all": by_hand("")}, environment="T")) == {("a", "SCHEMA_MISSING_COLUMN", FAILED)}


def test_a_column_of_nothing_but_nan_has_no_range():
    schema = float_a("float_domain { min: 1 max: 2 disallow_nan: true }")
    assert failing(judged(schema, {"all": statistics_of({"a": [NAN, NAN]})})) == {("a", "FLOAT_TYPE_HAS_NAN", FAILED)}


def sliced(**slices: list[int]) -> Statistics:
    """Return the statistics of all rows and of slices."""
    every = statistics_of({"a": [value for values in slices.values() for value in values]})
    every.datasets[0].name = ALL_ROWS
    for name, values in slices.items():
        every.datasets.add().CopyFrom(statistics_of({"a": values}).datasets[0])
        every.datasets[-1].name = name
    return every


def test_an_anomaly_of_one_slice():
    schema = int_a("int_domain { max: 5 }")
    results = judged(schema, {"all": sliced(s_x=[1, 2], s_y=[6])})
    assert {(one.slice, *one.features, one.outcome) for one in results} == {("", "a", FAILED), ("s_y", "a", FAILED)}


def test_constraints_of_numbers_of_rows_are_not_for_slices():
    schema = int_a("presence { min_count: 3 }") + "dataset_constraints { min_examples_count: 3 }"
    assert found_in(judged(schema, {"all": sliced(s_x=[1, 2], s_y=[6])})) == {("a", "SCHEMA", PASSED)}
    results = judged(schema.replace("3", "4"), {"all": sliced(s_x=[1, 2], s_y=[6])})
    assert {(one.slice, one.name) for one in results} == {
        ("", "DATASET_LOW_NUM_EXAMPLES"),
        ("", "FEATURE_TYPE_LOW_NUMBER_PRESENT"),
    }


def test_slices_are_compared_with_slices():
    schema = int_a("drift_comparator { jensen_shannon_divergence { threshold: 0.3 } }")
    before = sliced(s_x=[1, 1], s_y=[9, 9])
    now = sliced(s_x=[9, 9], s_y=[1, 1], s_z=[5])
    assert {one.slice for one in judged(schema, {"all": now}, {"all": before}) if one.outcome == FAILED} == {
        "s_x",
        "s_y",
    }


SEVERITIES = {"error": {FAILED}, "warning": {WARNED}, "none": set()}


@pytest.mark.parametrize("severity", SEVERITIES)
def test_severities(severity: str):
    schema = (
        int_a("int_domain { max: 5 } presence { min_fraction: 1 }") + "dataset_constraints { min_examples_count: 9 }"
    )
    statistics = {"all": statistics_of({"a": [6, None]})}

    def severity_of(feature: str, type_: str) -> str | None:
        return severity if (feature, type_) in (("a", "INT_TYPE_BIG_INT"), ("", "DATASET_LOW_NUM_EXAMPLES")) else None

    results = judged(schema, statistics, severity_of=severity_of)
    changed = {one.outcome for one in results if one.name in ("INT_TYPE_BIG_INT", "DATASET_LOW_NUM_EXAMPLES")}
    assert changed == SEVERITIES[severity]
    assert {one.outcome for one in results if one.name == "FEATURE_TYPE_LOW_FRACTION_PRESENT"} == {FAILED}


def test_ignored_anomalies_are_told():
    schema = int_a("int_domain { max: 5 }")
    (one,) = judged(schema, {"all": statistics_of({"a": [6]})}, severity_of=lambda *_: "none")
    assert (one.outcome, one.text) == (PASSED, "a: ignored: INT_TYPE_BIG_INT")


def test_lines_are_those_of_the_violated_constraint():
    asked = {}

    def line_of(feature: str, fields: Sequence[str]) -> int:
        asked[feature] = tuple(fields)
        return 7

    schema = int_a("int_domain { max: 5 }") + 'feature { name: "b" type: INT presence { min_count: 9 } }'
    results = judged(schema, {"all": statistics_of({"a": [6], "b": [1]})}, line_of=line_of)
    assert asked == {"a": ("int_domain", "type"), "b": ("presence",)}
    assert {(one.source, one.line) for one in results} == {("schema.pbtxt", 7)}
