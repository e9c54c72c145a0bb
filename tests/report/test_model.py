"""The view model, by tables of cases."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_taxi.launch.command import parse
from beam_taxi.report import figures, html, model, overview, text, told
from beam_taxi.report.findings.finding import ERROR, WARNING, Finding
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.profile import (
    FLOAT,
    INT,
    STRING,
    DatasetProfile,
    Distinct,
    Duplicates,
    FeatureProfile,
    Lengths,
    Percentile,
    Profile,
    Sample,
)
from beam_taxi.run.validation import NOT_EVALUATED, PASSED, WARNED, Validation
from beam_taxi.settings import Dialect, Settings, Split, SplitSettings, StatisticsSettings
from tests.report import make
from tests.report.make import numeric

NUMBERS = {
    "zero": (0.0, "0"),
    "whole": (12345.0, "12,345"),
    "five digits": (12.345678, "12.346"),
    "large": (1234567.8, "1,234,568"),
    "small": (0.00012345, "0.00012345"),
    "tiny": (1.5e-9, "1.500e-09"),
    "negative": (-87.90303, "-87.903"),
    "huge": (1e300, "1.000e+300"),
    "not finite": (float("inf"), "inf"),
}


@pytest.mark.parametrize(("value", "shown"), NUMBERS.values(), ids=NUMBERS)
def test_numbers(value: float, shown: str):
    assert figures.number(value) == shown


PERCENTS = {0.0: "0%", 0.0001: "<0.1%", 0.348: "34.8%", 0.99999: ">99.9%", 1.0: "100%"}


@pytest.mark.parametrize(("share", "shown"), PERCENTS.items())
def test_percent_is_not_rounded_to_nothing_or_all(share: float, shown: str):
    assert figures.percent(share) == shown


PRINTABLE = {
    "plain": ("Zoë 🚕", "Zoë 🚕"),
    "thin space": ("a\u2009b", r"a\u2009b"),
    "zero width": ("a\u200bb", r"a\u200bb"),
    "line break": ("a\nb\tc", r"a\nb\tc"),
    "escape": ("\x1b[31m", r"\x1b[31m"),
    "bidi": ("\u202eabc", r"\u202eabc"),
    "zero": ("\x00", r"\x00"),
    "tag": ("<b>", "<b>"),
}
VISIBLE = {
    "space after": ("Cash ", "Cash␣"),
    "spaces around": ("  a b ", "␣␣a b␣"),
    "spaces alone": ("  ", "␣␣"),
    "no-break space": ("a\u00a0b", "a⍽b"),
    "nothing": ("", ""),
    "truncated": ("abc " + "x" * 200, "abc " + "x" * 196 + "…"),
    **PRINTABLE,
}


@pytest.mark.parametrize(("given", "shown"), PRINTABLE.values(), ids=PRINTABLE)
def test_printable(given: str, shown: str):
    assert figures.printable(given) == shown


@pytest.mark.parametrize(("given", "shown"), VISIBLE.values(), ids=VISIBLE)
def test_visible(given: str, shown: str):
    assert figures.visible(given) == shown


def test_printable_is_cut():
    assert figures.printable("x" * 300, 10) == "x" * 10 + "…"
    assert figures.visible("x   y", 3) == "x  …"


CELLS = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=60),
    st.lists(st.none() | st.floats(width=32), max_size=60),
    st.lists(st.none() | st.text(max_size=5), max_size=60),
)


@given(CELLS, CELLS)
def test_any_values_are_shown(train: list[Any], evaluation: list[Any]):
    report = model.build(make.run({"x": train}, {"x": evaluation}), make.run({"x": evaluation}))
    assert html.render(report)
    assert text.render(report, 80)


@given(st.lists(st.tuples(st.floats(), st.floats(), st.floats(0, 1e9)), max_size=9), st.booleans())
def test_any_statistics_of_an_earlier_release_are_shown(buckets: list[tuple[float, float, float]], whole: bool):
    feature = numeric("x", [(0, 1, 10)], kind=0 if whole else 1, mean=buckets[0][0] if buckets else 0)
    feature.num_stats.histograms[0].ClearField("buckets")
    for low, high, count in buckets:
        feature.num_stats.histograms[0].buckets.add(low_value=low, high_value=high, sample_count=count)
    report = model.build(make.source([feature], [numeric("x", [(0, 1, 10)])]))
    assert html.render(report)
    assert text.render(report, 80)


@pytest.mark.parametrize("kind", [STRING, INT, FLOAT])
def test_a_column_of_which_no_value_is_known_is_shown(kind: str):
    rows = DatasetProfile("train", 9, {"x": FeatureProfile(kind, 9, 9, distinct=Distinct(4), length=Lengths(1, 2, 3))})
    profile = Profile((rows, replace(rows, split="eval")), "x")
    report = model.build(replace(make.run({"x": ["a"] * 9}, {"x": ["a"] * 9}), profile=profile))
    assert html.render(report)
    assert text.render(report, 80)


def figures_of(report: model.Report, name: str = "x") -> dict[str, tuple[str, ...]]:
    """Return the figures of a column as text, by label."""
    (found,) = [one for one in report.features if one.name == name]
    return {row.label: tuple(cell.text for cell in row.cells) for row in found.figures}


def test_figures():
    nan, inf = float("nan"), float("inf")
    report = model.build(make.run({"x": [0.0, 1.0, 3.0, nan, inf, None]}, {"x": [2.0, None]}))
    assert figures_of(report) == {
        "rows": ("6", "2"),
        "present": ("5", "1"),
        "missing": ("1 (16.7%)", "1 (50.0%)"),
        "zeros": ("1 (20.0%)", "0"),
        "NaN": ("1 (20.0%)", "-"),
        "infinite": ("1 (20.0%)", "-"),
        "mean": ("1.3333", "2"),
        "std. dev.": ("1.2472", "0"),
        "min": ("0", "2"),
        **dict.fromkeys(("p1", "p5", "p25"), ("0", "2")),
        "median": ("1", "2"),
        **dict.fromkeys(("p75", "p95", "p99", "max"), ("3", "2")),
        "distinct": ("3", "1"),
    }


def test_an_estimate_says_so():
    source = make.run({"x": [1.0 * i for i in range(100)]})
    (dataset,) = source.profile.datasets
    estimated = replace(
        dataset.features["x"],
        distinct=Distinct(100, False, 0.02),
        percentiles={"50": Percentile(49.0, 0.01)},
    )
    changed = replace(dataset, features={"x": estimated}, duplicates=Duplicates(3, exact=False))
    report = model.build(replace(source, profile=Profile((changed,))))
    cells = {row.label: row.cells[0] for row in report.features[0].figures}
    assert (cells["distinct"].text, cells["distinct"].title) == ("≈100", "estimate, standard error 2.0%")
    assert (cells["median"].text, cells["median"].title) == ("≈49", "estimate, rank within ±1% of the values")
    assert {label: cell.text for label, cell, _ in report.facts}["duplicate rows"] == "≈3"
    assert cells["mean"].text == "49.5"


def test_dates_are_dates():
    seconds = [1_388_534_400 + 86_400 * i for i in range(100)]
    report = model.build(make.run({"trip_time": seconds, "day": ["2014-01-01", "2014-03-01"] * 50}))
    assert figures_of(report, "trip_time")["median"] == ("2014-02-19 00:00:00",)
    assert "std. dev." not in figures_of(report, "trip_time")
    assert [one.type for one in report.features] == ["date", "date"]
    assert [one.span for one in report.features] == ["2014-01-01 to 2014-04-10", "2014-01-01 to 2014-03-01"]


def test_what_identifies_rows_has_no_mean():
    report = model.build(make.run({"x": [10**6 + i for i in range(1000)], "y": [i % 7 for i in range(1000)]}))
    assert report.features[0].role == "id"
    assert "mean" not in figures_of(report)
    assert "mean" in figures_of(report, "y")


def test_facts_count_cells():
    report = model.build(make.run({"x": [1, None], "y": ["a", "a"]}, {"x": [1], "y": ["b"]}))
    facts = {label: (cell.text, parts) for label, cell, parts in report.facts}
    assert facts["rows"] == ("3", "train 2 · eval 1")
    assert facts["columns"] == ("2", "1 int · 1 string")
    assert facts["missing cells"] == ("16.7%", "1 of 6")
    assert facts["duplicate rows"] == ("0", "none")


VERDICTS: dict[str, tuple[Validation | None, str, set[str]]] = {
    "nothing given": (None, "unvalidated", set()),
    "passed": (make.validation(make.anomaly("x", PASSED)), "passed", set()),
    "warned": (make.validation(make.anomaly("x", WARNED)), "warned", {"x"}),
    "failed": (make.validation(make.anomaly("x"), make.anomaly("x", PASSED)), "failed", {"x"}),
    "a feature that the data lack": (make.validation(make.anomaly("gone")), "failed", {"gone"}),
    "an empty split": (make.validation(make.anomaly("x", NOT_EVALUATED)), "unvalidated", set()),
}
PLAIN = {"x": [1.0 * (i % 40) for i in range(400)]}


@pytest.mark.parametrize(("found", "state", "named"), VERDICTS.values(), ids=VERDICTS)
def test_verdict(found: Validation | None, state: str, named: set[str]):
    report = model.build(replace(make.run(PLAIN), validation=found))
    assert report.verdict.state == state
    judged = [one for one in report.findings if one.kind == "anomaly"]
    assert named == {link.name for one in judged for link in one.links}
    assert report.verdict.title in html.render(report).decode()


def finding(kind: str, *names: str, severity: str = WARNING) -> Finding:
    return Finding(kind, severity, kind.title(), f"{names[0]}: text of {names[0]}", names)


def test_the_first_screen_has_each_kind_once():
    found = [finding("outliers", "a"), finding("outliers", "b"), *(finding(f"kind {i}", "c") for i in range(9))]
    shown = told.highlights(told.tell(found, ["a", "b", "c"]))
    assert len(shown) == told.MOST_IMPORTANT
    assert (shown[0].first.text, [link.index for link in shown[0].others]) == ("text of a", [1])
    assert [one.first.kind for one in shown[1:]] == [f"kind {i}" for i in range(4)]


def test_findings_lead_to_their_columns():
    shown = told.tell([finding("outliers", "b", "gone", severity=ERROR)], ["a", "b"])
    assert shown[0].links == (told.Link(1, "b"), told.Link(None, "gone"))
    assert list(told.by_feature([finding("outliers", "b")])) == ["b"]


def test_counts_add_up_to_the_records():
    source = make.run({"x": [1] * 1000}, {"x": [1] * 500})
    assert source.manifest is not None
    (entry,) = source.manifest.inputs
    rejected = replace(entry, rejects={"ragged": 5, "not_utf8": 7})
    counts = overview.count(replace(source.manifest, inputs=(rejected,)))
    assert counts.records == 1512 == sum(part.count for part in counts.parts)
    assert [code for code, _, _ in counts.rejects] == ["not_utf8", "ragged"]


def test_of_many_files_the_first_are_listed():
    source = make.run(PLAIN)
    assert source.manifest is not None
    many = replace(source, manifest=replace(source.manifest, inputs=source.manifest.inputs * 1000))
    page = html.render(model.build(many)).decode()
    assert "checked for\n1,000 files" in page
    assert "800 more files in manifest.json" in page
    assert page.count("/data/trips.csv") == 201


def test_a_baseline_is_compared_split_by_split():
    moved = {"x": [value + 100 for value in PLAIN["x"]]}
    report = model.build(make.run(PLAIN, PLAIN), make.run(PLAIN, moved))
    assert [label for label, _ in report.drawn] == ["baseline train", "train"]
    pairs = {one.pair: one.exceeds for one in report.features[0].comparisons}
    assert pairs == {"baseline → train": False, "baseline → eval": True}
    assert report.main == "train"


def test_changes_are_counted_ranked_and_told():
    before = {"a": [1] * 500, "b": [1.0 * i for i in range(500)], "c": ["x"] * 500, "d": [2] * 500}
    now = {"b": [i + 100.0 for i in range(500)], "c": ["x"] * 100 + ["y"] * 400, "d": [2] * 500, "e": [1] * 500}
    changes = model.build(make.run(now), make.run(before)).changes
    assert changes is not None
    assert changes.text == "4 of 5 columns changed: 1 removed, 1 added"
    assert {(one.name, one.text) for one in changes.found[:2]} == {("a", "removed"), ("e", "added")}
    assert [(one.name, one.text) for one in changes.found[2:]] == [
        ("c", "“y” 0% → 80.0% (train)"),
        ("b", "median 249 → 349 (train)"),
    ]
    same = model.build(make.run(now), make.run(now)).changes
    assert same is not None
    assert same.text == "No column changed"


def test_slices_are_beside_all_rows():
    cells = {"x": [1.0, 2.0, 3.0, 4.0], "y": ["a", "a", "b", "b"]}
    slices = [make.dataset_profile("train", {"x": [1.0, 2.0], "y": ["a", "a"]}, "y_a")]
    found = model.build(make.run(cells, None, *slices)).slices
    assert found is not None
    (one,) = found.shown
    assert (one.label, one.rows, one.share, found.others) == ("y_a", 2, 0.5, 0)
    figures_by_name = {feature.name: [(a.text, b.text) for a, b in feature.cells] for feature in one.features}
    assert figures_by_name["x"][3] == ("1.5", "2.5")
    chart = one.features[0].chart
    assert chart is not None
    assert [bar.counts for bar in chart.bars] == [(1, 1), (1, 1), (1, 0), (1, 0)]


def test_of_many_slices_the_first_are_shown():
    slices = [make.dataset_profile("train", {"x": [1]}, f"x_{i:03}") for i in range(60)]
    found = model.build(make.run({"x": [1] * 60}, None, *slices)).slices
    assert found is not None
    assert (len(found.shown), found.others) == (50, 10)


def test_sample_rows_are_in_the_order_of_the_input():
    source = make.run({"z": [1.1], "a": [None], "m": [" x"]})
    first = Sample(("a", "m", "z"), ((None, " x", 1.100000023841858),))
    report = model.build(replace(source, profile=replace(source.profile, first=first)))
    assert report.samples[0].title == "The first 1 row of the input"
    assert report.samples[0].columns == ("z", "a", "m")
    assert report.samples[0].cells == (("1.1", None, "␣x"),)
    assert report.samples[1].title == "1 row of train, chosen at random"


COMMANDS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "splits": {
        "splits": (Split("a_b", 3), Split("z", 1)),
        "splitting": SplitSettings(key=("company; rm -rf /", "b,c")),
    },
    "dialect": {"dialect": Dialect(delimiter=";", quote="", null_values=("NA", "a,b"), columns=("x", "y"))},
    "statistics": {"statistics": StatisticsSettings(top_k=3, weight_feature="w", features=("a", 'b"c'))},
    "unseen": {"dialect": Dialect(delimiter="\t", null_values=("\x1b\u202e'\\", "-"))},
    "white space": {"dialect": Dialect(null_values=(" ", "a\u00a0b", " n/a "))},
    "query": {"query": "SELECT 'a b' FROM t"},
    "conditions": {
        "splits": (Split("a"), Split("b"), Split("c")),
        "splitting": SplitSettings(conditions=("x = 'a b' and $HOME > 1", "-x > 1")),
    },
    "a split column": {"splits": (Split("b"), Split("c")), "splitting": SplitSettings(column="-x")},
    "numbers": {"num_shards": 4, "max_rejects": 0, "max_reject_ratio": 0.5, "gzip_level": 0},
}


@pytest.mark.parametrize("changes", COMMANDS.values(), ids=COMMANDS)
def test_the_command_makes_the_same_settings(changes: dict[str, Any]):
    settings = Settings(("/data/a b.csv", "/data/*.csv"), "/out/run", "run", **changes)
    shell = ["bash", "-c", f"printf '%s\\0' {overview.command(settings)}"]
    done = subprocess.run(shell, capture_output=True, text=True, check=True, env={"LC_ALL": "C.UTF-8"})
    words = done.stdout.split("\0")[:-1]
    assert words[:3] == ["python", "-m", "beam_taxi.main"]
    assert parse(words[3:]).settings.sha256() == settings.sha256()


def test_the_same_run_gives_the_same_bytes():
    one, two = (model.build(make.table(40)) for _ in range(2))
    assert html.render(one) == html.render(two)
    source = make.table(5)
    assert source.manifest is not None
    again = replace(source, manifest=RunManifest.from_json(json.loads(source.manifest.to_json_text())))
    assert html.render(model.build(source)) == html.render(model.build(again))


def test_the_page_names_no_address_to_load_from():
    page = html.render(model.build(make.table(20))).decode()
    assert "http" not in page.replace("http-equiv", "")
    assert " style=" not in page
    assert "default-src &#39;none&#39;" in page


@pytest.mark.parametrize("width", [40, 80, 200])
def test_text_obeys_the_width_and_shows_no_escape(width: int):
    hostile = {"\x1b[31mx": ["v\x1b" * 50] * 1000, "long name " * 9: ["a"] * 1000}
    before = make.run({**hostile, "gone": [1] * 1000})
    anomalies = make.validation(*(make.anomaly("\x1b[31mx" + "y" * i) for i in range(40)))
    shown = text.render(model.build(replace(make.run(hostile), validation=anomalies), before), width)
    assert "\x1b" not in shown
    assert max(len(line) for line in shown.splitlines()) <= width
    assert "more findings in report.html" in shown


def test_text_tells_changes_of_any_number_of_columns():
    before, now = make.table(400), make.table(400, seed=2)
    shown = text.render(model.build(now, before), 100)
    assert "columns changed" in shown or "No column changed" in shown
    assert sum("(noise " in line for line in shown.splitlines()) >= 396
    assert "not computed" in shown
