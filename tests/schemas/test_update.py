"""An updated schema admits the data, keeps everything else, and its patch applies with git."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0.schema_pb2 import Schema

from beam_taxi.errors import UsageError
from beam_taxi.schemas.patch import patch
from beam_taxi.schemas.update import Edit, round_down, update
from tests.schemas.tables import Cell, statistics_of

HEAD = "# Kept under version control.\n"


def feature(body: str, kind: str = "FLOAT", name: str = "x") -> str:
    """Return the text of a schema with a feature, each field on a line of its own."""
    lines = "\n".join(f"  {line}" for line in body.split("|") if line)
    return f'{HEAD}feature {{\n  name: "{name}"  # the one\n  type: {kind}\n{lines}\n}}\n'


INF, NAN = float("inf"), float("nan")
DOMAIN = '\nstring_domain {\n  name: "d"\n  value: "a"\n  # late\n  value: "c"\n}\n'
CASES: dict[str, tuple[str, Mapping[str, Sequence[Cell]], list[str]]] = {
    "nothing": (feature("presence { min_count: 1 }"), {"x": [1.5]}, []),
    "new column": (
        feature("presence { min_count: 1 }"),
        {"x": [1.0], "y": ["u"]},
        ["SCHEMA_NEW_COLUMN"],
    ),
    "no values": (
        feature("presence {|  min_fraction: 1|  min_count: 1|}", "BYTES"),
        {"x": [None, None]},
        ["FEATURE_TYPE_NOT_PRESENT"],
    ),
    "fewer": (
        feature("presence { min_fraction: 0.9 }"),
        {"x": [1.0, None, 2.0]},
        ["FEATURE_TYPE_LOW_FRACTION_PRESENT"],
    ),
    "one tenth": (
        feature("presence { min_fraction: 0.2 }"),
        {"x": [1.0, *[None] * 9]},
        ["FEATURE_TYPE_LOW_FRACTION_PRESENT"],
    ),
    "fewer in number": (
        feature("presence {|  min_count: 9|}"),
        {"x": [1.0, None]},
        ["FEATURE_TYPE_LOW_NUMBER_PRESENT"],
    ),
    "a shape of missing values": (
        feature("shape {|  dim { size: 1 }|}|presence {|  min_fraction: 1|}"),
        {"x": [1.0, None]},
        ["INVALID_FEATURE_SHAPE", "FEATURE_TYPE_LOW_FRACTION_PRESENT"],
    ),
    "another shape": (feature("shape { dim { size: 2 } }"), {"x": [1.0]}, ["INVALID_FEATURE_SHAPE"]),
    "too few": (feature("value_count { min: 2 }"), {"x": [1.0]}, ["FEATURE_TYPE_LOW_NUMBER_VALUES"]),
    "another type": (feature("", "INT"), {"x": [1.5]}, ["UNEXPECTED_DATA_TYPE"]),
    "another type than that of the domain": (
        feature("int_domain { min: 0 }", "INT"),
        {"x": ["a", "b"]},
        ["UNEXPECTED_DATA_TYPE", "INT_TYPE_NOT_INT_STRING"],
    ),
    "a range of floats": (
        feature("float_domain {|  min: 0|  # dollars|  max: 0.5|}"),
        {"x": [-0.1, 0.7]},
        ["FLOAT_TYPE_SMALL_FLOAT", "FLOAT_TYPE_BIG_FLOAT"],
    ),
    "odd floats": (
        feature("float_domain { min: 0 disallow_nan: true disallow_inf: true }"),
        {"x": [-INF, NAN, 1.0]},
        ["FLOAT_TYPE_HAS_NAN", "FLOAT_TYPE_SMALL_FLOAT", "FLOAT_TYPE_HAS_INF"],
    ),
    "a range of integers": (
        feature("int_domain { min: 0 max: 1 }", "INT"),
        {"x": [-2, 3]},
        ["INT_TYPE_SMALL_INT", "INT_TYPE_BIG_INT"],
    ),
    "integers in text": (
        feature("int_domain { min: 0 max: 1 }", "BYTES"),
        {"x": ["-2", "3"]},
        ["INT_TYPE_SMALL_INT", "INT_TYPE_BIG_INT"],
    ),
    "no booleans": (feature("bool_domain {|}", "INT"), {"x": [0, 2]}, ["BOOL_TYPE_BIG_INT"]),
    "no boolean texts": (
        feature('bool_domain { true_value: "y" }', "BYTES"),
        {"x": ["y", "n"]},
        ["BOOL_TYPE_UNEXPECTED_STRING"],
    ),
    "no boolean floats": (feature("bool_domain { }"), {"x": [0.0, 0.25]}, ["BOOL_TYPE_UNEXPECTED_FLOAT"]),
    "a new value": (
        feature('domain: "d"', "BYTES") + DOMAIN,
        {"x": ["a", "b", "ü\t", "c"]},
        ["ENUM_TYPE_UNEXPECTED_STRING_VALUES"],
    ),
    "a new value in a domain of the feature": (
        feature('string_domain { value: "a" }', "BYTES"),
        {"x": ["a", "b"]},
        ["ENUM_TYPE_UNEXPECTED_STRING_VALUES"],
    ),
    "too many values": (
        feature('domain: "d"', "BYTES") + DOMAIN,
        {"x": [f"v{i}" for i in range(1001)]},
        ["ENUM_TYPE_UNEXPECTED_STRING_VALUES"],
    ),
    "not UTF-8": (feature('domain: "d"', "BYTES") + DOMAIN, {"x": [b"\xff"]}, ["ENUM_TYPE_INVALID_UTF8"]),
    "unique values": (
        feature("unique_constraints { min: 3 max: 3 }", "BYTES"),
        {"x": ["a", "b"]},
        ["FEATURE_TYPE_LOW_UNIQUE"],
    ),
    "no unique values": (feature("unique_constraints { min: 3 }"), {"x": [1.5]}, ["FEATURE_TYPE_NO_UNIQUE"]),
    "too few rows": (
        feature("") + "dataset_constraints { min_examples_count: 9 }\n",
        {"x": [1.5]},
        ["DATASET_LOW_NUM_EXAMPLES"],
    ),
    "all at once": (
        (feature("presence {|  min_fraction: 1|  min_count: 9|}") + feature('domain: "d"', "BYTES", "s") + DOMAIN)[:-1],
        {"x": [1.5, None], "s": ["b", "a"], "new": ["u", "v"], "n": [1, 2]},
        [
            "SCHEMA_NEW_COLUMN",
            "SCHEMA_NEW_COLUMN",
            "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
            "FEATURE_TYPE_LOW_NUMBER_PRESENT",
            "FEATURE_TYPE_LOW_FRACTION_PRESENT",
        ],
    ),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("case", CASES)
def test_updated(case: str, newline: str, tmp_path: Path):
    text, columns, expected = CASES[case]
    text = text.replace("\n", newline)
    statistics = statistics_of(columns)
    edits = update(text, statistics.datasets[0])
    assert [edit.anomaly for edit in edits] == expected
    updated = edits[-1].text if edits else text
    assert not tfdv.validate_statistics(statistics, text_format.Parse(updated, Schema())).anomaly_info
    kept = [comment for comment in re.findall("#.*", text) if comment not in updated]
    assert not kept
    check_patch(text, edits, updated, tmp_path)


def check_patch(text: str, edits: Sequence[Edit], updated: str, folder: Path) -> str:
    """Check that git makes the updated text from the old one; return the patch."""
    made = patch(text, edits, "conf/schema.pbtxt")
    if not edits:
        assert made == ""
        return made
    (folder / "conf").mkdir()
    (folder / "conf" / "schema.pbtxt").write_bytes(text.encode())
    for words in (["init", "-q"], ["config", "core.autocrlf", "false"], ["apply", "-"]):
        subprocess.run(["git", *words], cwd=folder, input=made.encode(), check=True)
    assert (folder / "conf" / "schema.pbtxt").read_bytes().decode() == updated
    return made


def test_a_missing_column_becomes_optional():
    text = feature("presence {|  min_fraction: 1|  min_count: 1|}") + feature("", "INT", "y")
    edits = update(text, statistics_of({"y": [1]}).datasets[0])
    assert [edit.anomaly for edit in edits] == ["SCHEMA_MISSING_COLUMN"]
    assert edits[-1].text == text.replace("min_fraction: 1", "min_fraction: 0").replace("min_count: 1", "min_count: 0")


def test_each_anomaly_has_a_hunk(tmp_path: Path):
    text, columns, _ = CASES["all at once"]
    edits = update(text, statistics_of(columns).datasets[0])
    made = check_patch(text, edits, edits[-1].text, tmp_path)
    titles = [line.partition(" @@ ")[2] for line in made.split("\n") if line.startswith("@@")]
    assert [title.partition(":")[0] for title in titles] == ["x", "n", "s", "new"]
    # The bounds of x are on adjacent lines, and the new columns have the same place.
    assert [title.count("The feature was present") for title in titles] == [2, 0, 0, 0]
    assert titles[2] == "s: Examples contain values missing from the schema: b (~50%)."


def test_near_changes_are_hunks_of_their_own(tmp_path: Path):
    text, columns, _ = CASES["a range of floats"]
    edits = update(text, statistics_of(columns).datasets[0])
    made = check_patch(text, edits, edits[-1].text, tmp_path)
    assert [line.partition(" @@ ")[0] for line in made.split("\n") if line.startswith("@@")] == [
        "@@ -3,5 +3,5",
        "@@ -8,3 +8,3",
    ]


def test_without_values_nothing_is_stricter():
    text = feature("float_domain { min: -9 max: 9 }|presence { min_fraction: 0.1 }")
    assert update(text, statistics_of({"x": [1.0]}).datasets[0]) == []


def test_what_needs_a_decision():
    text = f'{HEAD}feature {{\n  name: "x"\n}}\n'
    with pytest.raises(UsageError, match="feature 'x': unspecified type: .*; correct the schema by hand"):
        update(text, statistics_of({"x": [1.0]}).datasets[0])


@pytest.mark.parametrize(
    ("fraction", "rounded"), [(1.0, 1.0), (0.99999, 0.9999), (0.1, 0.0999), (0.5, 0.5), (1 / 3, 0.3333), (1e-6, 0.0)]
)
def test_fractions_are_rounded_down(fraction: float, rounded: float):
    assert round_down(fraction) == rounded
