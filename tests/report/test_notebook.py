"""The report in a notebook, and the notebook itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from beam_taxi.errors import UsageError
from beam_taxi.main import main
from beam_taxi.report import model
from beam_taxi.report.notebook import Page, show
from beam_taxi.samples import taxi
from tests.report import make
from tests.report.conftest import HOSTILE

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "explore.ipynb"


def fragment(names: tuple[str, ...]) -> str:
    features = [make.strings(name or "empty", dict.fromkeys(HOSTILE, 10)) for name in names]
    return Page(model.build(make.source(features, features)))._repr_html_()


def test_it_has_only_what_an_untrusted_notebook_keeps():
    html = Page(model.build(make.wide(18)))._repr_html_() + fragment(HOSTILE)
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= {"p", "b", "table", "thead", "tbody", "tr", "th", "td", "img"}
    assert set(re.findall(r'src="([a-z]+:[a-z/+]+)', html)) == {"data:image/svg+xml"}


def test_histograms_are_pictures_that_a_browser_draws(browser: Chrome, tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{Page(model.build(make.wide(18)))._repr_html_()}")
    browser.get(page.as_uri())
    widths = browser.execute_script("return [...document.images].map((one) => one.naturalWidth)")
    assert widths
    assert set(widths) == {240}


def test_what_is_no_run_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="not a finished run"):
        show(str(tmp_path))


def test_the_notebook_runs(tmp_path: Path):
    taxi.main(["--rows", "500", "--seed", "1", "--out", str(tmp_path / "x.csv")])
    for run_id in ("one", "two"):
        assert main(["--input", str(tmp_path / "x.csv"), "--output", str(tmp_path / "out"), "--run_id", run_id]) == 0
    command = [sys.executable, "-m", "pytest", "--nbmake", str(NOTEBOOK), "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "BEAM_TAXI_OUT": str(tmp_path / "out")}
    )
    assert done.returncode == 0, done.stdout
