"""The values of redacted columns are in the Examples alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from beam_taxi import main
from beam_taxi.run.folder import RunFolder

SECRET = "s3cr3t"
AMOUNT = 770_077
"""Every amount has these digits, whatever its cents."""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of which one cell is no number, one row is too short, and rows violate a check."""
    rows = "".join(f"{n},{SECRET}{n % 40},{AMOUNT}.{n % 9},{n / 7:.2f}\n" for n in range(300))
    (tmp_path / "t.csv").write_text(f"id,name,salary,x\n{rows}300,{SECRET},{AMOUNT}{SECRET},1\n301,{SECRET}\n")
    (tmp_path / "checks.yaml").write_text(
        "version: 1\nrows: [{name: low, rule: salary < 1000}]\nunique: [{columns: [name]}]\n"
    )
    return tmp_path / "t.csv"


def test_values_are_nowhere_else(table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    words = ["--input", str(table), "--output", str(tmp_path / "out"), "--run_id", "r", "--max_rejects", "2"]
    words += ["--types", "salary:FLOAT", "--redact_columns", "name,salary", "--checks", str(tmp_path / "checks.yaml")]
    store = f"sqlite:///{tmp_path}/out/m.sqlite"
    assert main.main([*words, "--metadata_store", store, "--fail_on", "none", "--label", "name"]) == 0
    told = capfd.readouterr()
    assert "failed" in told.out
    assert SECRET not in told.out + told.err
    run = tmp_path / "out" / "r"
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and run / "examples" not in path.parents]
    assert {path.name for path in files} >= {"FeatureStats.pb", "validation.json", "report.html", "m.sqlite"}
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path
        assert str(AMOUNT).encode() not in path.read_bytes(), path
    features = RunFolder(str(run)).read_profile().splits()["train"].features
    assert features["name"].distinct.value == 40
    assert (features["salary"].mean, features["salary"].histogram) == (None, None)
    assert features["x"].histogram is not None


def test_a_refusal_shows_no_value(table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    words = ["--input", str(table), "--output", str(tmp_path / "out"), "--metadata_store", "none"]
    assert main.main([*words, "--types", "salary:FLOAT", "--redact_columns", "name,salary"]) == 3
    assert "t.csv: line 302: column 'salary': a value is not FLOAT" in capfd.readouterr().err


def test_slices_would_show_values(table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    words = ["--input", str(table), "--output", str(tmp_path / "out"), "--metadata_store", "none"]
    assert main.main([*words, "--redact_columns", "name", "--slice_features", "name"]) == 2
    assert (
        "--slice_features name: the names of slices have values that --redact_columns hides" in capfd.readouterr().err
    )
