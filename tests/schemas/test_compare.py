"""What a change of a schema means to a model that reads the data."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0.schema_pb2 import Schema

from beam_taxi.schemas.compare import BREAKING, COMPATIBLE, WIDENING, compare, worst


def parse(text: str) -> Schema:
    return text_format.Parse(text, Schema())


def of_x(fields: str) -> str:
    return f'feature {{ name: "x" {fields} }}'


DOMAIN = ' string_domain { name: "d" value: "a" value: "b" }'
MORE = ' string_domain { name: "e" value: "c" value: "b" value: "a" }'
CHANGES = [
    ("", of_x(""), WIDENING, "added, may be missing"),
    ("", of_x("presence { min_count: 1 }"), BREAKING, "added, must be present"),
    (of_x(""), "", BREAKING, "removed"),
    (of_x(""), of_x("lifecycle_stage: DEPRECATED"), BREAKING, "no longer in use (DEPRECATED)"),
    (of_x("deprecated: true"), of_x(""), WIDENING, "in use again, may be missing"),
    (of_x("deprecated: true"), "", COMPATIBLE, "was not in use"),
    (of_x(""), of_x("lifecycle_stage: BETA"), COMPATIBLE, "lifecycle_stage: UNKNOWN_STAGE → BETA"),
    (of_x("type: INT"), of_x("type: FLOAT"), BREAKING, "type: INT → FLOAT"),
    (
        of_x("presence { min_fraction: 1 }"),
        of_x("presence { min_fraction: 0.9 }"),
        WIDENING,
        "presence.min_fraction: 1 → 0.9",
    ),
    (of_x("presence { min_count: 1 }"), of_x(""), WIDENING, "presence.min_count removed: 1"),
    (of_x(""), of_x("presence { min_count: 1 }"), BREAKING, "presence.min_count added: 1"),
    (
        of_x("shape { dim { size: 1 } }"),
        of_x("value_count { min: 1 }"),
        BREAKING,
        "shape: shape { dim { size: 1 } } → value_count { min: 1 }",
    ),
    (of_x("shape { dim { size: 1 } }"), of_x(""), BREAKING, "shape removed: shape { dim { size: 1 } }"),
    (of_x(""), of_x("value_count { max: 2 }"), BREAKING, "value_count added: value_count { max: 2 }"),
    (of_x("value_count { max: 2 }"), of_x("value_count { max: 3 }"), WIDENING, "value_count.max: 2 → 3"),
    (of_x("value_count { max: 2 }"), of_x("value_count { max: 1 }"), BREAKING, "value_count.max: 2 → 1"),
    (
        of_x("value_count { min: 1 max: 1 }"),
        of_x("value_count { min: 1 max: 2 }"),
        BREAKING,
        "value_count.max: 1 → 2",
    ),
    (of_x('domain: "d"') + DOMAIN, of_x('domain: "e"') + MORE, WIDENING, "1 value added: c"),
    (of_x('domain: "e"') + MORE, of_x('domain: "d"') + DOMAIN, BREAKING, "1 value removed: c"),
    (of_x('domain: "d"') + DOMAIN, of_x(""), WIDENING, "domain removed: a, b"),
    (of_x(""), of_x('domain: "d"') + DOMAIN, BREAKING, "domain added: a, b"),
    (of_x('domain: "d"') + DOMAIN, of_x("int_domain { }"), BREAKING, "domain: a, b → int_domain { }"),
    (of_x("int_domain { min: 0 }"), of_x("int_domain { min: -1 }"), WIDENING, "int_domain.min: 0 → -1"),
    (of_x("int_domain { min: 0 }"), of_x("int_domain { min: 1 }"), BREAKING, "int_domain.min: 0 → 1"),
    (of_x("int_domain { max: 9 }"), of_x("int_domain { }"), WIDENING, "int_domain.max removed: 9"),
    (of_x("float_domain { max: 0.1 }"), of_x("float_domain { max: 2 }"), WIDENING, "float_domain.max: 0.1 → 2"),
    (of_x("float_domain { }"), of_x("float_domain { min: 2 }"), BREAKING, "float_domain.min added: 2"),
    (
        of_x("float_domain { }"),
        of_x("float_domain { disallow_nan: true }"),
        BREAKING,
        "float_domain.disallow_nan: false → true",
    ),
    (
        of_x("float_domain { is_categorical: true }"),
        of_x("float_domain { }"),
        BREAKING,
        "float_domain.is_categorical removed: True",
    ),
    (
        of_x('bool_domain { true_value: "y" }'),
        of_x('bool_domain { true_value: "Y" }'),
        BREAKING,
        'bool_domain: bool_domain { true_value: "y" } → bool_domain { true_value: "Y" }',
    ),
    (of_x("unique_constraints { max: 2 }"), of_x("unique_constraints { max: 3 }"), WIDENING, None),
    (of_x(""), of_x("distribution_constraints { min_domain_mass: 0.9 }"), BREAKING, None),
    (of_x(""), of_x("drift_comparator { infinity_norm { threshold: 0.1 } }"), COMPATIBLE, None),
    (of_x(""), of_x('annotation { tag: "pii" }'), COMPATIBLE, 'annotation added: { tag: "pii" }'),
    (of_x(""), of_x('not_in_environment: "serving"'), COMPATIBLE, "not_in_environment added: serving"),
    ("", "dataset_constraints { min_examples_count: 3 }", BREAKING, "dataset_constraints.min_examples_count added: 3"),
    ("", 'sparse_feature { name: "s" }', WIDENING, None),
    ('weighted_feature { name: "s" }', "", BREAKING, None),
    ("", 'tensor_representation_group { key: "" value { } }', WIDENING, None),
]


@pytest.mark.parametrize(("old", "new", "level", "text"), CHANGES)
def test_a_change(old: str, new: str, level: str, text: str | None):
    (difference,) = compare(parse(old), parse(new))
    assert difference.level == level
    assert text in (None, difference.text)
    assert difference.feature in ("x", "", "s")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (of_x("type: INT") + 'feature { name: "y" }', 'feature { name: "y" }' + of_x("type: INT")),
        (of_x('domain: "d"') + DOMAIN, of_x('string_domain { value: "b" value: "a" }')),
        (of_x('domain: "d"') + DOMAIN, (of_x('domain: "z"') + DOMAIN).replace('name: "d"', 'name: "z"')),
        (of_x("presence { min_count: 0 }"), of_x("")),
    ],
)
def test_what_makes_no_difference(old: str, new: str):
    assert compare(parse(old), parse(new)) == []


def test_all_of_a_feature_and_in_order():
    old = parse(of_x("type: INT presence { min_fraction: 1 }") + 'feature { name: "a" }')
    new = parse(of_x('type: FLOAT annotation { tag: "t" }') + 'feature { name: "b" }')
    found = compare(old, new)
    assert [(one.feature, one.field, one.level) for one in found] == [
        ("a", "feature", BREAKING),
        ("b", "feature", WIDENING),
        ("x", "type", BREAKING),
        ("x", "presence.min_fraction", WIDENING),
        ("x", "annotation", COMPATIBLE),
    ]
    assert worst(found) == BREAKING
    assert worst([found[1], found[-1]]) == WIDENING
    assert worst([]) == COMPATIBLE


def test_a_long_list_of_values_is_cut():
    values = "".join(f'value: "{i:02}" ' for i in range(13))
    (found,) = compare(parse(of_x("string_domain { }")), parse(of_x(f"string_domain {{ {values} }}")))
    assert found.text == "13 values added: 00, 01, 02, 03, 04, 05, 06, 07, 08, 09, … (3 more)"
