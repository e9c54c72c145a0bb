"""Counts of columns and rows, compared with pandas on the same rows."""

from __future__ import annotations

import random
import string
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from beam_taxi.run.profile import DatasetProfile, Distinct, Duplicates, FeatureProfile, Lengths, Profile
from beam_taxi.statistics.profile import dataset
from beam_taxi.statistics.profile.dataset import DatasetCounts
from beam_taxi.statistics.profile.distinct import KEPT
from beam_taxi.statistics.profile.limits import Limits
from beam_taxi.statistics.profile.rows import RowHashes
from beam_taxi.tfexample.batches import to_list_columns

ROWS = 20_000
generator = np.random.default_rng(7)


def missing(values: pa.Array, share: float) -> pa.Array:
    return pa.array(values.to_pylist(), values.type, mask=generator.random(len(values)) < share)


def floats(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.float32))


def words(count: int, length: int) -> pa.Array:
    letters = random.Random(5)
    known = ["".join(letters.choices(string.ascii_lowercase + "é ", k=length)) for _ in range(count)]
    return pa.array([known[i] for i in generator.integers(0, count, ROWS)])


COLUMNS = {
    "flag": pa.array((generator.random(ROWS) < 0.02).astype(np.int64)),
    "hour": missing(pa.array(generator.integers(0, 24, ROWS)), 0.1),
    "id": pa.array(generator.permutation(ROWS) + 10**12),
    "huge": pa.array(generator.integers(-(2**63), 2**63 - 1, ROWS)),
    "beyond float64": pa.array(2**62 + generator.integers(0, 3000, ROWS)),
    "fare": missing(floats(np.round(generator.lognormal(2, 1, ROWS), 2)), 0.01),
    "miles": floats(generator.lognormal(2, 3, ROWS)),
    "odd": floats(np.where(generator.random(ROWS) < 0.1, generator.choice([np.nan, np.inf, -np.inf], ROWS), 1.5)),
    "only NaN": floats(np.full(ROWS, np.nan)),
    "category": missing(words(7, 5), 0.5),
    "many": words(15_000, 12),
    "empty": pa.nulls(ROWS, pa.string()),
    "no type": pa.nulls(ROWS),
    "bytes": pa.array([b"\xff\x00", b"plain"] * (ROWS // 2)),
}


def batch() -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(COLUMNS.values()), list(COLUMNS))


def listed(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows as list columns; a column without a type stays as it is."""
    names = [name for name in rows.schema.names if name != "no type"]
    lists = to_list_columns(
        pa.RecordBatch.from_arrays([rows.column(rows.schema.get_field_index(n)) for n in names], names)
    )
    return pa.RecordBatch.from_arrays([*lists.columns, pa.nulls(len(rows))], [*names, "no type"])


def profile_of(rows: pa.RecordBatch, parts: int = 1) -> DatasetProfile:
    total = DatasetCounts()
    step = -(-len(rows) // (parts * 3))
    batches = [listed(rows[start : start + step]) for start in range(0, len(rows), step)]
    for part in range(parts):
        counts = DatasetCounts()
        for one in batches[part::parts]:
            counts.add(one)
        total.merge(counts)
    return total.profile("train")


@pytest.fixture(scope="module")
def profile() -> DatasetProfile:
    return profile_of(batch())


@pytest.fixture(scope="module")
def features(profile: DatasetProfile) -> dict[str, FeatureProfile]:
    return dict(profile.features)


NUMBERS = [
    name for name, column in COLUMNS.items() if pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
]


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_those_of_pandas(features: dict[str, FeatureProfile], name: str):
    found = features[name]
    series = pd.Series([one for one in COLUMNS[name].to_pylist() if one is not None], dtype=object)
    values = np.array(series.tolist())
    finite = values[np.isfinite(values.astype(np.float64))]
    assert (found.present, found.values) == (len(series), len(series))
    assert (found.zeros, found.nan) == (int((values == 0).sum()), int(np.isnan(values.astype(np.float64)).sum()))
    assert found.infinite == len(values) - len(finite) - found.nan
    if not len(finite):
        assert (found.mean, found.std, found.min, found.histogram, found.percentiles) == (None, None, None, None, {})
        return
    assert (found.min, found.max) == (finite.min(), finite.max())
    # Integers may be beyond float64.
    offsets = (finite - finite[0] if name == "beyond float64" else finite).astype(np.float64)
    assert found.mean == pytest.approx(finite.astype(np.float64).mean(), rel=1e-9, abs=1e-6)
    assert found.std == pytest.approx(offsets.std(), rel=1e-9)
    counts = Counter(finite.tolist())
    assert found.distinct == Distinct(len(counts)) or found.distinct.value == pytest.approx(
        len(counts), rel=4 * found.distinct.error
    )
    assert found.distinct.exact == (len(counts) <= 4096)
    for one in found.counts.counts:
        assert counts[one.value] == one.count
    assert found.counts.complete == (len(counts) <= 1000 and name != "beyond float64")
    if found.counts.complete:
        assert [(one.value, one.count) for one in found.counts.counts] == sorted(
            counts.items(), key=lambda item: (-item[1], item[0])
        )


@pytest.mark.parametrize("name", ["category", "many", "bytes"])
def test_strings_are_those_of_pandas(features: dict[str, FeatureProfile], name: str):
    found = features[name]
    values = [one for one in COLUMNS[name].to_pylist() if one is not None]
    raw = [one if isinstance(one, bytes) else one.encode() for one in values]
    lengths = [len(one) for one in raw]
    assert found.present == len(values)
    assert found.length == Lengths(min(lengths), pytest.approx(np.mean(lengths)), max(lengths))
    counts = Counter(one.decode(errors="backslashreplace") for one in raw)
    assert found.distinct.value == pytest.approx(len(counts), rel=4 * found.distinct.error)
    assert found.distinct.exact == found.counts.complete == (len(counts) <= 1000)
    assert [(one.value, one.count) for one in found.counts.counts] == (
        sorted(counts.items(), key=lambda item: (-item[1], item[0])) if found.counts.complete else []
    )
    assert found.text is not None
    assert found.text.padded == sum(one != one.strip() for one in values if isinstance(one, str))


def test_columns_without_values(features: dict[str, FeatureProfile]):
    for name in ("empty", "no type"):
        assert (features[name].present, features[name].counts.complete) == (0, True)


@pytest.mark.parametrize("parts", [2, 5])
def test_the_parts_and_their_order_do_not_matter(profile: DatasetProfile, parts: int):
    found = profile_of(batch(), parts)
    for name, one in profile.features.items():
        for key, value in vars(one).items():
            expected = pytest.approx(value, rel=1e-9) if key in ("mean", "std") and value is not None else value
            assert getattr(found.features[name], key) == expected, (name, key)
    assert (found.sample, found.duplicates, found.relations) == (profile.sample, profile.duplicates, profile.relations)


def test_the_file_gives_the_same_profile(profile: DatasetProfile):
    import json

    whole = Profile((profile,), "flag")
    assert Profile.from_json(json.loads(whole.to_json_text())) == whole


def test_equal_rows_are_counted_and_sampled_once():
    rows = pa.RecordBatch.from_arrays([pa.array([1, 2, 1, None, 1]), pa.array(["a", "b", "a", None, "b"])], ["n", "s"])
    counts = DatasetCounts()
    counts.add(to_list_columns(rows))
    found = counts.profile("train")
    assert found.duplicates == Duplicates(1)
    assert found.sample is not None
    assert sorted(found.sample.cells, key=str) == sorted([(1, "a"), (2, "b"), (None, None), (1, "b")], key=str)


def test_equal_rows_among_too_many_are_estimated():
    hashes = generator.integers(0, 2**63, 40_000).astype(np.uint64) * np.uint64(2)
    rows = RowHashes(4096)
    for part in np.array_split(np.concatenate([hashes, hashes[:10_000]]), 7):
        rows.add(part)
    found = rows.duplicates()
    assert not found.exact
    assert found.rows == pytest.approx(10_000, rel=0.1)


def test_lists_of_several_values():
    column = pa.array([[1, 2], [], None, [3], [2, 1]], pa.list_(pa.int64()))
    counts = DatasetCounts()
    counts.add(pa.RecordBatch.from_arrays([column], ["n"]))
    found = counts.profile("train")
    assert (found.features["n"].present, found.features["n"].values) == (3, 5)
    assert found.features["n"].length == Lengths(1, pytest.approx(5 / 3), 2)
    # A row with an empty list differs from one without a list, and the order of the values matters.
    assert found.duplicates == Duplicates(0)


def test_slices_have_columns_alone():
    counts = DatasetCounts()
    counts.add(listed(batch()), is_slice=True)
    found = counts.profile("train", "hour_3")
    assert (found.rows, found.duplicates, found.sample) == (ROWS, None, None)
    assert found.features["flag"].counts.complete


def test_wide_tables_keep_less_of_each_column():
    narrow, wide, widest = (Limits.for_columns(n) for n in (18, 2000, 20_000))
    assert narrow.distinct > wide.distinct >= widest.distinct > 0
    assert narrow.sampled > wide.sampled >= widest.sampled > 0


def test_batches_are_counted_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dataset, "_PENDING_ROWS", 50)
    counts = DatasetCounts()
    for start in range(0, 100, 10):
        counts.add(listed(batch()[start : start + 10]))
    assert counts.profile("train").rows == 100


def test_the_estimate_of_distinct_values_starts_where_counting_ends(features: dict[str, FeatureProfile]):
    assert not features["id"].distinct.exact
    assert features["id"].distinct.error == pytest.approx((KEPT - 2) ** -0.5)
