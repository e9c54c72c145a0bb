"""The estimated profile of TFDV's statistics, on its own output and on statistics made by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.run.profile import PERCENTILES, Distinct, FeatureProfile, Lengths, Profile
from beam_taxi.statistics.estimate import estimated_profile
from beam_taxi.statistics.splits import ALL_ROWS

NAN, INF = math.nan, math.inf
CATEGORICAL = "feature { name: 'x' type: INT int_domain { is_categorical: true } }"


def profile_of(cells: Sequence[object], type_: pa.DataType | None = None, schema: str = "") -> FeatureProfile:
    """Return the profile of a column of lists, whose statistics TFDV computes."""
    lists = [None if cell is None else cell if isinstance(cell, list) else [cell] for cell in cells]
    column = pa.array(lists, pa.list_(type_) if type_ else None)
    options = tfdv.StatsOptions(
        schema=text_format.Parse(schema, schema_pb2.Schema()) if schema else None,
        num_quantiles_histogram_buckets=50,
        num_rank_histogram_buckets=5,
    )
    batch = pa.RecordBatch.from_arrays([column], ["x"])
    return estimated_profile({"all": generate_statistics_in_memory(batch, options)}).splits()["all"].features["x"]


def listed(profile: FeatureProfile) -> list[tuple[object, int]]:
    return [(one.value, one.count) for one in profile.counts.counts]


@dataclass(frozen=True)
class Case:
    """A column, the figures of its profile, and its values where all are known."""

    cells: Sequence[object]
    figures: dict[str, object]
    values: list[tuple[object, int]] | None = None
    type: pa.DataType | None = None
    schema: str = ""


COLUMNS = {
    "integers": Case([3, 1, 2, None, 0, 0], {"type": "INT", "present": 5, "zeros": 2, "min": 0, "max": 3, "mean": 1.2}),
    "decimals": Case([0.5, 1.5, -2.0], {"type": "FLOAT", "zeros": 0, "min": -2.0, "max": 1.5, "mean": 0.0}),
    "nan": Case([1.0, NAN, 3.0, NAN], {"present": 4, "values": 4, "nan": 2, "finite": 2, "mean": 2.0, "std": 1.0}),
    "only nan": Case([NAN, NAN], {"values": 2, "nan": 2, "finite": 0, "mean": None, "min": None, "histogram": None}),
    "infinite": Case(
        [1.0, INF, 3.0, 4.0, NAN, INF], {"infinite": 2, "finite": 3, "min": 1.0, "max": 4.0, "mean": None, "std": None}
    ),
    "only infinite": Case([INF, -INF], {"values": 2, "mean": None, "min": None, "max": None, "histogram": None}),
    "flags": Case(
        [0, 1, 1, 1, None], {"distinct": Distinct(2), "min": 0, "max": 1, "zeros": 1, "mean": 0.75}, [(1, 3), (0, 1)]
    ),
    "flags below zero": Case([-1, 0, -1, -1], {"distinct": Distinct(2), "zeros": 1}, [(-1, 3), (0, 1)]),
    "adjacent integers": Case([2016, 2017, 2017], {"distinct": Distinct(2), "zeros": 0}, [(2017, 2), (2016, 1)]),
    "equal counts": Case([1, 0, 0, 1], {"distinct": Distinct(2)}, [(0, 2), (1, 2)]),
    "integers beyond the precision of floats": Case(
        [2**62 + 1, 2**62 + 3000, -5], {"type": "INT", "values": 3, "min": None, "max": None, "histogram": None}
    ),
    "constant": Case([7.5, 7.5], {"distinct": Distinct(1), "std": 0.0, "min": 7.5, "max": 7.5}, [(7.5, 2)]),
    "constant zero": Case([0.0], {"distinct": Distinct(1), "zeros": 1}, [(0.0, 1)]),
    "strings": Case(
        ["b", "a", "zé", "a", None, "b"],
        {"type": "STRING", "present": 5, "distinct": Distinct(3), "length": Lengths(1, 1.4, 3), "mean": None},
        [("a", 2), ("b", 2), ("zé", 1)],
    ),
    "empty strings": Case(["", "", "x"], {"length": Lengths(0, 1 / 3, 1)}, [("", 2), ("x", 1)]),
    "strings of many values": Case(
        [*"aaabbcdefgh"], {"distinct": Distinct(8, False, 0.09), "length": None, "values": 11, "min": None}
    ),
    "not text": Case([b"\xff", b"a"], {"type": "STRING", "values": 2, "distinct": Distinct(2, False, 0.09)}),
    "categories": Case(
        [7, 7, 0, 12],
        {"type": "INT", "zeros": 1, "mean": 6.5, "max": 12},
        [(7, 2), (0, 1), (12, 1)],
        schema=CATEGORICAL,
    ),
    "many categories": Case(
        [7, 7, 0, 0, 0, 1, 2, 3, 4],
        {"zeros": 3, "mean": None, "distinct": Distinct(6, False, 0.09)},
        schema=CATEGORICAL,
    ),
    "lists": Case([[1, 2, 5], [3], None], {"present": 2, "values": 4, "length": Lengths(1, 2.0, 3)}),
    "lists of strings": Case([["a", "b"], ["a"]], {"values": 3, "length": Lengths(1, 1.5, 2)}, [("a", 2), ("b", 1)]),
    "no values": Case([None, None], {"type": "STRING", "present": 0, "values": 0, "distinct": Distinct(0)}, []),
    "no decimals": Case([None], {"type": "FLOAT", "present": 0, "mean": None, "histogram": None}, [], pa.float64()),
}


@pytest.mark.parametrize("case", COLUMNS.values(), ids=COLUMNS)
def test_figures(case: Case):
    profile = profile_of(case.cells, case.type, case.schema)
    assert {name: getattr(profile, name) for name in case.figures} == pytest.approx(case.figures)
    assert profile.counts.complete is (case.values is not None)
    assert profile.counts.exact is profile.counts.complete
    if case.values is not None:
        assert listed(profile) == case.values
    if profile.counts.complete and profile.histogram:
        assert profile.histogram.exact
        assert {one.rank_error for one in profile.percentiles.values()} == {0.0}


DISTRIBUTIONS = {
    "uniform": lambda rng, n: rng.random(n),
    "lognormal": lambda rng, n: rng.lognormal(0, 2, n),
    "far outlier": lambda rng, n: np.append(rng.normal(0, 1, n - 1), 1e12),
    "far outliers at both ends": lambda rng, n: np.concatenate([rng.normal(0, 1, n - 2), [1e300, -1.7e308]]),
    "many zeros": lambda rng, n: np.where(rng.random(n) < 0.9, 0.0, rng.lognormal(0, 1, n)),
    "small integers": lambda rng, n: rng.poisson(2, n),
    "integers": lambda rng, n: rng.integers(-(10**6), 10**6, n),
    "few values": lambda rng, n: rng.choice([0.1, 0.2, 5.0], n),
    "narrow": lambda rng, n: 1e16 + rng.integers(0, 4, n) * 2.0,
    "tiny": lambda rng, n: rng.random(n) * 1e-290,
    "with infinities": lambda rng, n: np.concatenate([rng.normal(0, 1, n - 4), [np.inf] * 3, [-np.inf]]),
    "with NaN": lambda rng, n: np.append(rng.normal(0, 1, n - 5), [np.nan] * 5),
}


@pytest.mark.parametrize("n", [23, 5_000])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_percentiles_are_within_their_errors(distribution, n: int):
    values = distribution(np.random.default_rng(1), n)
    finite = np.sort(values[np.isfinite(values)])
    profile = profile_of(values.tolist())
    assert list(profile.percentiles) == [str(one) for one in PERCENTILES]
    for percent, found in profile.percentiles.items():
        below, upto = (np.searchsorted(finite, found.value, side) / len(finite) for side in ("left", "right"))
        off = max(0.0, below - int(percent) / 100, int(percent) / 100 - upto)
        assert off <= found.rank_error, percent
        assert found.rank_error < (0.4 if np.isinf(values).any() else 0.2 if n < 100 else 0.04), percent
    found = [one.value for one in profile.percentiles.values()]
    assert found == sorted(found)


@pytest.mark.parametrize("n", [2, 23, 5_000])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_bars_are_dyadic_and_whole_and_nothing_is_left_out(distribution, n: int):
    values = distribution(np.random.default_rng(1), max(n, 23))[:n]
    profile = profile_of(values.tolist())
    found = profile.histogram
    assert math.frexp(found.width)[0] == 0.5
    assert (found.low / found.width).is_integer()
    assert 1 <= len(found.counts) <= 26
    assert min(found.counts) >= 0
    below, above = (tail.count if tail else 0 for tail in (found.below, found.above))
    assert below + sum(found.counts) + above == profile.finite
    assert profile.min >= found.low if found.below is None else found.below.extreme == profile.min < found.low
    assert profile.max < found.high if found.above is None else found.above.extreme == profile.max >= found.high
    if n == 5_000 and not np.isinf(values).any():
        edges = found.low + found.width * np.arange(len(found.counts) + 1)
        counts = np.array([((a <= values) & (values < b)).sum() for a, b in pairwise(edges)])
        assert np.abs(np.cumsum(counts) - np.cumsum(found.counts)).max() < 0.05 * n


def test_the_bar_of_zero_is_the_number_of_zeros():
    hours = np.random.default_rng(1).binomial(23, 0.2, 5_000)
    profile = profile_of(hours.tolist())
    assert profile.histogram.counts[0] == profile.zeros == (hours == 0).sum()
    assert np.abs(np.array(profile.histogram.counts) - np.bincount(hours)).max() < 0.02 * len(hours)


def test_splits_and_slices():
    frame = pd.DataFrame({"fare": [1.5, 2.5, 4.5], "paid": ["cash", "card", "cash"]})
    parts = {ALL_ROWS: frame, "paid_card": frame[1:2], "paid_cash": frame[::2]}
    train = statistics_pb2.DatasetFeatureStatisticsList()
    for name, part in parts.items():
        train.datasets.append(tfdv.generate_statistics_from_dataframe(part).datasets[0])
        train.datasets[-1].name = name
    evaluation = tfdv.generate_statistics_from_dataframe(frame[:2])
    profile = estimated_profile({"train": train, "eval": evaluation, "test": type(train)()}, "paid")
    assert profile.label == "paid"
    assert [(one.split, one.slice, one.rows) for one in profile.datasets] == [
        ("train", "", 3),
        ("train", "paid_card", 1),
        ("train", "paid_cash", 2),
        ("eval", "", 2),
        ("test", "", 0),
    ]
    assert profile.datasets[2].features["fare"].mean == 3.0
    assert Profile.from_json(json.loads(profile.to_json_text())) == profile


HAND_MADE = {
    "older file with names": (
        "num_examples: 4 features { name: 'x' type: INT num_stats { common_stats { num_non_missing: 4 "
        "tot_num_values: 4 } min: 1 max: 9 mean: 5 std_dev: 2 } }",
        {"x": {"min": 1, "max": 9, "mean": 5.0, "std": 2.0, "percentiles": {}, "histogram": None}},
    ),
    "struct": (
        "num_examples: 2 features { path { step: 's' } type: STRUCT struct_stats { common_stats { num_non_missing: 2 "
        "tot_num_values: 2 } } } features { path { step: 's' step: 'x' } type: STRING string_stats { common_stats { "
        "num_non_missing: 1 tot_num_values: 1 } top_values { value: 'a' frequency: 1 } } }",
        {"s.x": {"present": 1, "distinct": Distinct(1)}},
    ),
    "bytes": (
        "num_examples: 2 features { path { step: 'x' } type: BYTES bytes_stats { common_stats { num_non_missing: 2 "
        "tot_num_values: 2 } unique: 2 avg_num_bytes: 3.5 min_num_bytes: 2 max_num_bytes: 5 } }",
        {"x": {"type": "STRING", "distinct": Distinct(2, False, 0.09), "length": Lengths(2, 3.5, 5)}},
    ),
    "no statistics": (
        "num_examples: 1 features { path { step: 'x' } type: INT }",
        {"x": {"type": "INT", "present": 0}},
    ),
    "no features": ("num_examples: 3", {}),
    "overflow": (
        "num_examples: 2 features { path { step: 'x' } type: FLOAT num_stats { common_stats { num_non_missing: 2 "
        "tot_num_values: 2 } min: -1.7e308 max: 1.7e308 mean: 0 std_dev: inf histograms { type: QUANTILES buckets { "
        "low_value: -1.7e308 high_value: 1.7e308 sample_count: 2 } } } }",
        {"x": {"std": None, "mean": 0.0, "min": -1.7e308, "histogram": None}},
    ),
}


@pytest.mark.parametrize(("text", "features"), HAND_MADE.values(), ids=HAND_MADE)
def test_statistics_of_others(text: str, features: dict[str, dict[str, object]]):
    dataset = text_format.Parse(text, statistics_pb2.DatasetFeatureStatistics())
    statistics = statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])
    found = estimated_profile({"all": statistics}).splits()["all"].features
    assert list(found) == list(features)
    for name, figures in features.items():
        assert {figure: getattr(found[name], figure) for figure in figures} == figures
