"""Comparators from TFDV's own distances."""

from __future__ import annotations

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.errors import UsageError
from beam_taxi.validation.calibrate import Comparator, calibrate
from tests.validation.tables import Statistics, random, statistics, words


def run(seed: int, shift: float = 0, cash: float = 0.5) -> Statistics:
    source = random(seed)
    shares = {"cash": cash, "card": 1 - cash}
    return statistics(
        {
            "fare": source.lognormal(2 + shift, 0.6, 2000),
            "count": source.poisson(2, 2000),
            "kind": words(shares, 2000),
            "empty": [None] * 2000,
        }
    )


RUNS = [run(1), run(2, cash=0.52), run(3, cash=0.54)]


def test_thresholds_have_headroom_over_the_largest_distance():
    found = calibrate(RUNS)
    assert sorted(found) == ["count", "fare", "kind"]
    assert found["kind"] == Comparator("infinity_norm", 0.06)
    assert found["fare"].norm == "jensen_shannon_divergence"
    assert found["fare"].source == "QUANTILES"
    assert 0.01 <= found["fare"].threshold < 0.2
    assert calibrate(RUNS, headroom=1)["kind"].threshold == 0.04


@pytest.mark.parametrize(("now", "anomalies"), [(RUNS[0], set()), (run(4, 0.5, 0.7), {"fare", "kind"})])
def test_tfdv_judges_by_them(now: Statistics, anomalies: set[str]):
    schema = schema_pb2.Schema()
    for name, comparator in calibrate(RUNS).items():
        kind = {"fare": "FLOAT", "count": "INT", "kind": "BYTES"}[name]
        feature = schema.feature.add(name=name, type=schema_pb2.FeatureType.Value(kind))
        comparator.write(feature.drift_comparator)
    lists = (statistics_pb2.DatasetFeatureStatisticsList(datasets=[one]) for one in (now, RUNS[1]))
    found = tfdv.validate_statistics(next(lists), schema, previous_statistics=next(lists))
    assert set(found.anomaly_info) - {"empty"} == anomalies


def test_runs_that_do_not_differ_get_a_threshold_that_is_not_zero():
    assert calibrate([RUNS[0], RUNS[0]])["kind"].threshold == 0.01


def test_one_run_is_refused():
    with pytest.raises(UsageError, match="at least two runs, or splits with --skew, not 1"):
        calibrate(RUNS[:1])
