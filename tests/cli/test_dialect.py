"""`--dialect auto` and the options that it prints, from the command line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from beam_taxi.main import main

TEXT = "# by x\nid; price\n" + "".join(f'{i}; "1.{i:03},50 €"\n' for i in range(20)) + "Total; 1\n"


def test_the_options_that_are_printed_read_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "x.csv").write_text(TEXT)
    words = ["--input", str(tmp_path / "*.csv"), "--output", str(tmp_path / "out"), "--metadata_store", "none"]
    assert main([*words, "--dialect", "auto"]) == 0
    printed = capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert f"{tmp_path}/x.csv: looked at the first 22 records\n" in printed
    assert "  --decimal ,         '1.000,50 €' in line 3\n" in printed
    assert printed.endswith("  columns: id, price\n")
    (options,) = [line.removeprefix("  read it with: ") for line in printed.splitlines() if "read it with" in line]
    assert options == (
        "--delimiter ';' --comment '#' --skip_footer 1 --trim --decimal , --thousands . --number_marks '€'"
    )
    assert main([*words, *shlex.split(options), "--no_examples"]) == 0
    assert "rows read  20 from 1 file(s), 0 blank lines" in capsys.readouterr().out
    schema = next((tmp_path / "out").glob("*/schema/schema.pbtxt")).read_text()
    assert schema.count("type: INT") == 1
    assert schema.count("type: FLOAT") == 1


def test_without_files_nothing_is_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["--output", str(tmp_path), "--dialect", "auto"]
    assert main([*words, "--input", str(tmp_path / "*.csv")]) == 2
    assert capsys.readouterr().err.endswith(f"no file matches --input {tmp_path}/*.csv\n")
    (tmp_path / "x.csv").write_bytes(b"PK\x03\x04")
    assert main([*words, "--input", str(tmp_path / "x.csv")]) == 3
    assert "is a zip archive" in capsys.readouterr().err
