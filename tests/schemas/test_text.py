"""Lines of a schema are found, and edited without touching others."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0.schema_pb2 import INT, Feature, FeaturePresence, Schema, StringDomain, ValueCount

from beam_taxi.errors import UsageError
from beam_taxi.schemas.scan import quote
from beam_taxi.schemas.text import SchemaText

TEXT = r"""# Trips { that are not braces: "
feature {
  name: "fare"   # dollars
  type: FLOAT
  float_domain { min: -1.5; max: 40, }
}
feature: <
  type: BYTES domain: "pay"
  name: 'pay\'s "type"'
  presence { min_fraction: 1
    # at least
    min_count: 1 } >
feature {
  name: "a" "b"
  string_domain: {
    value: ["x", "z"]
  }
  shape {
    dim { size: 1 }
  } # one value
}
string_domain {
  name: "pay"
  # The usual ones.
  value: "Card"
  value: "Cash"
}
string_domain { name: "one line" value: "b" value: "d" }
"""
PAY = 'pay\'s "type"'


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("fare",), 2),
        (("fare", "type"), 4),
        (("fare", "float_domain"), 5),
        (("fare", "float_domain", "max"), 5),
        (("fare", "int_domain", "max"), 2),
        ((PAY,), 7),
        ((PAY, "presence", "min_count"), 12),
        ((PAY, "presence", "other"), 10),
        ((PAY, "domain"), 22),
        ((PAY, "string_domain", "value"), 25),
        (("ab", "string_domain", "value"), 16),
        (("ab", "shape", "dim", "size"), 19),
        (("none",), None),
    ],
)
def test_lines(path: tuple[str, ...], line: int | None):
    assert SchemaText(TEXT).line_of(*path) == line


Edit = Callable[[SchemaText], SchemaText]
EDITS: dict[str, tuple[Edit, list[str]]] = {
    "replace in a line": (
        lambda t: t.set("fare", ("float_domain", "max"), "50"),
        ["-  float_domain { min: -1.5; max: 40, }", "+  float_domain { min: -1.5; max: 50, }"],
    ),
    "insert a message": (
        lambda t: t.set("fare", ("presence", "min_count"), "1"),
        ["+  presence {", "+    min_count: 1", "+  }"],
    ),
    "insert in a line": (
        lambda t: t.set("fare", ("float_domain", "disallow_nan"), "true"),
        ["-  float_domain { min: -1.5; max: 40, }", "+  float_domain { min: -1.5; max: 40, disallow_nan: true }"],
    ),
    "replace below a comment": (
        lambda t: t.set(PAY, ("presence", "min_count"), "0"),
        ["-    min_count: 1 } >", "+    min_count: 0 } >"],
    ),
    "remove lines": (
        lambda t: t.remove("ab", "shape"),
        ["-  shape {", "-    dim { size: 1 }", "-  } # one value"],
    ),
    "remove in a line": (
        lambda t: t.remove(PAY, "domain"),
        ['-  type: BYTES domain: "pay"', "+  type: BYTES"],
    ),
    "remove a line": (
        lambda t: t.remove("fare", "float_domain"),
        ["-  float_domain { min: -1.5; max: 40, }"],
    ),
    "replace a message": (
        lambda t: t.replace("ab", "shape", "value_count", ValueCount(min=1)),
        ["-  shape {", "-    dim { size: 1 }", "+  value_count {", "+    min: 1"],
    ),
    "add a value": (lambda t: t.add_value(PAY, "Cas"), ['+  value: "Cas"']),
    "add the last value": (lambda t: t.add_value(PAY, 'no\tcharge"ä'), ['+  value: "no\\011charge\\"ä"']),
    "add the first value": (lambda t: t.add_value(PAY, "A"), ['+  value: "A"']),
    "add to a list": (
        lambda t: t.add_value("ab", "y"),
        ['-    value: ["x", "z"]', '+    value: ["x", "y", "z"]'],
    ),
    "add first to a list": (
        lambda t: t.add_value("ab", "w"),
        ['-    value: ["x", "z"]', '+    value: ["w", "x", "z"]'],
    ),
    "add a feature": (
        lambda t: t.add_message("feature", Feature(name="z", type=INT)),
        ["+feature {", '+  name: "z"', "+  type: INT", "+}"],
    ),
    "add a domain": (
        lambda t: t.add_message("string_domain", StringDomain(name="z", value=["é"])),
        ["+string_domain {", '+  name: "z"', '+  value: "é"', "+}"],
    ),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", EDITS)
def test_edits(name: str, newline: str):
    edit, expected = EDITS[name]
    before = TEXT.replace("\n", newline)
    after = edit(SchemaText(before)).text
    changed = [line for line in difflib.ndiff(before.split(newline), after.split(newline)) if line[0] in "+-"]
    assert sorted(line.replace(" ", "", 1) for line in changed) == sorted(expected)
    assert after.count("\n") == after.count(newline)
    text_format.Parse(after, Schema())


@pytest.mark.parametrize("text", ["", "# only\n", "# only", 'string_domain { name: "x" }'])
def test_a_feature_is_added_to_a_schema_without_any(text: str):
    after = SchemaText(text).add_message("feature", Feature(name="a", presence=FeaturePresence(min_count=1))).text
    assert after.startswith(text)
    assert [one.name for one in text_format.Parse(after, Schema()).feature] == ["a"]


def test_a_new_feature_has_its_place_if_the_others_are_sorted():
    text = SchemaText('# head\nfeature { name: "b" }\n# on d\nfeature { name: "d" }\n')
    lines = text.add_message("feature", Feature(name="c")).text.split("\n")
    assert lines[1:5] == ['feature { name: "b" }', "feature {", '  name: "c"', "}"]
    assert text.add_message("feature", Feature(name="a")).text.endswith('"d" }\nfeature {\n  name: "a"\n}\n')


@pytest.mark.parametrize(
    ("text", "edit", "message"),
    [
        (
            'feature { name: "a" } feature { name: "b" }',
            lambda t: t.add_message("feature", Feature(name="aa")),
            "line 1: cannot be edited line by line: put each feature on lines of its own",
        ),
        (
            'feature: [{ name: "a" },\n{ name: "b" }]',
            lambda t: t.add_message("feature", Feature(name="c")),
            "line 2: cannot be edited line by line: put each feature on lines of its own",
        ),
        (
            'feature { name: "a" }\nfeature { name: "a" }',
            lambda t: t.set("a", ("type",), "INT"),
            "line 2: cannot be edited line by line: feature 'a' occurs twice",
        ),
        ("", lambda t: t.set("a", ("type",), "INT"), "the schema has no feature 'a'"),
        ('feature { name: "a" }', lambda t: t.remove("a", "shape"), "feature 'a' has no shape"),
        ('feature { name: "a" }', lambda t: t.add_value("a", "x"), "feature 'a' has no string domain"),
    ],
)
def test_what_cannot_be_edited_by_line(text: str, edit: Edit, message: str):
    with pytest.raises(UsageError, match=message):
        edit(SchemaText(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("feature {", "line 1: unexpected end of the text"),
        ('\n name: "a', "line 2: a string"),
        ("a: }", "line 1: expected a value"),
    ],
)
def test_no_text_format(text: str, message: str):
    with pytest.raises(UsageError, match=message):
        SchemaText(text)


@pytest.mark.parametrize("value", ["", "a", '"', "\\", "\\n", "\n", "\x00\x7f1", "é\u2028", "'"])
def test_quoted_strings_are_read_again(value: str):
    schema = text_format.Parse(f"feature {{ name: {quote(value)} }}", Schema())
    assert schema.feature[0].name == value
    assert SchemaText(f"feature {{ name: {quote(value)} }}").line_of(value) == 1
