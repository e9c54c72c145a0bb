"""Where rows are: lines as Python's csv module counts them, rows of row groups as Arrow does."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_taxi.settings import Dialect, Settings
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.plan import TablePlan, plan_input
from beam_taxi.sources.reading import TableReader
from beam_taxi.sources.source import Place, Reject
from beam_taxi.sources.units import tasks
from tests.validation.places import Lines, unit_batch

Found = tuple[int, Place, dict[str, Any]]


def read(plan: TablePlan, settings: Settings) -> tuple[list[Found], list[Reject]]:
    """Return source, place and values of every row, and the rejects."""
    data, units = plan_table(plan, settings)
    rows, rejects = list[Found](), list[Reject]()
    for task in tasks(plan, units):
        reader = TableReader(plan, data, with_places=True)
        for batch in (batch for unit in task for batch in reader.read(unit)):
            places = batch.places_of(np.arange(len(batch.rows)))
            rows += [(*place, row) for place, row in zip(places, batch.rows.to_pylist(), strict=True)]
            rejects += [reject for _, found in batch.rejects for reject in found]
            some = np.arange(1, len(batch.rows), 3)
            sources, groups, numbers = batch.numbers_of(some)
            assert [
                (source, -1 if place.group is None else place.group, place.number)
                for source, place in batch.places_of(some)
            ] == [*zip(sources.tolist(), groups.tolist(), numbers.tolist(), strict=True)]
            assert [places[row] for row in some] == batch.places_of(some)
        reader.close()
    return rows, rejects


def by_python(text: str) -> tuple[list[tuple[int, list[str]]], list[int]]:
    """Return line and cells of each record with as many fields as the header, and the lines of the others."""
    reader = csv.reader(io.StringIO(text, newline=""))
    rows, bad, before = list[tuple[int, list[str]]](), list[int](), 0
    for record in reader:
        line, before = before + 1, reader.line_num
        if len(record) == 2:
            rows.append((line, record))
        elif record:
            bad.append(line)
    return rows[1:], bad


def some_text(line_end: str, seed: int = 1, count: int = 300) -> str:
    """Return records with line breaks in quotes and blank lines between them; every ninth has a field too many."""
    choose = random.Random(seed)
    records = [f"id,note{line_end}"]
    for number in range(count):
        breaks = choose.choice(["", "", "\n", "\r\n", "\r", "\n\n", '""', ",\n1,2\n"])
        note = f'"a{breaks}é{number}"' if breaks else choose.choice([f"é{number}", f'"{number}"', '"a""b"'])
        more = ",x" if number % 9 == 5 else ""
        records.append(f"{number},{note}{more}{line_end}" + line_end * choose.choice([0, 0, 0, 1, 2]))
    return "".join(records)


LINE_ENDS = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}
STORED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("utf-8", bytes),
    "with a BOM": ("utf-8", lambda data: codecs.BOM_UTF8 + data),
    "Latin-1": ("latin-1", bytes),
    "gzip": ("utf-8", gzip.compress),
    "gzip, Latin-1": ("latin-1", gzip.compress),
    "UTF-16": ("utf-16", bytes),
}


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS)
@pytest.mark.parametrize(("encoding", "store"), STORED.values(), ids=STORED)
def test_lines_are_those_of_pythons_csv_module(
    tmp_path: Path, line_end: str, encoding: str, store: Callable[[bytes], bytes]
):
    text = some_text(line_end)
    data = text.encode(encoding)
    (tmp_path / "x.csv").write_bytes(store(data))
    expected, bad = by_python(text)
    assert len(bad) == 33
    for num_shards, batch_bytes, part_bytes in ((1, 4 << 20, 1 << 20), (1, 80, 1 << 20), (4, 200, 1000)):
        settings = Settings(
            (str(tmp_path / "x.csv"),),
            "unused",
            "run",
            num_shards=num_shards,
            batch_bytes=batch_bytes,
            max_rejects=100,
            dialect=Dialect(encoding=encoding),
        )
        rows, rejects = read(replace(plan_input(settings, {}), part_bytes=part_bytes), settings)
        found = [(place.number, [str(row["id"]), row["note"]]) for _, place, row in rows]
        assert found == expected
        assert {(source, place.group) for source, place, _ in rows} == {(0, None)}
        assert [reject.line for reject in rejects] == bad
        for _, place, row in rows:
            assert place.raw is not None
            record = place.raw.decode(
                "latin-1" if encoding == "latin-1" and store is bytes else encoding.replace("utf-16", "utf-8")
            )
            assert list(csv.reader(io.StringIO(record, newline=""))) == [[str(row["id"]), row["note"]]]
            if store is bytes and encoding != "utf-16":
                assert data[place.offset :].startswith(place.raw)


def test_several_files_in_one_unit_have_lines_of_their_own(tmp_path: Path):
    texts = [some_text("\n", seed, 40) for seed in range(3)]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.csv").write_text(text, newline="")
    for num_shards in (1, 2, 7):
        settings = Settings(
            (str(tmp_path / "*.csv"),), "unused", "run", num_shards=num_shards, max_rejects=99, batch_bytes=300
        )
        rows, _ = read(plan_input(settings, {}), settings)
        expected = [(number, line) for number, text in enumerate(texts) for line, _ in by_python(text)[0]]
        assert [(source, place.number) for source, place, _ in rows] == expected


def test_a_file_without_a_header_begins_with_line_1(tmp_path: Path):
    (tmp_path / "x.csv").write_text("\n1,a\n\n2,b")
    settings = Settings((str(tmp_path / "x.csv"),), "unused", "run", dialect=Dialect(columns=("id", "note")))
    rows, _ = read(plan_input(settings, {}), settings)
    assert [(place.number, place.raw) for _, place, _ in rows] == [(2, b"1,a"), (4, b"2,b")]


@pytest.mark.parametrize("num_shards", [1, 3, 8])
def test_rows_of_row_groups_are_counted_in_their_group(
    tmp_path: Path, num_shards: int, monkeypatch: pytest.MonkeyPatch
):
    # Batches of Arrow extend over several row groups, and end within one.
    monkeypatch.setattr("beam_taxi.sources.parquet_rows._BATCH_CELLS", 1)
    rows = pa.table({"id": np.arange(5000), "x": np.arange(5000) / 4})
    with pq.ParquetWriter(tmp_path / "x.parquet", rows.schema) as writer:
        start = 0
        for length in (1, 300, 77, 1000, 256, 2, 3364):
            writer.write_table(rows.slice(start, length), row_group_size=length)
            start += length
    file = pq.ParquetFile(tmp_path / "x.parquet")
    expected = {
        value: (group, number)
        for group in range(file.num_row_groups)
        for number, value in enumerate(file.read_row_group(group)["id"].to_pylist(), 1)
    }
    assert len(expected) == 5000
    settings = Settings((str(tmp_path / "x.parquet"),), "unused", "run", num_shards=num_shards)
    found, _ = read(plan_input(settings, {}), settings)
    assert {row["id"]: (place.group, place.number) for _, place, row in found} == expected
    assert {place.raw for _, place, _ in found} == {None}


def test_text_and_row_groups_in_one_unit(tmp_path: Path):
    (tmp_path / "1.data").write_text("id,note\n1,a\n2,b\n")
    pq.write_table(pa.table({"id": [3, 4, 5], "note": ["c", "d", "e"]}), tmp_path / "2.data", row_group_size=2)
    settings = Settings((str(tmp_path / "*.data"),), "unused", "run", num_shards=1)
    rows, _ = read(plan_input(settings, {}), settings)
    assert [(source, place.group, place.number, row["id"]) for source, place, row in rows] == [
        (0, None, 2, 1),
        (0, None, 3, 2),
        (1, 0, 1, 3),
        (1, 0, 2, 4),
        (1, 1, 1, 5),
    ]


def test_some_rows_keep_their_places():
    rows = pa.RecordBatch.from_pydict({"n": list(range(6))})
    batch = unit_batch(rows, (3, 2, Lines(10)), (4, 0, Lines(7)), (5, 4, Lines(1, group=2)))
    some = batch.filtered(np.array([False, True, True, False, False, True]))
    assert some.rows.to_pydict() == {"n": [1, 2, 5]}
    assert some.lengths == ((3, 1), (4, 0), (5, 2))
    every = [(3, Place(None, 11, raw=b"x")), (5, Place(2, 1, raw=b"x")), (5, Place(2, 4, raw=b"x"))]
    assert some.places_of(np.arange(3)) == every
    assert [one.tolist() for one in some.numbers_of(np.array([0, 2]))] == [[3, 5], [-1, 2], [11, 4]]
    again = some.filtered(np.array([False, False, True]))
    assert again.places_of(np.arange(1)) == every[2:]
    assert len(some.filtered(np.zeros(3, np.bool_)).rows) == 0
