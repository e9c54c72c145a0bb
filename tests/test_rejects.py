"""Bad rows from the command line: skipped, counted, corrected and run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beam_taxi.cli import rejects
from beam_taxi.main import main


def run(*args: str | Path) -> int:
    return main([*map(str, args), "--metadata_store", "none"])


@pytest.fixture
def bad_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    (tmp_path / "1.csv").write_bytes(b'a,b\n1,x\n2\n3,"y\nz"\n4,\xff\n')
    (tmp_path / "2.csv").write_bytes(b"b,a\nx,5,6\nx,7\n")
    assert run("--input", tmp_path / "?.csv", "--output", tmp_path, "--run_id", "bad", "--max_rejects", 3) == 0
    return tmp_path / "bad"


def corrected(folder: Path, changes: dict[int, str]) -> list[str]:
    """Return the rejects as JSON lines, with the text of some replaced."""
    lines = (folder / "rejects" / "rejects-00000-of-00001.jsonl").read_text().splitlines()
    return [
        json.dumps(json.loads(line) | ({"text": changes[n]} if n in changes else {})) for n, line in enumerate(lines)
    ]


def test_rejects_are_counted_and_kept(bad_run: Path, capsys: pytest.CaptureFixture[str]):
    manifest = json.loads((bad_run / "manifest.json").read_text())
    assert [one["rejects"] for one in manifest["inputs"]] == [{"encoding": 1, "fields": 1}, {"fields": 1}]
    assert [one["rows"] for one in manifest["inputs"]] == [2, 1]
    assert manifest["artifacts"]["rejects"]["files"][0]["rows"] == 3
    assert "rejects    3 (2 wrong field count, 1 bad encoding); see rejects/" in capsys.readouterr().out
    found = [json.loads(line) for line in corrected(bad_run, {})]
    assert [(Path(one["file"]).name, one["line"], one["offset"], one["code"]) for one in found] == [
        ("1.csv", 3, 8, "fields"),
        ("1.csv", 6, 18, "encoding"),
        ("2.csv", 2, 4, "fields"),
    ]
    assert (found[0]["text"], found[1]["base64"], found[2]["text"]) == ("2", "NCz/", "x,5,6")


def test_over_the_budget_nothing_is_published(bad_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    status = run("--input", tmp_path / "?.csv", "--output", tmp_path, "--run_id", "over", "--max_rejects", 2)
    assert status == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"beam_taxi: error: {tmp_path}/1.csv: line 3: has 1 fields, the header has 2; "
        "3 of 6 rows are bad, 2 may be skipped"
    )
    assert not (tmp_path / "over").exists()


def test_corrected_rejects_run_again(bad_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    lines = corrected(bad_run, {0: "2,zwei", 1: '4,"v\u2028i\ner"', 2: "x,56"})
    (tmp_path / "corrected.jsonl").write_text("\n".join(lines) + "\n")
    replay = ["replay", str(tmp_path / "corrected.jsonl"), "--manifest", str(bad_run / "manifest.json")]
    assert rejects.main([*replay, "--out", str(tmp_path / "again.csv")]) == 0
    assert (tmp_path / "again.csv").read_text() == 'a,b\n2,zwei\n4,"v\u2028i\ner"\n56,x\n'
    assert run("--input", tmp_path / "again.csv", "--output", tmp_path) == 0
    assert rejects.main([*replay, "--out", str(tmp_path / "again.csv")]) == 2
    assert "again.csv: exists" in capsys.readouterr().err
    assert not (tmp_path / "_staging").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "line 1: 'text' has 1 fields, the header has 2"),
        ({0: "2,b"}, "line 2: 'text' is missing"),
        ({0: "2,b\n3,c"}, "line 1: 'text' has 2 fields and 2 fields"),
        ({0: '2,"b'}, "line 1: unexpected end of data"),
        ({0: ""}, "line 1: 'text' has no record"),
    ],
)
def test_what_is_not_corrected_is_refused(
    bad_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[int, str], message: str
):
    (tmp_path / "m.jsonl").write_text("\n".join(corrected(bad_run, changes)))
    replay = ["replay", str(tmp_path / "m.jsonl"), "--manifest", str(bad_run / "manifest.json")]
    assert rejects.main([*replay, "--out", str(tmp_path / "again.csv")]) == 3
    assert f"m.jsonl: {message}" in capsys.readouterr().err
    assert not (tmp_path / "again.csv").exists()


DIALECT = [
    *("--skip_lines", "2", "--skip_footer", "1", "--comment", "#", "--escape", "\\"),
    *("--trim", "--delimiter", "whitespace", "--replace_header"),
]


@pytest.mark.parametrize(
    ("options", "text", "fixed"),
    [
        ([*DIALECT, "--column_names", "a,b"], 't\nu\nx y\n1  x\n2\n 3 "#"\nby z w\n', '"#  2\\"" "v w"'),
        (["--trailing_delimiter", "--trim"], "a,b,\n1,x,\n2,\n3,z,\n", "2, y,"),
        (["--index_name", "a", "--decimal", ",", "--delimiter", ";"], ";b\n1;x\n2\n3;z\n", "2;y"),
    ],
)
def test_rejects_of_other_dialects_run_again(tmp_path: Path, options: list[str], text: str, fixed: str):
    (tmp_path / "x.csv").write_text(text)
    assert run("--input", tmp_path / "x.csv", "--output", tmp_path, "--run_id", "1", "--max_rejects", 1, *options) == 0
    (tmp_path / "c.jsonl").write_text("\n".join(corrected(tmp_path / "1", {0: fixed})))
    replay = ["replay", str(tmp_path / "c.jsonl"), "--manifest", str(tmp_path / "1" / "manifest.json")]
    assert rejects.main([*replay, "--out", str(tmp_path / "again.csv")]) == 0
    assert run("--input", tmp_path / "again.csv", "--output", tmp_path, "--run_id", "2", *options) == 0
    manifest = json.loads((tmp_path / "2" / "manifest.json").read_text())
    assert [(one["rows"], one.get("columns", manifest["columns"])) for one in manifest["inputs"]] == [(1, ["a", "b"])]


def test_rejects_of_json_lines_are_told_how_to_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n' * 3 + '{"a": 2\n[1]\n')
    options = ("--output", tmp_path, "--run_id", "bad", "--max_rejects", 2)
    assert run("--input", tmp_path / "x.jsonl", *options) == 0
    assert "rejects    2 (2 not a JSON object)" in capsys.readouterr().out
    (file,) = (tmp_path / "bad" / "rejects").iterdir()
    manifest = str(tmp_path / "bad" / "manifest.json")
    assert rejects.main(["replay", str(file), "--manifest", manifest, "--out", str(tmp_path / "c.csv")]) == 3
    assert f"{file}: line 1: a line of JSON Lines, not CSV: `jq -r .text" in capsys.readouterr().err
    assert not (tmp_path / "c.csv").exists()
