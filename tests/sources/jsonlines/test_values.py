"""The values of JSON Lines are those of Python's json module, and their kinds are those of the same cells in CSV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_taxi.columns import ColumnSettings
from beam_taxi.errors import DataError
from beam_taxi.sources.kinds import Kind
from tests.sources.reading import read

# Lines; kinds; rows.
VALUES: dict[str, tuple[list[str], dict[str, str], list[dict[str, Any]]]] = {
    "numbers": (
        ['{"i": 1, "f": 0.5}', '{"i": -9223372036854775808, "f": 1e3}'],
        {"f": "FLOAT", "i": "INT"},
        [{"i": 1, "f": 0.5}, {"i": -(2**63), "f": 1000.0}],
    ),
    "whole numbers with decimals": (['{"a": 1.0}', '{"a": 2}'], {"a": "FLOAT"}, [{"a": 1.0}, {"a": 2.0}]),
    "beyond int64": (
        ['{"a": 9223372036854775808}', '{"a": 12}', '{"a": 9223372036854775807}'],
        {"a": "STRING"},
        [{"a": "9223372036854775808"}, {"a": "12"}, {"a": "9223372036854775807"}],
    ),
    "beyond int64 among decimals": (
        ['{"a": 1.50}', '{"a": 100000000000000000000}'],
        {"a": "STRING"},
        [{"a": "1.50"}, {"a": "100000000000000000000"}],
    ),
    "beyond float64": (['{"a": 1e999}', '{"a": 1.0}'], {"a": "STRING"}, [{"a": "1e999"}, {"a": "1.0"}]),
    "text and numbers": (
        ['{"a": 1.10}', '{"a": "n/a"}', '{"a": -0}', '{"a": true}', '{"a": 1E5}'],
        {"a": "STRING"},
        [{"a": "1.10"}, {"a": "n/a"}, {"a": "-0"}, {"a": "true"}, {"a": "1E5"}],
    ),
    "booleans": (['{"a": true}', '{"a": false}', '{"a": null}'], {"a": "INT"}, [{"a": 1}, {"a": 0}, {}]),
    "booleans and numbers": (['{"a": true}', '{"a": 2.5}'], {"a": "FLOAT"}, [{"a": 1.0}, {"a": 2.5}]),
    "missing": (['{"a": null, "b": 1}', "{}", '{"a": null}'], {"a": "MISSING", "b": "INT"}, [{"b": 1}, {}, {}]),
    "text that looks like numbers": (['{"a": "7"}', '{"a": "8"}'], {"a": "STRING"}, [{"a": "7"}, {"a": "8"}]),
    "text that looks like times": (
        ['{"a": "2024-01-31", "b": ["2024-01-31T00:00:00Z"]}', '{"a": "2024-01-31 12:00", "b": ["x"]}'],
        {"a": "STRING", "b": "STRING"},
        [{"a": "2024-01-31", "b": ["2024-01-31T00:00:00Z"]}, {"a": "2024-01-31 12:00", "b": ["x"]}],
    ),
    "escapes": (
        ['{"a": "\\u00e9\\n\\"\\\\ \\ud83d\\ude00", "\\u0062": "é\\u0000"}'],
        {"a": "STRING", "b": "STRING"},
        [{"a": 'é\n"\\ 😀', "b": "é\0"}],
    ),
    "empty text": (['{"a": ""}'], {"a": "STRING"}, [{"a": ""}]),
    "lists": (
        ['{"a": [1, 2], "b": ["x"]}', '{"a": [], "b": null}', '{"a": [3]}'],
        {"a": "INT", "b": "STRING"},
        [{"a": [1, 2], "b": ["x"]}, {"a": []}, {"a": [3]}],
    ),
    "lists and single values": (['{"a": [1, 2]}', '{"a": 3}', "{}"], {"a": "INT"}, [{"a": [1, 2]}, {"a": [3]}, {}]),
    "lists of several types": (['{"a": [1, "x", 2.50]}'], {"a": "STRING"}, [{"a": ["1", "x", "2.50"]}]),
    "nulls in lists": (['{"a": [null, 1.5, null]}', '{"a": [null]}'], {"a": "FLOAT"}, [{"a": [1.5]}, {"a": []}]),
    "lists without values": (['{"a": []}', '{"a": null}'], {"a": "MISSING"}, [{"a": []}, {}]),
    "white space": (['  {"a": 1}\t', "", '{"a" : 2 }\r', "\t "], {"a": "INT"}, [{"a": 1}, {"a": 2}]),
    "NaN, as Python writes it": (['{"a": 1.5}', '{"a": -Infinity}'], {"a": "FLOAT"}, [{"a": 1.5}, {"a": -np.inf}]),
    "names with dots": (['{"a.b": 1}'], {"a.b": "INT"}, [{"a.b": 1}]),
}


@pytest.mark.parametrize("batch_bytes", [1, 1 << 20], ids=["a line at a time", "at once"])
@pytest.mark.parametrize(("lines", "kinds", "rows"), VALUES.values(), ids=VALUES)
def test_values(tmp_path: Path, lines: list[str], kinds: dict[str, str], rows: list[dict[str, Any]], batch_bytes: int):
    (tmp_path / "x.jsonl").write_text("\n".join(lines), newline="")
    found = read(tmp_path / "x.jsonl", batch_bytes=batch_bytes)
    assert found.kinds == kinds
    assert found.rows == rows


NESTED = ['{"a": {"x": 1, "y": {"z": "t"}}, "b": 1}', '{"a": null}', '{"a": {"x": null}}', '{"a": {}, "a.x": 5}']


def test_objects_become_columns_on_request(tmp_path: Path):
    (tmp_path / "x.jsonl").write_text("\n".join(NESTED))
    found = read(tmp_path / "x.jsonl", flatten=True)
    assert found.columns == ("a.x", "a.y.z", "b")
    assert found.rows == [{"a.x": 1, "a.y.z": "t", "b": 1}, {}, {}, {"a.x": 5}]


REFUSED = {
    "objects": (
        ['{"b": 1}', '{"a": {"x": 1}}'],
        "column 'a' has objects, which have no place in a tf.Example; --flatten makes columns of their keys; --drop",
    ),
    "lists of lists": (['{"a": [[1]]}'], "column 'a' has lists of lists or of objects"),
    "lists of objects": (['{"a": [1, {"x": 1}]}'], "column 'a' has lists of lists or of objects"),
    "no name": (['{"": 1}'], "has a key without a name"),
    "no columns": (["{}", "{}"], "has no keys, and so no columns"),
    "overflow": (['{"a": 1.5}', '{"a": 1e300}'], "line 2: column 'a' overflows float32"),
}


@pytest.mark.parametrize(("lines", "message"), REFUSED.values(), ids=REFUSED)
def test_columns_that_have_no_place_are_named(tmp_path: Path, lines: list[str], message: str):
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError) as error:
        read(tmp_path / "x.jsonl")
    assert str(error.value).startswith(f"{tmp_path}/x.jsonl: {message}")


def test_columns_are_in_order_of_appearance(tmp_path: Path):
    (tmp_path / "x.jsonl").write_text('{"z": 1}\n{"b": 1, "z": 2}\n{"a": "x", "b": 1}\n')
    assert read(tmp_path / "x.jsonl").columns == ("z", "b", "a")


def test_a_column_that_cannot_be_used_is_left_out_if_types_are_given(tmp_path: Path):
    (tmp_path / "x.jsonl").write_text('{"a": {"x": 1}, "b": 1}\n')
    found = read(tmp_path / "x.jsonl", {"b": Kind.INT}, schema="feature {}")
    assert found.rows == [{"b": 1}]
    assert any("column 'a' has objects" in one for one in found.data.warnings)


# Lines; declared kind of `a`; values; lines of rejects.
DECLARED = {
    "numbers as text": (['{"a": 1.10}', '{"a": 2}', '{"a": true}'], Kind.STRING, ["1.10", "2", "true"], []),
    "text that is a number": (['{"a": "1.5"}', '{"a": 2}', '{"a": "x"}', '{"a": " 1"}'], Kind.FLOAT, [1.5, 2], [3, 4]),
    "text that is a whole number": (['{"a": "15"}', '{"a": "1.5"}', '{"a": 7}'], Kind.INT, [15, 7], [2]),
    "whole numbers": (['{"a": 1.0}', '{"a": 1.5}', '{"a": 1e30}'], Kind.INT, [1], [2, 3]),
    "beyond int64": (['{"a": 9223372036854775808}', '{"a": 7}'], Kind.INT, [7], [1]),
    "in lists": (['{"a": [1, 2]}', '{"a": [1.5]}', '{"a": [3, "4"]}'], Kind.INT, [[1, 2], [3, 4]], [2]),
}


@pytest.mark.parametrize(("lines", "kind", "values", "rejects"), DECLARED.values(), ids=DECLARED)
def test_declared_types(tmp_path: Path, lines: list[str], kind: Kind, values: list[Any], rejects: list[int]):
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    for batch_bytes in (1, 1 << 20):
        found = read(tmp_path / "x.jsonl", {"a": kind}, batch_bytes=batch_bytes, max_rejects=9)
        assert found.kinds == {"a": kind.name}
        assert [row["a"] for row in found.rows] == values
        assert [(one.line, one.code) for one in found.rejects] == [(line, "type") for line in rejects]


def test_columns_are_chosen_and_renamed(tmp_path: Path):
    (tmp_path / "x.jsonl").write_text('{"a": {"x": 1}, "b": "2", "c": 3}\n{"b": 4.50, "c": "z"}\n')
    columns = ColumnSettings(drop=("a",), names={"b": "n", "c": "b"}, redacted=("b",))
    for batch_bytes in (1, 1 << 20):
        found = read(
            tmp_path / "x.jsonl",
            {"n": Kind.FLOAT, "b": Kind.INT},
            columns=columns,
            max_rejects=1,
            batch_bytes=batch_bytes,
        )
        assert found.columns == ("n", "b")
        assert found.rows == [{"n": 2.0, "b": 3}]
        assert [one.reason for one in found.rejects] == ["column 'b': a value is not INT"]
    found = read(tmp_path / "x.jsonl", columns=columns)
    assert found.rows == [{"n": "2", "b": "3"}, {"n": "4.50", "b": "z"}]


NOTES = {
    "beyond int64": (
        ['{"a": 1}', '{"a": 9223372036854775808}'],
        "column 'a' is STRING because of {}: line 2; 1 of its whole numbers are beyond int64",
    ),
    "text among numbers": (
        ['{"a": 1}', '{"a": 2}', '{"a": "n/a"}'],
        "column 'a' is STRING because of {}: line 3; 1 of its values are text, the others are numbers",
    ),
    "nulls in lists": (['{"a": [1, null]}'], "column 'a': 1 null in lists left out, the first in {}: line 1"),
}


@pytest.mark.parametrize(("lines", "told"), NOTES.values(), ids=NOTES)
def test_what_was_decided_is_told(tmp_path: Path, lines: list[str], told: str):
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(lines))
    for batch_bytes in (1, 1 << 20):
        assert read(path, batch_bytes=batch_bytes).data.warnings == (told.format(path),)


SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5)
SCALARS |= st.floats(width=32, allow_nan=False, allow_infinity=False)
ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), SCALARS | st.lists(SCALARS, max_size=3)), min_size=1)


@given(rows=ROWS, batch_bytes=st.sampled_from([1, 50, 1 << 20]), part_bytes=st.sampled_from([7, 100]))
def test_any_values(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], batch_bytes: int, part_bytes: int
):
    path = tmp_path_factory.mktemp("any") / "x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [{"id": 0}, *rows]))
    found = read(path, batch_bytes=batch_bytes, part_bytes=part_bytes, num_shards=3)
    lists = {name for row in rows for name, value in row.items() if isinstance(value, list)}
    assert len(found.rows) == len(rows) + 1
    for row, values in zip(rows, found.rows[1:], strict=True):
        assert values == {
            name: expected(value, found.kinds[name], name in lists) for name, value in row.items() if value is not None
        }


def expected(value: Any, kind: str, has_lists: bool) -> Any:
    if has_lists:
        every = value if isinstance(value, list) else [value]
        return [expected(one, kind, False) for one in every if one is not None]
    if kind == "STRING":
        return value if isinstance(value, str) else json.dumps(value)
    return float(np.float32(value)) if kind == "FLOAT" else int(value)
