"""The report that a run writes: it comes after the manifest, and its failure is no failure of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from beam_taxi.main import main
from beam_taxi.report import html


def test_a_report_that_cannot_be_rendered_does_not_fail_the_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    def fail(report: object) -> bytes:
        raise KeyError("no such template")

    monkeypatch.setattr(html, "render", fail)
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    arguments = ["--input", str(tmp_path / "a.csv"), "--output", str(tmp_path), "--run_id", "run"]
    assert main([*arguments, "--metadata_store", "none"]) == 0
    assert (tmp_path / "run" / "manifest.json").is_file()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("examples", "manifest.json", "openlineage.ndjson", "profile.json", "schema", "sketches", "statistics")
    }
    assert "run run is complete, but 'no such template'" in caplog.text
    assert "\nreport " not in capsys.readouterr().out
