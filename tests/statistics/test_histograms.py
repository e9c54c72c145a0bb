"""Histograms are those of TFDV, bit for bit."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tensorflow_data_validation.statistics.generators import basic_stats_generator
from tensorflow_data_validation.utils import quantiles_util

from beam_taxi.main import main
from beam_taxi.statistics import histograms

ANY = st.floats(allow_nan=False) | st.integers(-3, 3).map(float)
BUCKETS = st.integers(1, 12)


@given(st.lists(ANY, min_size=2, max_size=40), st.lists(st.floats(0.1, 9), min_size=40, max_size=40), BUCKETS)
@example([-2.0, 0.0, 0.0, 2.0], [1.0] * 4, 2)
@example([-0.0, 0.0], [1.0] * 2, 1)
def test_equals_that_of_tfdv(values: list[float], weights: list[float], num_buckets: int):
    assert_equal(np.sort(np.array(values)), np.cumsum(weights[: len(values)]), num_buckets)


@pytest.mark.parametrize("spread", [1.0, 1e-320, 1e308], ids=["usual", "subnormal", "near the largest"])
def test_equals_that_of_tfdv_for_a_thousand_quantiles(spread: float):
    values = np.sort(np.random.default_rng(1).lognormal(size=1001))
    assert_equal(values / values[-1] * spread, np.arange(1, 1002, dtype=float), 10)


@pytest.mark.parametrize("distinct", [2, 40, 1700, 4000])
def test_equals_that_of_tfdv_for_repeated_quantiles(distinct: int):
    generator = np.random.default_rng(1)
    values = np.sort(generator.lognormal(size=distinct)[generator.integers(0, distinct, 5001)])
    assert_equal(values, np.cumsum(generator.lognormal(size=5001)), 50)


@given(st.lists(ANY, max_size=40), st.lists(st.floats(0.1, 9), min_size=40, max_size=40))
@example([], [1.0] * 40)
@example([2.0] * 20, [0.1] * 40)
@example([1.0, 1.0, 1.0, 2.0, 2.0], [0.1] * 40)
def test_weights_equal_those_of_tfdv(values: list[float], weights: list[float]):
    arguments = np.sort(np.array(values)), np.cumsum(weights[: len(values)])
    for found, expected in zip(histograms.bin_weights(*arguments), histograms.weights_by_tfdv(*arguments), strict=True):
        assert found.tobytes() == expected.tobytes()


def assert_equal(quantiles: np.ndarray, counts: np.ndarray, num_buckets: int) -> None:
    finite = quantiles[np.isfinite(quantiles)]
    limits = (finite[0], finite[-1]) if len(finite) else (np.inf, -np.inf)
    arguments = quantiles, counts, *limits, num_buckets, float(np.isposinf(quantiles).sum())
    with np.errstate(all="ignore"):
        try:
            expected = histograms.by_tfdv(*arguments)
        except (AssertionError, IndexError, ZeroDivisionError) as error:
            # What it cannot do.
            with pytest.raises(type(error)):
                histograms.equi_width_histogram(*arguments)
            return
    found = histograms.equi_width_histogram(*arguments)
    assert found.SerializeToString(deterministic=True) == expected.SerializeToString(deterministic=True)


def test_a_run_uses_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quantiles_util, "generate_equi_width_histogram", histograms.by_tfdv)
    monkeypatch.setattr(quantiles_util, "_get_bin_weights", histograms.weights_by_tfdv)
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    assert main(["--input", str(tmp_path / "a.csv"), "--output", str(tmp_path), "--metadata_store", "none"]) == 0
    assert quantiles_util.generate_equi_width_histogram is histograms.equi_width_histogram
    assert quantiles_util._get_bin_weights is histograms.bin_weights


def count_lines(function: Callable[..., Any], *arguments: Any) -> int:
    """Return how many lines of Python a call executes."""
    lines = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return lines


def test_tfdv_still_loops_over_every_quantile():
    """If this fails, TFDV may have become as fast: compare, and remove the replacement."""
    arguments = np.arange(1001.0), np.arange(1, 1002.0), 0.0, 1000.0, 10, 0.0
    assert count_lines(histograms.by_tfdv, *arguments) > 2 * count_lines(histograms.equi_width_histogram, *arguments)
    weights = arguments[:2]
    assert count_lines(histograms.weights_by_tfdv, *weights) > 9 * count_lines(histograms.bin_weights, *weights)


def test_tfdv_still_calls_its_functions_by_their_names():
    """If this fails, the replacements have no effect."""
    assert "= _get_bin_weights(" in inspect.getsource(quantiles_util.generate_quantiles_histogram)
    assert "quantiles_util.generate_equi_width_histogram(" in inspect.getsource(basic_stats_generator)
