"""A frozen schema holds for other samples of the same data."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0.schema_pb2 import Feature, Schema

from beam_taxi.schemas.freeze import Freezing, freeze, frozen_text, header, least_fraction, often_enough
from tests.schemas.tables import Cell, statistics, statistics_of, table


def frozen(values: Sequence[Cell], empty: type = str, **options: bool) -> tuple[Feature, Schema]:
    schema = freeze(statistics_of({"x": values}, x=empty).datasets[0], Freezing(**options))
    return schema.feature[0], schema


def text_of(feature: Feature) -> str:
    return text_format.MessageToString(feature, as_one_line=True).replace('name: "x" ', "")


ONE = "value_count { min: 1 max: 1 }"


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([7] * 1000, {}, f"{ONE} type: INT presence {{ min_fraction: 0.9904 min_count: 1 }}"),
        (
            [7] * 1000,
            {"required": True},
            "type: INT presence { min_fraction: 1 min_count: 1 } shape { dim { size: 1 } }",
        ),
        ([7, None] * 500, {}, f"{ONE} type: INT presence {{ min_fraction: 0.431 min_count: 1 }}"),
        ([7, None] * 500, {"required": True}, f"{ONE} type: INT presence {{ min_fraction: 0.431 min_count: 1 }}"),
        ([7, *[None] * 999], {}, f"{ONE} type: INT"),
        ([7] * 3, {}, f"{ONE} type: INT"),
        ([None] * 1000, {}, "type: INT"),
        (
            [-3, 9] * 500,
            {"ranges": True},
            f"{ONE} type: INT int_domain {{ min: -3 max: 9 }} presence {{ min_fraction: 0.9904 min_count: 1 }}",
        ),
        ([float("nan")] * 5, {"ranges": True}, f"{ONE} type: FLOAT"),
        ([float("-inf"), 0.5] * 2, {"ranges": True}, f"{ONE} type: FLOAT float_domain {{ max: 0.5 }}"),
        ([0, 1] * 9, {"ranges": True}, f"{ONE} type: INT bool_domain {{ }}"),
        ([0, 0, 0, 1] * 6, {"ranges": True}, f"{ONE} type: INT int_domain {{ min: 0 max: 1 }}"),
        (["true", "false"] * 9, {}, f'{ONE} type: BYTES bool_domain {{ true_value: "true" false_value: "false" }}'),
        (["1", "2"] * 9, {}, f'{ONE} type: BYTES domain: "x"'),
        (["1", "2"] * 6, {}, f"{ONE} type: BYTES"),
        ([f"v{i % 101}" for i in range(1010)], {}, None),
    ],
)
def test_a_feature(values: Sequence[Cell], options: dict[str, bool], expected: str | None):
    empty = int if values[0] is None else type(values[0])
    feature, schema = frozen(values, empty, **options)
    assert feature.domain == (schema.string_domain[0].name if schema.string_domain else "")
    if expected is None:
        assert not feature.WhichOneof("domain_info")
        return
    parsed = text_format.Parse(expected, Feature())
    found = Feature.FromString(feature.SerializeToString())
    found.ClearField("name")
    if "presence" not in expected and len(values) < 100:
        # So few rows bound the fraction loosely.
        found.ClearField("presence")
    assert text_of(found) == text_of(parsed)


@pytest.mark.parametrize(
    ("present", "rows", "chance", "expected"),
    [(1000, 1000, 0.001, 0.99050), (500, 1000, 0.001, 0.43106), (0, 10, 0.001, 0.0), (10, 10, 0.5, 1.0)],
)
def test_least_fraction(present: float, rows: float, chance: float, expected: float):
    assert least_fraction(present, rows, chance) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("chance", [0.01, 5e-5])
@pytest.mark.parametrize("fraction", [0.005, 0.02, 0.5, 0.95, 0.995])
def test_another_sample_falls_below_by_chance_alone(fraction: float, chance: float):
    rows = 1000
    k = np.arange(rows + 1)
    logs = np.cumsum(np.log(np.maximum(k, 1)))
    odds = k * np.log(fraction) + (rows - k) * np.log1p(-fraction)
    probability = np.exp(logs[-1] - logs - logs[::-1] + odds)
    below = np.concatenate([[0], np.cumsum(probability)])
    bounds = np.array([least_fraction(n, rows, chance) * rows for n in k])
    # A bound of less than one row is none.
    least = np.where(bounds < 1, 0, np.ceil(bounds - 1e-9)).astype(int)
    assert probability.sum() == pytest.approx(1)
    assert (probability * below[least]).sum() <= 1.1 * chance


@pytest.mark.parametrize(
    ("counts", "expected"), [([], False), ([7], True), ([6.9], False), ([100, 7], True), ([100, 1], False)]
)
def test_often_enough(counts: Sequence[float], expected: bool):
    assert often_enough(counts, 0.001) is expected


def test_other_samples_have_no_anomalies():
    r = random.Random(1)

    def sample() -> dict[str, list[Cell]]:
        rows = range(800)
        return {
            "sometimes": [1.5 if r.random() < 0.7 else None for _ in rows],
            "nearly_always": [1 if r.random() < 0.999 else None for _ in rows],
            "seldom": ["a" if r.random() < 0.002 else None for _ in rows],
            "kind": [r.choice("abcd") for _ in rows],
            "long_tail": [f"v{int(r.expovariate(0.1))}" for _ in rows],
            "rare_one": [1 if r.random() < 0.01 else 0 for _ in rows],
            "amount": [r.gauss(0, 1) for _ in rows],
        }

    schema = freeze(statistics(table(sample())).datasets[0], Freezing())
    for _ in range(12):
        other = statistics(table(sample(), seldom=str))
        assert not tfdv.validate_statistics(other, schema).anomaly_info
    assert [one.name for one in schema.string_domain] == ["kind"]


def test_weights_count_too():
    columns = {"x": [1, *[None] * 9] * 100, "w": [0.1, *[1.0] * 9] * 100}
    light = freeze(statistics(table(columns), weight_feature="w").datasets[0], Freezing())
    even = freeze(statistics(table(columns)).datasets[0], Freezing())
    of_x = [next(one for one in schema.feature if one.name == "x").presence.min_fraction for schema in (light, even)]
    assert of_x[0] < of_x[1]


def test_the_text_has_a_header():
    _, schema = frozen(["ä", "b"] * 20)
    text = frozen_text(schema, header("RUN", 1040, Freezing(ranges=True, required=True)))
    assert text.startswith("# Frozen from 1,040 rows of RUN.\n# Apart from ranges, another sample of the same size ")
    ranges = "# Ranges of numbers are those of these rows; another sample often exceeds them."
    assert f"\n{ranges} Features without missing values are required.\n\n" in text
    assert "\n# Another sample" in frozen_text(schema, header("RUN", 1040, Freezing()))
    assert text_format.Parse(text, Schema()) == schema
    assert 'value: "ä"' in text
