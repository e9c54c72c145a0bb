"""Schemas are read in either form, and mistakes are named with their line."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0.schema_pb2 import Schema

from beam_taxi.errors import UsageError
from beam_taxi.schemas.read import parse_schema, read_schema
from tests.schemas.tables import statistics_of

TEXT = '# Fares.\r\nfeature { name: "fare" type: FLOAT }\r\nstring_domain { name: "ä" value: "é" }\r\n'


def test_a_text_keeps_its_bytes():
    schema, text = parse_schema(TEXT.encode(), "x")
    assert text == TEXT
    assert [one.name for one in schema.feature] == ["fare"]


def test_a_serialized_schema_is_rendered():
    expected = text_format.Parse(TEXT, Schema())
    schema, text = parse_schema(expected.SerializeToString(), "x")
    assert schema == expected
    assert text_format.Parse(text, Schema()) == expected
    assert 'value: "é"' in text


@pytest.mark.parametrize("content", [b"", b"# Nothing yet.\n"])
def test_an_empty_schema_is_one(content: bytes):
    assert parse_schema(content, "x") == (Schema(), content.decode())


def test_a_byte_order_mark_is_dropped():
    assert parse_schema(b"\xef\xbb\xbf" + TEXT.encode(), "x")[1] == TEXT


NEITHER = "x: neither a Schema proto in text format nor a serialized one"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('feature {\n name: "a"\n typ: INT\n}', "x: line 3: not a Schema proto in text format: Message type "),
        ("a,b\n1,2\n", 'x: line 1: not a Schema proto in text format: Message type "'),
        ('feature {\n  name: "a', "x: line 2: not a Schema proto in text format: "),
        ('feature {\n  name: "a"\n', "x: line 2: not a Schema proto in text format: "),
        ("feature { type: INTEGER }", "no value named INTEGER"),
        ('datasets { name: "x" }', 'has no field named "datasets"'),
        (b"\x00\x01\x02", NEITHER),
        (b"caf\xe9", NEITHER),
        (TEXT.encode("utf-16"), NEITHER),
        (statistics_of({"a": [1, 2]}).SerializeToString(), NEITHER),
        (text_format.Parse(TEXT, Schema()).SerializeToString()[:-1], NEITHER),
    ],
)
def test_anything_else_is_refused_in_one_line(content: bytes | str, message: str):
    with pytest.raises(UsageError) as raised:
        parse_schema(content.encode() if isinstance(content, str) else content, "x")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_run_folder_or_a_file(tmp_path: Path):
    (tmp_path / "run" / "schema").mkdir(parents=True)
    file = tmp_path / "run" / "schema" / "schema.pbtxt"
    file.write_bytes(TEXT.encode())
    assert read_schema(str(tmp_path / "run"))[1] == read_schema(str(file))[1] == TEXT


def test_what_cannot_be_read(tmp_path: Path):
    with pytest.raises(UsageError, match="none.pbtxt: cannot be read: No such file"):
        read_schema(str(tmp_path / "none.pbtxt"))
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_schema(str(tmp_path))
