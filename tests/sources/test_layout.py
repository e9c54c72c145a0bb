"""Which files of an input are read, and which columns are in their paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_taxi.errors import DataError, UsageError
from beam_taxi.settings import BY_NAME, Settings
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.layout import lay_out
from beam_taxi.sources.plan import TablePlan, plan_input
from beam_taxi.sources.reading import TableReader
from beam_taxi.storage import InputFile

SIZES = {"/d/k=1/a.csv": 5, "/d/k=2/j=x%2Fy/b.csv": 5, "/d/_SUCCESS": 0, "/d/k=1/empty.csv": 0, "/d/notes.md": 9}
NONE: Mapping[str, str | None] = {}
LAYOUTS = {
    "a folder": (
        "/d",
        [*SIZES],
        {"/d/k=1/a.csv": {"k": "1"}, "/d/k=2/j=x%2Fy/b.csv": {"k": "2", "j": "x/y"}},
        [
            "the name of a marker, such as /d/_SUCCESS",
            "no content, such as /d/k=1/empty.csv",
            "another ending, such as /d/notes.md",
        ],
    ),
    "a pattern": ("/d/k=*/*.csv", ["/d/k=1/a.csv", "/d/k=1/empty.csv"], {"/d/k=1/a.csv": {"k": "1"}}, ["no content"]),
    "a key that is spelled out": ("/d/k=1/*.csv", ["/d/k=1/a.csv"], {"/d/k=1/a.csv": NONE}, []),
    "one file": ("/d/k=1/empty.csv", ["/d/k=1/empty.csv"], {"/d/k=1/empty.csv": NONE}, []),
    "empty files alone": ("/d/k=1/e*", ["/d/k=1/empty.csv"], {"/d/k=1/empty.csv": NONE}, []),
    "in the cloud": (
        "gs://b/d/",
        ["gs://b/d/m=__HIVE_DEFAULT_PARTITION__/p-0"],
        {"gs://b/d/m=__HIVE_DEFAULT_PARTITION__/p-0": {"m": None}},
        [],
    ),
}


@pytest.mark.parametrize(("pattern", "found", "expected", "notes"), LAYOUTS.values(), ids=LAYOUTS)
def test_layout(pattern: str, found: list[str], expected: dict[str, dict[str, str]], notes: list[str]):
    layout = lay_out(pattern, [InputFile(uri, SIZES.get(uri, 1), "") for uri in found])
    assert {uri: keys for uri, (_, keys) in layout.files.items()} == expected
    told = "\n".join(layout.notes)
    assert len(layout.notes) == len(notes)
    assert all(note in told for note in notes)


def plan_of(pattern: str | Path, **settings: str) -> tuple[TablePlan, Settings]:
    chosen = Settings((str(pattern),), "/out/r", "r", **settings)  # type: ignore[arg-type]
    return plan_input(chosen, {}), chosen


def rows_of(pattern: str | Path, **settings: str) -> list[dict[str, object]]:
    plan, chosen = plan_of(pattern, **settings)
    data, units = plan_table(plan, chosen)
    reader = TableReader(plan, data)
    return [row for unit in units for batch in reader.read(unit) for row in batch.rows.to_pylist()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of a CSV and a Parquet file whose columns and keys differ in their types."""
    for key in ("month=1", "month=2"):
        (tmp_path / "d" / key).mkdir(parents=True)
    (tmp_path / "d/month=1/a.csv").write_text("x,y\n1,a\n2,\n")
    pq.write_table(pa.table({"y": ["b"], "x": [2.5]}), tmp_path / "d/month=2/b.parquet")
    (tmp_path / "d/_SUCCESS").write_text("")
    return tmp_path / "d"


def test_a_folder_of_partitions(folder: Path):
    assert rows_of(folder) == [
        {"month": 1, "x": 1.0, "y": "a"},
        {"month": 1, "x": 2.0, "y": None},
        {"month": 2, "x": 2.5, "y": "b"},
    ]
    notes = plan_of(folder)[0].notes
    assert [note.partition(" comes from the paths")[0] for note in notes][-1] == "column 'month'"


def test_a_key_that_is_no_number_makes_text_of_all(folder: Path):
    (folder / "month=1").rename(folder / "month=May")
    assert [row["month"] for row in rows_of(folder)] == ["2", "May", "May"]


def test_a_column_wins_over_a_key(folder: Path):
    (folder / "month=1/a.csv").write_text("x,y,month\n1,a,7\n")
    assert [row["month"] for row in rows_of(folder)] == [7, 2]


def test_a_key_of_another_type_than_given(folder: Path):
    (folder / "month=1").rename(folder / "month=May")
    with pytest.raises(DataError, match=r"month=May/a.csv: month=May in its path is not INT"):
        plan_input(Settings((str(folder),), "/out/r", "r"), {"month": Kind.INT})


def test_files_that_differ(tmp_path: Path):
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("c,a\n0.5,2.5\n")
    with pytest.raises(DataError, match=r"2.csv: .*column 'b' is in only one of them \(--union by_name takes all"):
        plan_of(tmp_path)
    assert rows_of(tmp_path, union=BY_NAME) == [{"a": 1.0, "b": "x", "c": None}, {"a": 2.5, "b": None, "c": 0.5}]


def test_a_folder_without_files(tmp_path: Path):
    with pytest.raises(UsageError, match=r"--input .*: no file matches"):
        plan_of(tmp_path)


def test_a_file_uri(folder: Path):
    assert rows_of(f"file://{folder}") == rows_of(folder)
    (folder / "month=1/a.csv").rename(folder / "month=1/ä b.csv")
    assert len(rows_of(f"file://{folder}/month=1/%C3%A4%20b.csv")) == 2
