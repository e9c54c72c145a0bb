"""Files of JSON Lines: how they are known, cut into parts and units, compressed, damaged; bad lines."""

from __future__ import annotations

import bz2
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from beam_taxi.columns import ColumnSettings
from beam_taxi.dialect import Dialect
from beam_taxi.errors import DataError
from beam_taxi.sources.csv.stream import Decoding
from beam_taxi.sources.fingerprint import content_hashes
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import plan_input
from tests.sources.reading import read, settings_for

RECOGNIZED = {
    "JSON Lines": (b'{"a": 1}\n{"a": 2}\n', "jsonlines"),
    "one line": (b'{"a": 1}', "jsonlines"),
    "a mark of UTF-8": (b'\xef\xbb\xbf{"a": 1}\n', "jsonlines"),
    "blank lines first": (b'\n\r\n {"a": 1}\n', "jsonlines"),
    "a long line": (json.dumps({"a": "x" * 100_000}).encode(), "jsonlines"),
    "a bad first line": (b'{"a": 1,}\n{"a": 2}\n{"a": 3}\n', "jsonlines"),
    "gzip": (gzip.compress(b'{"a": 1}\n'), "jsonlines"),
    "bzip2": (bz2.compress(b'{"a": 1}\n'), "jsonlines"),
    "zstd": (bytes(pa.compress(b'{"a": 1}\n', "zstd", asbytes=True)), "jsonlines"),
    "a column in braces": (b"{a},b\n1,2\n", "csv"),
    "JSON in a column": (b'payload\n"{""a"": 1}"\n', "csv"),
}


@pytest.mark.parametrize(("content", "format_"), RECOGNIZED.values(), ids=RECOGNIZED)
def test_they_are_known_by_their_content(tmp_path: Path, content: bytes, format_: str):
    (tmp_path / "x").write_bytes(content)
    (source,) = plan_input(settings_for(tmp_path / "x"), {}).sources
    assert source.info.format == format_


def some_rows(count: int = 70) -> list[str]:
    """Return lines of several lengths; every ninth is bad, and some are blank."""
    choose = random.Random(1)
    lines = list[str]()
    for number in range(count):
        row: dict[str, Any] = {
            "id": number,
            "t": "é" * choose.choice([0, 1, 30]),
            "l": [number] * choose.choice([0, 2]),
        }
        lines.append(json.dumps(row, ensure_ascii=choose.random() < 0.5) if number % 9 != 5 else '{"id": 1,')
        lines += [""] * choose.choice([0, 0, 0, 1, 2])
    return lines


STORED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "with a mark of UTF-8": lambda data: b"\xef\xbb\xbf" + data,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "zstd": lambda data: bytes(pa.compress(data, "zstd", asbytes=True)),
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("last", ["", "\n"], ids=["last line open", "last line ended"])
@pytest.mark.parametrize("store", STORED.values(), ids=STORED)
def test_parts_and_units_have_the_rows_of_the_file(
    tmp_path: Path, store: Callable[[bytes], bytes], line_end: str, last: str
):
    lines = some_rows()
    data = (line_end.join(lines).rstrip() + last.replace("\n", line_end)).encode()
    (tmp_path / "x.jsonl").write_bytes(store(data))
    begin = 3 if store(b"").startswith(b"\xef") else 0
    good = {number: json.loads(line) for number, line in enumerate(lines, 1) if line and not line.endswith(",")}
    bad = [number for number, line in enumerate(lines, 1) if line.endswith(",")]
    for num_shards, batch_bytes, part_bytes in ((1, 4 << 20, 1 << 20), (1, 80, 1 << 20), (5, 200, 600), (60, 40, 90)):
        options = {"num_shards": num_shards, "batch_bytes": batch_bytes, "max_rejects": 99}
        found = read(tmp_path / "x.jsonl", part_bytes=part_bytes, **options)
        assert [place.number for place in found.places] == list(good)
        assert found.rows == list(good.values())
        assert (found.data.totals[0].rows, found.data.totals[0].rejects) == (len(good), {"json": len(bad)})
        assert [one.line for one in found.rejects] == bad
        for place in found.places:
            assert place.raw is not None
            assert data[place.offset - begin :].startswith(place.raw)
            assert json.loads(place.raw) == good[place.number]
        if num_shards == 5:
            assert all(5 <= rows <= 20 for rows in found.rows_of_units)


def test_the_content_hash_is_that_of_the_bytes(tmp_path: Path):
    (tmp_path / "x.jsonl").write_bytes("\n".join(some_rows()).encode())
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress("\n".join(some_rows()).encode()))
    for name in ("x.jsonl", "x.jsonl.gz"):
        plan = plan_input(settings_for(tmp_path / name), {})
        assert content_hashes(plan) == [read(tmp_path / name, max_rejects=99).data.totals[0].content_hash]


# Bad lines; the reason code; the reason.
BAD = {
    "no JSON": (b'{"a": 1,}', "json", "is not JSON: Expecting property name"),
    "not complete": (b'{"a": 1', "json", "is not JSON: Expecting ',' delimiter (character 8)"),
    "text": (b"hello", "json", "is not JSON: Expecting value (character 1)"),
    "an array": (b"[1]", "json", "is not a JSON object"),
    "a number": (b"1", "json", "is not a JSON object"),
    "two objects": (b'{"a": 1} {"a": 2}', "json", "is not JSON: Extra data (character 10)"),
    "a key twice": (b'{"a": 1, "b": 2, "a": 3}', "json", "has the key 'a' twice"),
    "Latin-1": (b'{"b": "\xe9"}', "encoding", "byte 0xe9 is not UTF-8"),
    "half of a surrogate pair": (b'{"b": "\\uD800"}', "json", "is not JSON: half of a surrogate pair"),
    "nested too deeply": (b'{"a":' * 100_000, "json", "is JSON that is nested too deeply"),
    "an infinity of another language": (b'{"a": Inf}', "json", "is not JSON: Expecting value"),
    "a control character": (b'{"b": "x\ty"}', "json", "is not JSON: Invalid control character"),
    "a needless zero": (b'{"a": 01}', "json", "is not JSON: Expecting ',' delimiter"),
}


@pytest.mark.parametrize(("line", "code", "reason"), BAD.values(), ids=BAD)
def test_bad_lines_are_rejects(tmp_path: Path, line: bytes, code: str, reason: str):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2, "b": "x"}\n' + line + b'\n{"a": 3}\n')
    with pytest.raises(DataError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: line 3: {reason}")
    for batch_bytes in (1, 1 << 20):
        found = read(path, batch_bytes=batch_bytes, max_rejects=1)
        assert [row["a"] for row in found.rows] == [1, 2, 3]
        (reject,) = found.rejects
        assert (reject.line, reject.code, reject.raw) == (3, code, line)
        assert reject.reason.startswith(reason)
        assert found.kinds["a"] == "INT"


DAMAGED = {
    "truncated gzip": (gzip.compress(b'{"a": 1}\n' * 99_999)[:-40], "is damaged"),
    "a JSON array": (
        b'[{"a": 1}]',
        "is a JSON array, not a table; convert it to JSON Lines, one object per line: jq -c '.[]'",
    ),
    "a document": (
        b'{\n "a": 1}',
        "is a JSON document, not a table; convert it to JSON Lines, one object per line: jq -c .",
    ),
    "a line beyond the limit": (
        b'{"a": 1}\n' + b" " * 99 + b'{"a": 1}',
        "a line in its first 16 MiB exceeds the limit of 80",
    ),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(DataError) as error:
        read(tmp_path / "x.jsonl", batch_bytes=64, dialect=Dialect(max_field_bytes=20))
    assert str(error.value).startswith(f"{tmp_path}/x.jsonl: {message}")


# Beyond the look at the first lines: a line; the message.
LATER = {
    "a key": (
        '{"new": 1}',
        "has the key 'new', which no line of the first 0 MiB has: name it in --columns or --schema, or leave it",
    ),
    "a list": ('{"a": [1, 2]}', "column 'a' has a list, but no line of the first 0 MiB has one: leave it out"),
    "an object": ('{"a": {"x": 1}}', "column 'a' has objects, which have no place in a tf.Example"),
}


@pytest.fixture
def short_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beam_taxi.sources.jsonlines.format.LOOK_BYTES", 1000)


@pytest.mark.usefixtures("short_look")
@pytest.mark.parametrize(("line", "message"), LATER.values(), ids=LATER)
def test_what_only_later_lines_have_is_named(tmp_path: Path, line: str, message: str):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n' * 200 + f"{line}\n" + '{"a": 1}\n' * 200)
    with pytest.raises(DataError) as error:
        read(tmp_path / "x.jsonl", batch_bytes=100, part_bytes=500)
    assert str(error.value).startswith(f"{tmp_path}/x.jsonl: line 201: {message}")


@pytest.mark.usefixtures("short_look")
def test_what_only_later_lines_have_can_be_named_or_left_out(tmp_path: Path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n' * 200 + '{"new": 1, "old": null}\n' + '{"a": 1}\n' * 200)
    for options, declared in (
        ({"columns": ColumnSettings(keep=("a", "new"))}, {}),
        ({}, {"new": Kind.FLOAT}),
    ):
        found = read(path, declared, batch_bytes=100, **options)
        assert found.columns == ("a", "new")
        assert found.rows[200] == {"new": 1}
    assert read(path, batch_bytes=100, columns=ColumnSettings(drop=("new",))).rows[200] == {}


def test_a_file_that_changes_is_refused(tmp_path: Path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n' * 1000)
    (source,) = plan_input(settings_for(path), {}).sources
    (part,) = plan_input(settings_for(path), {}).parts(0)
    path.write_text('{"a": 1}\n')
    with pytest.raises(DataError, match="changed while it was being read"):
        source.scan(part)


def test_only_the_compression_decides_how_it_is_read(tmp_path: Path):
    (tmp_path / "x.jsonl").write_bytes(gzip.compress(b'{"a": 1}\n'))
    (source,) = plan_input(settings_for(tmp_path / "x.jsonl"), {}).sources
    assert source.info.is_sequential
    assert not source.info.is_splittable
    assert source.decoding == Decoding("gzip", None)
