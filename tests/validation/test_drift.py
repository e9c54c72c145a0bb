"""Which features have drifted, from TFDV's statistics of small tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.run.validation import DRIFT, FAILED, NOT_EVALUATED, PASSED, WARNED, Result, Validation, judge
from beam_taxi.validation.checks import ERROR, IGNORE
from beam_taxi.validation.drift import FALSE_ALARMS, compare
from beam_taxi.validation.limits import MINIMUM_EFFECTS, Limit, Limits
from tests.validation.tables import Statistics, Values, random, statistics, words

ROWS = 4000


def of(results: list[Result], feature: str) -> Result:
    (found,) = [one for one in results if one.features == (feature,)]
    return found


def drifted(now: Values, base: Values) -> Result:
    """Return the result for one column."""
    return of(compare(statistics({"x": now}), statistics({"x": base})), "x")


NORMAL = random(1).normal(10, 2, ROWS), random(2).normal(10, 2, ROWS)
FARES = tuple(np.round(random(seed).lognormal(2, 0.6, ROWS), 2) for seed in (1, 2))
SMALL = tuple(random(seed).poisson(2, ROWS) for seed in (1, 2))
FIVE = {"cash": 0.4, "card": 0.3, "app": 0.2, "free": 0.1}
IDS = tuple([f"id{i:x}" for i in random(seed).integers(0, 2**40, ROWS)] for seed in (1, 2))


def masked(x: Values, share: float) -> list[float | str | None]:
    return [None if hit else v for v, hit in zip(x, random(3).random(len(x)) < share, strict=True)]


def replaced(x: np.ndarray, count: int, value: float) -> np.ndarray:
    changed = x.astype(float)
    changed[random(3).choice(len(x), count, replace=False)] = value
    return changed


UNCHANGED: dict[str, tuple[Values, Values]] = {
    "normal": NORMAL,
    "heavy tail": tuple(random(seed).pareto(1.5, ROWS) + 1 for seed in (1, 2)),
    "unequal sizes of a heavy tail": (random(1).pareto(1.5, 200), random(2).pareto(1.5, 20 * ROWS)),
    "small integers": SMALL,
    "flags": tuple((random(seed).random(ROWS) < 0.5).astype(int) for seed in (1, 2)),
    "a flag that occurs for the first time": ([0] * (ROWS - 1) + [1], [0] * ROWS),
    "constant": ([7.5] * ROWS, [7.5] * ROWS),
    "constant text": (["USD"] * ROWS, ["USD"] * ROWS),
    "categories": (words(FIVE, ROWS), words(FIVE, ROWS)),
    "a rare new value": ([*words(FIVE, ROWS), "gold"], words(FIVE, ROWS)),
    "a rare lost value": (words(FIVE, ROWS), [*words(FIVE, ROWS), "gold"]),
    "few rows of other new values": ([*words(FIVE, 180), *["gold"] * 10, *["blue"] * 10], words(FIVE, 200)),
    "few rows in one more spelling": (
        [*words(FIVE, 180), *["CASH"] * 10, *["CARD"] * 10],
        [*words(FIVE, 180), *["CASH"] * 10, *["Cash"] * 10],
    ),
    "identifiers": IDS,
    "few identifiers": (IDS[0][:100], IDS[1][:100]),
    "unequal numbers of identifiers": (IDS[0][:100], IDS[1]),
    "mostly missing": (masked(NORMAL[0], 0.98), masked(NORMAL[1], 0.98)),
    "a few values far apart": (masked(NORMAL[0] + 1000, 0.999), masked(NORMAL[1], 0.9995)),
    "never a value": ([None] * ROWS, [None] * ROWS),
    "ten rows far apart": (NORMAL[0][:10] + 2, NORMAL[1][:10]),
    "much data, small effect": (random(1).normal(10, 2, 50_000), random(2).normal(10.1, 2, 50_000)),
    "NaN as before": (replaced(NORMAL[0], 40, np.nan), replaced(NORMAL[1], 40, np.nan)),
    "multiples of five as before": (np.round(NORMAL[0] / 5) * 5, np.round(NORMAL[1] / 5) * 5),
}


@pytest.mark.parametrize(("now", "base"), UNCHANGED.values(), ids=UNCHANGED)
def test_samples_of_one_distribution_do_not_drift(now: Values, base: Values):
    result = drifted(now, base)
    assert (result.kind, result.outcome) == (DRIFT, PASSED), result.text


CHANGED: dict[str, tuple[Values, Values, str, str]] = {
    "shifted": (NORMAL[0] + 1, NORMAL[1], "mean", "standard deviations, limit 0.2, chance 0."),
    "other unit": (FARES[0] * 1.609, FARES[1], "mean", "+6"),
    "scaled about its mean": ((NORMAL[0] - 10) * 1.5 + 10, NORMAL[1], "quantiles", "95% quantile"),
    "negated": (-NORMAL[0], NORMAL[1], "outside", "100% of the values outside of 2."),
    "sentinel": (replaced(NORMAL[0], 8, -999), NORMAL[1], "range", "→ -999 to "),
    "a few negative": (
        replaced(FARES[0], 4, -12),
        FARES[1],
        "range",
        " → -12 to ",
    ),
    "a new integer": (
        np.where(np.arange(ROWS) % 100, SMALL[0], 12),
        SMALL[1],
        "outside",
        "1% of the values outside of 0 to ",
    ),
    "one outlier": (replaced(NORMAL[0], 1, 9000), NORMAL[1], "range", " to 9,000, limit 1"),
    "outliers of fares": (replaced(FARES[0], 5, 90000), FARES[1], "range", " to 90,000"),
    "zeros": (replaced(NORMAL[0], 400, 0), NORMAL[1], "outside", "10% of the values outside"),
    "NaN": (replaced(NORMAL[0], 80, np.nan), NORMAL[1], "not_finite", "NaN or infinite 0% → 2%"),
    "infinite": (replaced(NORMAL[0], 80, np.inf), NORMAL[1], "not_finite", "NaN or infinite 0% → 2%"),
    "constant": (np.full(ROWS, 10.0), NORMAL[1], "constant", "all values are 10"),
    "constant in few rows": (np.full(100, 10.0), NORMAL[1], "constant", "all values are 10"),
    "rounded": (np.round(FARES[0]), FARES[1], "rounding", "only multiples of 1 now"),
    "no longer rounded": (FARES[0], np.round(FARES[1]), "rounding", "only multiples of 1 in the baseline"),
    "missing": (masked(NORMAL[0], 0.2), NORMAL[1], "missing", "missing 0% → 2"),
    "all missing": ([None] * ROWS, NORMAL[1], "missing", "missing 0% → 100%"),
    "empty text": ([*words(FIVE, 3200), *[""] * 800], words(FIVE, ROWS), "missing", "missing 0% → 20%"),
    "shares": (words({**FIVE, "cash": 0.3, "free": 0.2}, ROWS), words(FIVE, ROWS), "l_infinity", "'cash' 40% → 30%"),
    "new value": (words({**FIVE, "cash": 0.37, "gold": 0.03}, ROWS), words(FIVE, ROWS), "new_values", "new 'gold' 3%"),
    "lost value": (
        words(FIVE, ROWS),
        words({**FIVE, "cash": 0.37, "gold": 0.03}, ROWS),
        "lost_values",
        "lost 'gold' 3%",
    ),
    "rare new value": (
        words({**FIVE, "cash": 0.395, "gold": 0.005}, ROWS),
        words(FIVE, ROWS),
        "new_values",
        "new 'gold'",
    ),
    "renamed": (
        ["taxi" if v == "app" else v for v in words(FIVE, ROWS)],
        words(FIVE, ROWS),
        "new_values",
        "lost 'app' 20%",
    ),
    "case": ([v.upper() for v in words(FIVE, ROWS)], words(FIVE, ROWS), "new_values", "new 'CASH' (like 'cash') 40%"),
    "few rows in another spelling": (
        [*words(FIVE, 180), *["CASH"] * 7, *["card "] * 7, *["APP"] * 6],
        words(FIVE, 200),
        "new_values",
        "'CASH' (like 'cash') 3.5%, 'card ' (like 'card') 3.5%",
    ),
    "longer identifiers": ([f"2026-{v}" for v in IDS[0]], IDS[1], "length", "mean length"),
    "repeated identifiers": (random(1).choice(IDS[0][:1000], ROWS), IDS[1], "distinct", "distinct values 4,000 → 98"),
    "another type": (SMALL[0].astype(float) + 0.5, SMALL[1], "type_changed", "type INT → FLOAT"),
    "numbers as text": ([str(v) for v in SMALL[0]], SMALL[1], "type_changed", "type INT → STRING"),
}


@pytest.mark.parametrize(("now", "base", "measure", "text"), CHANGED.values(), ids=CHANGED)
def test_changes_drift(now: Values, base: Values, measure: str, text: str):
    result = drifted(now, base)
    assert (result.outcome, result.name) == (WARNED, measure), result.text
    assert text in result.text


def test_features_that_one_data_set_lacks():
    now, base = statistics({"a": NORMAL[0], "new": NORMAL[0]}), statistics({"a": NORMAL[1], "old": NORMAL[1]})
    found = [(one.name, one.outcome, one.text) for one in compare(now, base, rows=False)[1:]]
    assert found == [
        ("feature_new", WARNED, "new: not in the baseline"),
        ("feature_gone", WARNED, "old: only in the baseline"),
    ]


ROW_COUNTS = {
    "same": (1000, 1000, PASSED),
    "fewer": (600, 1000, PASSED),
    "half": (500, 1000, WARNED),
    "double": (2000, 1000, WARNED),
    "none": (0, 1000, WARNED),
    "five instead of ten": (5, 10, PASSED),
    "no baseline": (1000, 0, NOT_EVALUATED),
}


@pytest.mark.parametrize(("now", "base", "outcome"), ROW_COUNTS.values(), ids=ROW_COUNTS)
def test_number_of_rows(now: int, base: int, outcome: str):
    result = compare(Statistics(num_examples=now), Statistics(num_examples=base))[0]
    assert (result.name, result.features, result.outcome) == ("rows", (), outcome)
    assert compare(Statistics(num_examples=now), Statistics(num_examples=base), rows=False) == []


def test_without_rows_features_are_not_evaluated():
    results = compare(statistics({"x": NORMAL[0]}), Statistics())
    assert [(one.outcome, one.text) for one in results] == [
        (NOT_EVALUATED, "rows: the baseline has no rows"),
        (NOT_EVALUATED, "x: the baseline has no rows"),
    ]


def test_severities():
    now = statistics(dict.fromkeys("abc", NORMAL[0] + 5))
    base = statistics(dict.fromkeys("abc", NORMAL[1]))
    results = compare(now, base, severities={"a": ERROR, "b": IGNORE})
    assert [(one.features, one.outcome) for one in results[1:]] == [(("a",), FAILED), (("c",), WARNED)]
    assert not judge(results, [DRIFT]).accepted


def test_evidence_has_the_numbers_and_is_json():
    results = compare(statistics({"x": NORMAL[0] + 1}), statistics({"x": NORMAL[1]}))
    evidence = of(results, "x").evidence
    assert evidence["value"] == evidence["mean"] == pytest.approx(0.5, abs=0.05)
    assert (evidence["limit"], evidence["limit_runs"]) == (0.2, 0)
    assert evidence["chance"] == evidence["mean_chance"] == pytest.approx(0.1, abs=0.05)
    assert evidence["mean.mean_baseline"] == pytest.approx(10, abs=0.1)
    assert (evidence["size"], evidence["size_baseline"]) == (ROWS, ROWS)
    written = Validation(judge(results, []), tuple(results)).to_json_text()
    assert json.loads(written, parse_constant=pytest.fail)["results"][1]["evidence"]["value"] == evidence["value"]


def test_a_limit_replaces_the_minimum_effect():
    now, base = statistics({"x": NORMAL[0] + 1, "y": NORMAL[0] + 1}), statistics({"x": NORMAL[1], "y": NORMAL[1]})
    wide = {("x", measure): Limit(1e9, 12) for measure in MINIMUM_EFFECTS}
    results = compare(now, base, Limits(learned=wide))
    assert of(results, "x").outcome == PASSED
    assert "limit 1e+09 from 12 earlier runs" in of(results, "x").text
    assert of(results, "y").outcome == WARNED


WEIGHTS: dict[str, Callable[[int], np.ndarray]] = {
    "of the old rows": lambda rows: np.where(np.arange(rows) < rows / 2, 1.0, 0.001),
    "of the new rows": lambda rows: np.where(np.arange(rows) < rows / 2, 0.001, 1.0),
}


def test_weights_count():
    x = np.concatenate([NORMAL[0], NORMAL[0] + 5])
    s = ["a"] * ROWS + ["b"] * ROWS
    now, base = (statistics({"x": x, "s": s, "w": weight(2 * ROWS)}, "w") for weight in WEIGHTS.values())
    results = compare(now, base, weight_feature="w")
    assert "mean 14.97 → 9.985" in of(results, "x").text
    assert "'a' 0.0999% → 99.9%" in of(results, "s").text
    assert of(results, "x").evidence["size"] == pytest.approx(ROWS, rel=0.01)
    assert of(compare(now, base), "x").evidence["size"] == ROWS


def test_the_order_of_features_and_of_values_does_not_matter():
    now, base = statistics({"b": FARES[0], "a": words(FIVE, ROWS)}), statistics({"a": words(FIVE, ROWS), "b": FARES[1]})
    results = compare(now, base)
    assert [one.features for one in results] == [(), ("a",), ("b",)]
    turned = Statistics()
    turned.CopyFrom(now)
    turned.features.sort(key=lambda one: one.path.step[0])
    assert compare(turned, base) == results


def test_statistics_of_two_kinds_cannot_be_compared():
    base = statistics({"x": SMALL[0]})
    now = Statistics(num_examples=ROWS)
    feature = now.features.add(type=statistics_pb2.FeatureNameStatistics.INT)
    feature.path.step.append("x")
    feature.string_stats.common_stats.num_non_missing = ROWS
    assert of(compare(now, base), "x").outcome == NOT_EVALUATED


def test_results_take_a_split_and_a_slice():
    (result,) = compare(statistics({"x": NORMAL[0]}), statistics({"x": NORMAL[1]}), rows=False)
    assert (result.split, result.slice) == ("", "")
    assert replace(result, split="eval", slice="a").text == result.text


def test_text_is_one_line():
    name = "a\nb\u2028c"
    now, base = statistics({name: ["new\nline"] * ROWS}), statistics({name: ["x"] * ROWS})
    result = of(compare(now, base), name)
    assert result.text.startswith(r"a\nb\u2028c: ")
    assert r"'new\nline'" in result.text
    assert len(result.text.splitlines()) == 1


@pytest.mark.parametrize("features", [1, 10])
def test_the_level_is_divided_by_the_number_of_tests(features: int):
    table = statistics({f"x{i}": SMALL[0] for i in range(features)})
    (level,) = {one.evidence["level"] for one in compare(table, table, rows=False)}
    assert level == pytest.approx(FALSE_ALARMS / (10 * features))


def test_quantiles_of_integers_are_integers():
    evidence = drifted(SMALL[0], SMALL[1]).evidence
    assert (evidence["quantiles.quantile_value"], evidence["quantiles.quantile_value_baseline"]) in {(0, 0), (5, 5)}
