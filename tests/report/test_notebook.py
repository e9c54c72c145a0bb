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
from beam_taxi.report.results import Results
from beam_taxi.samples import taxi
from tests.report import make
from tests.report.conftest import HOSTILE

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "explore.ipynb"


TAGS = {"p", "b", "br", "code", "table", "thead", "tbody", "tr", "th", "td", "img"}


def shown(source: Results, baseline: Results | None = None) -> str:
    return Page(model.build(source, baseline))._repr_html_()


def test_it_has_only_what_an_untrusted_notebook_keeps():
    hostile = make.run({name or "empty": HOSTILE * 10 for name in HOSTILE})
    html = shown(make.table(18)) + shown(hostile) + shown(hostile, hostile)
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= TAGS
    assert set(re.findall(r'src="([a-z]+:[a-z/+]+)', html)) == {"data:image/svg+xml"}


def test_histograms_are_pictures_that_a_browser_draws(browser: Chrome, tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{shown(make.table(18))}")
    browser.get(page.as_uri())
    widths = browser.execute_script("return [...document.images].map((one) => one.naturalWidth)")
    assert widths
    assert set(widths) == {200}


def test_it_has_the_numbers_of_the_page_for_both_sides():
    before, now = {"x": [1.0 * i for i in range(400)]}, {"x": [i + 100.0 for i in range(400)]}
    html = shown(make.run(now), make.run(before))
    assert "baseline train<br>train" in html
    assert "199.5<br>299.5" in html
    assert re.search(r"<b>KS 0\.250</b> median 199 → 299 \(noise 0\.\d{3}\)", html)
    assert "1 of 1 column changed" in html


def test_strings_are_text():
    html = shown(make.run({"x": ["cash "] * 6 + ["card"] * 4}, {"x": ["card"]}))
    assert "cash␣ 60.0% / 0%" in html
    assert "<img" not in html


def test_it_says_nothing_on_standard_error(tmp_path: Path):
    (tmp_path / "x.csv").write_text("x,y\n" + "1,a\n2,b\n" * 20)
    assert main(["--input", str(tmp_path / "x.csv"), "--output", str(tmp_path), "--run_id", "run"]) == 0
    code = "import sys; from beam_taxi.report.notebook import show; show(sys.argv[1])._repr_html_()"
    command = [sys.executable, "-c", code + "; assert 'tensorflow' not in sys.modules", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


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
