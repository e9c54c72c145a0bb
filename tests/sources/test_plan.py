"""The two passes give the rows of Python's csv module, wherever the cuts fall."""

from __future__ import annotations

import csv
import gzip
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beam_taxi.errors import DataError, UsageError
from beam_taxi.settings import Dialect, Settings
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import TablePlan, plan_input
from beam_taxi.sources.reading import TableReader
from beam_taxi.sources.source import Reject
from beam_taxi.sources.units import DataPlan, tasks

Rows = list[tuple[str | None, ...]]


def plan_of(
    path: Path, part_bytes: int = 1 << 20, *, num_shards: int | None = None, batch_bytes: int = 64, **options: Any
) -> tuple[TablePlan, Settings]:
    chosen = Settings((str(path),), "unused", "run", num_shards=num_shards, batch_bytes=batch_bytes, **options)
    return replace(plan_input(chosen, {}), part_bytes=part_bytes), chosen


def run(planned: tuple[TablePlan, Settings]) -> tuple[list[Rows], DataPlan, list[Reject]]:
    """Return the rows of each unit, everything as text, the data's plan and the rejects."""
    plan, chosen = planned
    data, units = plan_table(plan, chosen)
    as_text = replace(data, kinds=dict.fromkeys(plan.columns, Kind.STRING))
    found: list[Rows] = []
    rejects: list[Reject] = []
    for task in tasks(plan, units):
        reader = TableReader(plan, as_text)
        for unit in task:
            rows: Rows = []
            for batch in reader.read(unit):
                rows += zip(*(column.to_pylist() for column in batch.rows.columns), strict=True)
                rejects += [reject for _, bad in batch.rejects for reject in bad]
            found.append(rows)
        reader.close()
    assert sum(total.rows for total in data.totals) == sum(map(len, found))
    assert sum(sum(total.rejects.values()) for total in data.totals) == len(rejects)
    return found, data, rejects


def python_rows(text: str) -> Rows:
    """Return the rows behind the first line."""
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row][1:]
    return [tuple(cell or None for cell in row) for row in rows]


CELL = st.text(st.sampled_from('ab1,"\r\n é'), max_size=8)


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def plain(cell: str) -> str:
    """An unquoted cell: a quote may stand in it, but not first."""
    return "".join(c for c in cell if c not in ",\r\n").lstrip('"')


LINE = st.tuples(
    st.tuples(CELL, st.booleans()),
    st.tuples(CELL, st.booleans()),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(LINE, min_size=1, max_size=12),
    st.integers(1, 60),
    st.integers(1, 9),
    st.integers(1, 80),
    st.booleans(),
    st.integers(0, 3),
)
def test_any_cut_gives_the_rows_of_python_csv(
    tmp_path: Path,
    lines: list[Any],
    part_bytes: int,
    num_shards: int,
    batch_bytes: int,
    compressed: bool,
    every: int,
):
    """Each `every`-th line has a field too many, and is set aside."""
    text = "x,y\n"
    for number, ((one, one_quoted), (two, two_quoted), end, blank) in enumerate(lines):
        text += (quoted(one) if one_quoted else plain(one)) + "," + (quoted(two) if two_quoted else plain(two))
        text += (",more" if every and number % every == 0 else "") + end + ("\n" if blank else "")
    path = tmp_path / "x.csv"
    path.write_bytes(gzip.compress(text.encode()) if compressed else text.encode())
    planned = plan_of(path, part_bytes, num_shards=num_shards, batch_bytes=batch_bytes, max_rejects=12)
    rows = python_rows(text)
    if not any(len(row) == 2 for row in rows):
        with pytest.raises(DataError, match="no rows"):
            run(planned)
        return
    found, data, rejects = run(planned)
    assert len(found) == num_shards
    assert [row for rows in found for row in rows] == [row for row in rows if len(row) == 2]
    bad = [reject.raw.decode() for reject in sorted(rejects, key=lambda reject: reject.offset)]
    assert [python_rows("header\n" + raw) for raw in bad] == [[row] for row in rows if len(row) != 2]
    for reject in rejects:
        assert text.encode()[reject.offset :].startswith(reject.raw)
        assert reject.line == 1 + len(re.findall(b"\r\n|\r|\n", text.encode()[: reject.offset]))
    assert data.totals[0].rejects == ({"fields": len(rejects)} if rejects else {})


@pytest.mark.parametrize("part_bytes", [1, 7, 50, 1000])
@pytest.mark.parametrize("num_shards", [1, 3, 40])
def test_quoted_line_breaks_that_look_like_records(tmp_path: Path, part_bytes: int, num_shards: int):
    text = "id,note\n" + "".join(f'{i},"a\n{i},b\n{i},""c"\n' for i in range(30))
    (tmp_path / "x.csv").write_text(text)
    found, data, _ = run(plan_of(tmp_path / "x.csv", part_bytes, num_shards=num_shards))
    assert [row for rows in found for row in rows] == [(str(i), f'a\n{i},b\n{i},"c') for i in range(30)]
    assert data.kinds == {"id": Kind.INT, "note": Kind.STRING}


def test_several_files_are_mapped_by_name_and_packed(tmp_path: Path):
    for i in range(10):
        (tmp_path / f"{i}.csv").write_text(f"a,b\n{i},x\n" if i % 2 else f"\ufeffb,a\nx,{i}\n")
    found, data, _ = run(plan_of(tmp_path / "*.csv", num_shards=3))
    assert sorted(row for rows in found for row in rows) == [("x", str(i)) for i in range(10)]
    assert all(found)
    assert data.kinds == {"a": Kind.INT, "b": Kind.STRING}


REFUSED = {
    "ragged": ("a,b\n1,2\n\n3,4,5\n", "line 4: has 3 fields, the header has 2"),
    "short": ("a,b\n1\n", "line 2: has 1 field"),
    "open quote": ('a,b\n1,2\n3,"4\n5,6\n', "line 3: the quote that opens here is never closed"),
    "text after quote": ('a,b\n1,"x\ny"z\n', "line 2: text after the closing quote"),
    "not UTF-8": (b"a,b\n1,x\n2,\xff\n", "line 3: byte 0xff is not UTF-8"),
    "float32": ("a,b\n1.5,x\n1e39,x\n", "line 3: column 'a' overflows float32"),
    "no rows": ("a,b\n", "no rows"),
    "empty": ("", "is empty"),
    "duplicate": ("a,a\n1,2\n", "duplicate column name 'a'"),
    "unnamed": ("a,\n1,2\n", "no name for column 2"),
    "no header": ("1,2\n3,4\n", "is a number: is the header missing?"),
    "delimiter": ("a;b\n1;2\n", "Try --delimiter"),
    "zip": (b"PK\x03\x04", "zip"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
}


@pytest.mark.parametrize("part_bytes", [3, 1000])
@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_with_file_and_line(tmp_path: Path, content: str | bytes, message: str, part_bytes: int):
    path = tmp_path / "x.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as error:
        run(plan_of(path, part_bytes))
    assert str(path) in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("header", "delimiter", "advised"),
    [
        ("a,b", "|", ","),
        ('"a;b"|c', ";", "|"),
        ('"a;b"', ",", ""),
        ('"a;b|c"', ";", ""),
        ('"a;b|c"', "|", ""),
    ],
)
def test_a_delimiter_is_advised_only_if_it_helps(tmp_path: Path, header: str, delimiter: str, advised: str):
    path = tmp_path / "x.csv"
    path.write_text(f"{header}\n1\n")
    given = Settings((str(path),), str(tmp_path / "out"), "r", dialect=Dialect(delimiter=delimiter))
    if not advised:
        assert len(plan_input(given, {}).columns) == 1
        return
    with pytest.raises(DataError, match=re.escape(f"Try --delimiter {advised!r}")):
        plan_input(given, {})
    assert len(plan_input(replace(given, dialect=Dialect(delimiter=advised)), {}).columns) > 1


def test_headers_that_differ_name_both_files(tmp_path: Path):
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("a,c\n1,2\n")
    with pytest.raises(DataError, match=r"2\.csv: line 1: the header differs from that of .*1\.csv: column 'b'"):
        plan_of(tmp_path / "*.csv")


def test_no_match_and_folder(tmp_path: Path):
    with pytest.raises(UsageError, match="no file matches"):
        plan_of(tmp_path / "*.csv")
    with pytest.raises(UsageError, match="no file matches"):
        plan_of(tmp_path)


@pytest.mark.parametrize("part_bytes", [1000, 4096, 8191, 16384, 1 << 20])
@pytest.mark.parametrize("num_shards", [1, 7])
def test_line_breaks_in_quotes_across_the_cuts_of_the_corpus(shared_data: Path, part_bytes: int, num_shards: int):
    path = shared_data / "csv-corpus" / "corpus" / "cases" / "straddle_small" / "in" / "trips.csv"
    units, *_ = run(plan_of(path, part_bytes, num_shards=num_shards, batch_bytes=5000))
    assert [row for rows in units for row in rows] == python_rows(path.read_bytes().decode())


@pytest.mark.parametrize("part_bytes", range(1, 12))
def test_a_last_record_that_ends_in_quotes_and_without_a_line_break(tmp_path: Path, part_bytes: int):
    (tmp_path / "x.csv").write_text('x,y\na,""\nb,""""')
    units, *_ = run(plan_of(tmp_path / "x.csv", part_bytes, num_shards=2))
    assert [row for rows in units for row in rows] == [("a", None), ("b", '"')]
