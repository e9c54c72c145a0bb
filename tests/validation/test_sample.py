"""Integers that only one of two schemas calls categorical are still compared."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory

from beam_taxi.run.validation import NOT_EVALUATED, PASSED, WARNED, Result
from beam_taxi.settings import StatisticsSettings
from beam_taxi.statistics.options import stats_options
from beam_taxi.validation.drift import compare
from beam_taxi.validation.sample import NUMBERS, STRINGS, samples
from tests.validation.tables import Statistics, random, statistics

ROWS = 1000
FLAG = (random(1).random(ROWS) < 0.3).astype(int)
MANY = random(2).integers(0, 100_000, 3000)
CATEGORICAL = "feature { name: 'x' type: INT int_domain { is_categorical: true } }"
BOOL = "feature { name: 'x' type: INT bool_domain {} }"


def categorical(values: np.ndarray, schema: str = CATEGORICAL) -> Statistics:
    """Return the statistics of a column by a schema."""
    batch = pa.RecordBatch.from_arrays([pa.array([[v] for v in values])], ["x"])
    return generate_statistics_in_memory(batch, stats_options(StatisticsSettings(), schema)).datasets[0]


def of_x(now: Statistics, base: Statistics) -> Result:
    return compare(now, base, rows=False)[0]


@pytest.mark.parametrize("schema", [CATEGORICAL, BOOL])
def test_the_numbers_of_categorical_integers_are_exact(schema: str):
    values = random(3).choice([-3, 0, 7, 12], ROWS) if schema == CATEGORICAL else FLAG
    (known,), (found,) = (samples(one).values() for one in (statistics({"x": values}), categorical(values, schema)))
    assert (known.kind, found.kind) == (NUMBERS, STRINGS)
    made = found.as_numbers()
    assert made is not None
    for name in ("mean", "std_dev", "min", "max", "num_zeros"):
        assert getattr(made.stats.num_stats, name) == pytest.approx(getattr(known.stats.num_stats, name)), name
    assert (made.range, made.present, made.size) == (known.range, known.present, known.size)
    assert made.distribution is not None
    assert made.distribution.share(0, True) == pytest.approx((values <= 0).mean())


def test_a_flag_is_compared_with_a_baseline_from_before_its_schema():
    before = statistics({"x": FLAG})
    for one, two in ((categorical(1 - FLAG, BOOL), before), (before, categorical(1 - FLAG, BOOL))):
        assert of_x(one, two).outcome == WARNED
    assert of_x(categorical(FLAG, BOOL), before).outcome == PASSED


def test_integers_that_are_not_all_listed_are_not_compared():
    result = of_x(categorical(MANY), statistics({"x": MANY}))
    assert (result.outcome, result.name) == (NOT_EVALUATED, "statistics")
