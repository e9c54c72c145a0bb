"""The view model, by tables of cases."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.launch.command import parse
from beam_taxi.report import figures, html, model, overview, text
from beam_taxi.run.manifest import RunManifest
from beam_taxi.run.validation import NOT_EVALUATED, PASSED, WARNED, Validation
from beam_taxi.settings import Dialect, Settings, Split, StatisticsSettings
from beam_taxi.statistics import distribution
from beam_taxi.statistics.distribution import Bucket, Distribution
from beam_taxi.validation import distance
from tests.report import make
from tests.report.make import Feature, numeric, strings

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
    "line break": ("a\nb\tc", r"a\nb\tc"),
    "escape": ("\x1b[31m", r"\x1b[31m"),
    "bidi": ("\u202eabc", r"\u202eabc"),
    "zero": ("\x00", r"\x00"),
    "tag": ("<b>", "<b>"),
}


@pytest.mark.parametrize(("given", "shown"), PRINTABLE.values(), ids=PRINTABLE)
def test_printable(given: str, shown: str):
    assert figures.printable(given) == shown


def test_printable_is_cut():
    assert figures.printable("x" * 300, 10) == "x" * 10 + "…"


def of(values: list[float], buckets: int = 50) -> Distribution:
    """Return the distribution as quantile buckets tell it."""
    ordered = sorted(values)
    cuts = [ordered[round(i * (len(ordered) - 1) / buckets)] for i in range(buckets + 1)]
    return Distribution(Bucket(cuts[i], cuts[i + 1], len(values) / buckets) for i in range(buckets))


SHARES = {
    "below all": (-1.0, True, 0.0),
    "in a bucket": (0.5, True, 0.25),
    "before a jump": (1.0, False, 0.5),
    "after a jump": (1.0, True, 0.75),
    "in the next bucket": (2.0, True, 0.875),
    "above all": (9.0, False, 1.0),
}


@pytest.mark.parametrize(("x", "inclusive", "share"), SHARES.values(), ids=SHARES)
def test_share(x: float, inclusive: bool, share: float):
    one = Distribution([Bucket(0, 1, 2), Bucket(1, 1, 1), Bucket(1, 3, 1)])
    assert one.share(x, inclusive) == pytest.approx(share)
    assert one.quantile(0.25) == pytest.approx(0.5)
    assert one.quantile(0.6) == 1


def test_bins_hold_all_values_but_the_long_tail_which_is_named():
    values = [float(i % 100) for i in range(990)] + [10_000.0 + i for i in range(10)]
    cut = distribution.bins([of(values)], whole=False)
    assert cut.edges[0] == 0
    assert cut.edges[-1] < 150
    assert cut.above[0] == pytest.approx(0.02, abs=0.011)
    assert sum(cut.shares[0]) + cut.above[0] + cut.below[0] == pytest.approx(1)


def test_integers_get_bins_of_whole_numbers():
    cut = distribution.bins([Distribution(Bucket(x, x, 1) for x in range(1, 8))], whole=True)
    assert cut.edges == tuple(x + 0.5 for x in range(8))
    assert cut.shares[0] == pytest.approx([1 / 7] * 7)


@given(st.lists(st.tuples(st.floats(), st.floats(), st.floats(0, 1e9)), max_size=9), st.booleans())
def test_any_buckets_are_shown(buckets: list[tuple[float, float, float]], whole: bool):
    feature = numeric("x", [(0, 1, 10)], kind=0 if whole else 1, mean=buckets[0][0] if buckets else 0)
    feature.num_stats.histograms[0].ClearField("buckets")
    for low, high, count in buckets:
        feature.num_stats.histograms[0].buckets.add(low_value=low, high_value=high, sample_count=count)
    report = model.build(make.source([feature], [numeric("x", [(0, 1, 10)])]))
    assert html.render(report)
    assert text.render(report, 80)


def test_one_value_is_drawn():
    cut = distribution.bins([Distribution([Bucket(3, 3, 5)])], whole=False)
    assert sum(cut.shares[0]) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(20))
def test_two_samples_of_one_distribution_stay_below_the_noise(seed: int):
    source = random.Random(seed)
    one, two = ([source.lognormvariate(0, 1) for _ in range(n)] for n in (4000, 2000))
    found = distance.kolmogorov_smirnov(of(one), of(two), (4000, 2000))
    assert not found.beyond_noise
    colours = [{c: sum(source.random() < 0.2 for _ in range(n)) for c in "abcde"} for n in (4000, 2000)]
    assert not distance.l_infinity(colours[0], colours[1], (4000, 2000)).beyond_noise


def test_a_moved_distribution_is_beyond_the_noise():
    source = random.Random(1)
    one, two = ([source.gauss(mean, 1) for _ in range(4000)] for mean in (0, 0.25))
    found = distance.kolmogorov_smirnov(of(one), of(two), (4000, 4000))
    assert found.value == pytest.approx(0.099, abs=0.03)
    assert found.beyond_noise
    assert distance.l_infinity({"a": 500, "b": 500}, {"a": 600, "b": 400}, (1000, 1000)).beyond_noise


TRAIN = [(0.0, 1.0, 400.0), (1.0, 2.0, 600.0)]
EVAL = [(0.0, 1.0, 200.0), (1.0, 2.0, 300.0)]
MOVED = [(2.0, 3.0, 500.0)]
FINDINGS: dict[str, tuple[list[Feature], list[Feature], list[tuple[str, str]]]] = {
    "nothing": ([numeric("x", TRAIN)], [numeric("x", EVAL)], []),
    "empty": ([strings("x", {}, missing=1000)], [strings("x", {}, missing=500)], [("No values", "problem")]),
    "only in one split": (
        [numeric("x", TRAIN)],
        [],
        [("Empty in a split", "problem"), ("Mostly missing", "note")],
    ),
    "constant": ([strings("x", {"a": 1000})], [strings("x", {"a": 500})], [("Constant", "note")]),
    "two constants": ([strings("x", {"a": 1000})], [strings("x", {"b": 500})], [("Differs", "problem")]),
    "moved": ([numeric("x", TRAIN)], [numeric("x", MOVED)], [("Differs", "problem")]),
    "absent more often": (
        [numeric("x", TRAIN)],
        [numeric("x", [(a, b, n / 2) for a, b, n in EVAL], missing=250)],
        [("Differs", "problem"), ("Mostly missing", "note")],
    ),
}


@pytest.mark.parametrize(("train", "evaluation", "expected"), FINDINGS.values(), ids=FINDINGS)
def test_findings(train: list[Feature], evaluation: list[Feature], expected: list[tuple[str, str]]):
    report = model.build(make.source(train, evaluation))
    assert [(one.reason, one.kind) for one in report.features[0].findings] == expected
    assert {(group.reason, group.kind) for group in report.groups} == set(expected)


def test_a_distance_that_was_not_computed_is_not_shown_as_zero():
    report = model.build(
        make.source([strings("x", {}, 1000), numeric("y", TRAIN)], [strings("x", {}, 500), numeric("y", EVAL)])
    )
    assert report.features[0].comparisons == ()
    assert "not computed" in text.render(report, 120)


def test_absent_counts_missing_cells_and_empty_strings():
    report = model.build(make.source([strings("x", {"a": 700, "": 100}, missing=200)], [strings("x", {"a": 500})]))
    absent = next(row for row in report.features[0].figures if row.label == "absent")
    assert absent.cells == ("300 (30.0%)", "0")


def test_a_limit_of_the_schema_decides_where_there_is_one():
    schema = schema_pb2.Schema()
    schema.feature.add(name="x").drift_comparator.infinity_norm.threshold = 0.5
    report = model.build(make.source([strings("x", {"a": 600, "b": 400})], [strings("x", {"a": 400})], schema))
    comparison = report.features[0].comparisons[0]
    assert (comparison.distance.beyond_noise, comparison.limit) == (True, 0.5)
    assert comparison.distance.value == pytest.approx(0.4)


VERDICTS: dict[str, tuple[Validation | None, str, set[str]]] = {
    "nothing given": (None, "unvalidated", set()),
    "passed": (make.validation(make.anomaly("x", PASSED)), "passed", set()),
    "warned": (make.validation(make.anomaly("x", WARNED)), "warned", {"x"}),
    "failed": (make.validation(make.anomaly("x"), make.anomaly("x", PASSED)), "failed", {"x"}),
    "a feature that the data lack": (make.validation(make.anomaly("gone")), "failed", {"gone"}),
    "an empty split": (make.validation(make.anomaly("x", NOT_EVALUATED)), "unvalidated", set()),
}


@pytest.mark.parametrize(("found", "state", "named"), VERDICTS.values(), ids=VERDICTS)
def test_verdict(found: Validation | None, state: str, named: set[str]):
    source = replace(make.source([numeric("x", TRAIN)], [numeric("x", EVAL)]), validation=found)
    report = model.build(source)
    assert report.verdict.state == state
    assert named == {name for group in report.groups for _, name, _ in group.members}
    assert report.verdict.title in html.render(report).decode()


def test_a_feature_that_fails_in_two_splits_counts_once():
    found = make.validation(make.anomaly("x", split="train"), make.anomaly("x", split="eval"))
    report = model.build(replace(make.source([numeric("x", TRAIN)], [numeric("x", EVAL)]), validation=found))
    group = report.groups[0]
    assert (group.features, len(group.members)) == (1, 2)
    assert group.members[0][2] == "train: Unexpectedly high value: <9>"


def test_counts_add_up_to_the_records():
    source = make.source([numeric("x", TRAIN)], [numeric("x", EVAL)])
    assert source.manifest is not None
    (entry,) = source.manifest.inputs
    rejected = replace(entry, rejects={"ragged": 5, "not_utf8": 7})
    counts = overview.count(replace(source.manifest, inputs=(rejected,)))
    assert counts.records == 1512 == sum(part.count for part in counts.parts)
    assert [code for code, _, _ in counts.rejects] == ["not_utf8", "ragged"]


def test_of_many_files_the_first_are_listed():
    source = make.source([numeric("x", TRAIN)], [numeric("x", EVAL)])
    assert source.manifest is not None
    many = replace(source, manifest=replace(source.manifest, inputs=source.manifest.inputs * 1000))
    page = html.render(model.build(many)).decode()
    assert "checked for\n1,000 files" in page
    assert "800 more files in manifest.json" in page
    assert page.count("/data/trips.csv") == 201


def test_a_baseline_is_compared_split_by_split():
    run = make.source([numeric("x", TRAIN)], [numeric("x", EVAL)])
    before = make.source([numeric("x", TRAIN)], [numeric("x", MOVED)])
    report = model.build(run, before)
    assert [label for label, _ in report.drawn] == ["baseline train", "train"]
    pairs = {one.pair: one.exceeds for one in report.features[0].comparisons}
    assert pairs == {"baseline → train": False, "baseline → eval": True}


COMMANDS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "splits": {"splits": (Split("a_b", 3), Split("z", 1)), "split_key": "company; rm -rf /"},
    "dialect": {"dialect": Dialect(delimiter=";", quote="", null_values=("NA", "a,b"), columns=("x", "y"))},
    "statistics": {"statistics": StatisticsSettings(top_k=3, weight_feature="w", features=("a", 'b"c'))},
    "unseen": {"dialect": Dialect(delimiter="\t", null_values=("\x1b\u202e'\\", "-"))},
    "query": {"query": "SELECT 'a b' FROM t"},
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
    one, two = (model.build(make.wide(40)) for _ in range(2))
    assert html.render(one) == html.render(two)
    source = make.wide(5)
    assert source.manifest is not None
    again = replace(source, manifest=RunManifest.from_json(json.loads(source.manifest.to_json_text())))
    assert html.render(model.build(source)) == html.render(model.build(again))


def test_the_page_names_no_address_to_load_from():
    page = html.render(model.build(make.wide(20))).decode()
    assert "http" not in page.replace("http-equiv", "")
    assert " style=" not in page
    assert "default-src &#39;none&#39;" in page


def test_text_obeys_the_width_and_shows_no_escape():
    report = model.build(make.source([strings("\x1b[31mx", {"v\x1b" * 50: 1000})], [strings("\x1b[31mx", {"w": 500})]))
    shown = text.render(report, 80)
    assert "\x1b" not in shown
    assert max(len(line) for line in shown.splitlines()[3:]) <= 80
