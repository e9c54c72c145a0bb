"""Counts of parts, stored and merged, against those of all rows, and against TFDV's statistics of all rows."""

from __future__ import annotations

import io
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf.message import Message
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.errors import UsageError
from beam_taxi.run.profile import DatasetProfile, FeatureProfile, Percentile
from beam_taxi.settings import StatisticsSettings
from beam_taxi.statistics.estimates import Estimates, rank_error
from beam_taxi.statistics.from_counts import statistics_of
from beam_taxi.statistics.options import stats_options
from beam_taxi.statistics.profile.dataset import DatasetCounts
from beam_taxi.statistics.profile.numbers import NumberCounts
from beam_taxi.statistics.profile.restored import read_counts
from beam_taxi.statistics.profile.stored import SCHEMA, write_counts
from beam_taxi.statistics.profile.texts import TextCounts
from beam_taxi.tfexample.batches import select_columns, to_list_columns

SETTINGS = StatisticsSettings()
ROWS = 3_000
Column = Callable[[np.random.Generator], pa.Array]


def with_missing(values: pa.Array, g: np.random.Generator) -> pa.Array:
    return pa.array(values.to_pylist(), values.type, mask=g.random(len(values)) < 0.2)


def floats(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype(np.float32))


def odd_floats(g: np.random.Generator) -> pa.Array:
    values = np.round(g.normal(0, 3, ROWS), 1)
    values[g.random(ROWS) < 0.1] = np.nan
    values[g.random(ROWS) < 0.05] = np.inf
    return floats(values)


def words(g: np.random.Generator, count: int) -> pa.Array:
    return pa.array([f"w{int(i)}" for i in np.minimum(g.zipf(1.3, ROWS), count)])


def lists(g: np.random.Generator) -> pa.Array:
    rows = [None if g.random() < 0.2 else g.integers(0, 9, g.integers(0, 4)).tolist() for _ in range(ROWS)]
    return pa.array(rows, pa.list_(pa.int64()))


COLUMNS: dict[str, Column] = {
    "flags": lambda g: pa.array(g.integers(0, 2, ROWS)),
    "whole numbers": lambda g: with_missing(pa.array(g.integers(-50, 50, ROWS)), g),
    "large whole numbers": lambda g: pa.array(g.integers(-(2**53), 2**53, ROWS)),
    "floats": lambda g: floats(np.round(g.lognormal(1, 2, ROWS), 2)),
    "NaN and infinite": odd_floats,
    "NaN alone": lambda g: floats(np.full(ROWS, np.nan)),
    "one value": lambda g: pa.array(["same"] * ROWS),
    "no values": lambda g: pa.nulls(ROWS, pa.int64()),
    "categories": lambda g: with_missing(words(g, 9), g),
    "texts that are dates": lambda g: pa.array(
        [f"2026-{int(m):02}-{int(d):02}" for m, d in g.integers(1, 13, (ROWS, 2))]
    ),
    "bytes": lambda g: pa.array([(b"\xff\x00", b"plain", b"x" * 2000)[int(i)] for i in g.integers(0, 3, ROWS)]),
    "lists": lists,
}


def table(seed: int) -> pa.RecordBatch:
    """Return rows as TFDV takes them."""
    g = np.random.default_rng(seed)
    rows = pa.RecordBatch.from_arrays([make(g) for make in COLUMNS.values()], list(COLUMNS))
    return to_list_columns(rows)


def counts_of(rows: pa.RecordBatch) -> DatasetCounts:
    counts = DatasetCounts()
    counts.add(rows)
    counts.compact()
    return counts


def content_of(counts: DatasetCounts, redacted: Sequence[str] = ()) -> bytes:
    file = io.BytesIO()
    write_counts(counts, file, redacted)
    return file.getvalue()


def stored(counts: DatasetCounts) -> DatasetCounts:
    return read_counts(io.BytesIO(content_of(counts)))


def cut(rows: pa.RecordBatch, parts: int, chance: random.Random) -> list[pa.RecordBatch]:
    """Return parts of the rows, some of them empty."""
    ends = sorted(chance.choices(range(len(rows) + 1), k=parts - 1))
    return [rows[start:end] for start, end in zip([0, *ends], [*ends, len(rows)], strict=True)]


def merged(parts: Sequence[DatasetCounts]) -> DatasetCounts:
    total = DatasetCounts()
    for part in parts:
        total.merge(stored(part))
    return total


def same_moments(one: FeatureProfile, other: FeatureProfile) -> FeatureProfile:
    """Return the first with the moments of the second, if they are equal but for rounding."""
    if one.mean is None or other.mean is None:
        return one
    assert one.mean == pytest.approx(other.mean, rel=1e-12, abs=1e-9 * max(1.0, one.std or 0.0))
    assert one.std == pytest.approx(other.std, rel=1e-9)
    return replace(one, mean=other.mean, std=other.std)


def assert_same(found: DatasetProfile, wanted: DatasetProfile) -> None:
    features = {name: same_moments(found.features[name], one) for name, one in wanted.features.items()}
    assert features == wanted.features
    assert replace(found, features={}) == replace(wanted, features={})


@pytest.mark.parametrize(("seed", "parts"), [(1, 1), (2, 2), (3, 7), (4, 30)])
def test_parts_in_any_order_make_the_profile_of_all_rows(seed: int, parts: int):
    rows, chance = table(seed), random.Random(seed)
    whole = counts_of(rows).profile("all", label="flags")
    pieces = [counts_of(one) for one in cut(rows, parts, chance)]
    chance.shuffle(pieces)
    assert_same(merged(pieces).profile("all", label="flags"), whole)
    # Merged runs can be merged again.
    halves = [merged(pieces[: parts // 2]), merged(pieces[parts // 2 :])]
    assert_same(merged(halves).profile("all", label="flags"), whole)


def test_a_file_has_all_that_is_counted():
    counts = counts_of(table(5))
    content = content_of(counts)
    again = read_counts(io.BytesIO(content))
    assert again.profile("all") == counts.profile("all")
    assert content_of(again) == content
    assert content_of(counts_of(table(5))) == content


def leaves(message: Message, path: str = "") -> dict[str, object]:
    """Return the values in a message by path; TFDV has 0.0 or -0.0, as it comes, and only the second is a field."""
    found: dict[str, object] = {}
    for field, value in message.ListFields():
        values = list(value) if field.label == field.LABEL_REPEATED else [value]
        for number, one in enumerate(values):
            place = f"{path}/{field.name}{number}"
            found |= leaves(one, place) if isinstance(one, Message) else {place: one}
    return {place: value for place, value in found.items() if value != 0}


def by_tfdv(rows: pa.RecordBatch) -> statistics_pb2.DatasetFeatureStatistics:
    options = stats_options(SETTINGS)
    options.experimental_result_partitions = 1
    found = stats_impl.generate_statistics_in_memory(rows, options).datasets[0]
    found.features.sort(key=lambda one: one.path.step[0])
    return found


@pytest.mark.parametrize(("seed", "parts"), [(1, 1), (2, 5), (3, 30)])
def test_merged_statistics_are_those_of_tfdv(seed: int, parts: int):
    """Up to the block of TFDV's sketches, its quantiles are exact, and then all figures are equal."""
    rows = table(seed)[:1_500]
    found = statistics_of(merged([counts_of(one) for one in cut(rows, parts, random.Random(seed))]), "", SETTINGS)
    wanted = by_tfdv(rows)
    # TFDV counts up to 128 different strings.
    assert {one.path.step[0]: one.type for one in found.features} == {
        one.path.step[0]: one.type for one in wanted.features
    }
    these, those = leaves(found), leaves(wanted)
    assert these.keys() == those.keys()
    different = {
        place: (these[place], value)
        for place, value in those.items()
        if these[place] != value and not (isinstance(value, float) and close(these[place], value))
    }
    assert not {place: pair for place, pair in different.items() if "unique" not in place}
    for one, other in ((one, other) for place, (one, other) in different.items() if "unique" in place):
        assert one == pytest.approx(other, rel=0.3)


def close(found: object, wanted: float) -> bool:
    assert isinstance(found, float)
    return math.isclose(found, wanted, rel_tol=1e-8, abs_tol=1e-8) or (math.isnan(found) and math.isnan(wanted))


def beyond_limits(seed: int) -> pa.RecordBatch:
    g = np.random.default_rng(seed)
    n = 40_000
    names = [f"name {int(i)}" for i in g.zipf(1.2, n) % 50_000]
    columns = [floats(g.lognormal(1, 2, n)), pa.array(g.permutation(n)), pa.array(names)]
    return to_list_columns(pa.RecordBatch.from_arrays(columns, ["fares", "ids", "names"]))


@pytest.mark.parametrize("parts", [1, 6, 30])
def test_beyond_the_limits_errors_are_as_stated(parts: int):
    rows = beyond_limits(parts)
    found = merged([counts_of(one) for one in cut(rows, parts, random.Random(parts))])
    profile = found.profile("all", with_frequent=True)
    exact_but = replace(counts_of(rows).profile("all", with_frequent=True).features["names"])
    for name in ("fares", "ids"):
        values = np.sort(rows.column(rows.schema.get_field_index(name)).flatten().to_numpy().astype(np.float64))
        one = profile.features[name]
        assert one.distinct.value == pytest.approx(len(np.unique(values)), rel=4 * one.distinct.error)
        assert_ranks(values, one.percentiles)
        counts = found.columns[name].counts
        assert isinstance(counts, NumberCounts)
        error = rank_error(counts.bins)
        assert 0 < error < 0.02
        statistics = statistics_of(found, "", SETTINGS)
        stats = next(f.num_stats for f in statistics.features if f.path.step[0] == name)
        for bucket, share in zip(stats.histograms[1].buckets, np.arange(1, 51) / 50, strict=True):
            assert np.searchsorted(values, bucket.high_value, side="right") / len(values) == pytest.approx(
                share, abs=error + 1 / len(values)
            )
        for bucket in stats.histograms[0].buckets:
            inside = np.count_nonzero((values > bucket.low_value) & (values <= bucket.high_value)) / len(values)
            assert bucket.sample_count / len(values) == pytest.approx(inside, abs=2 * (error + 0.001))
    names = profile.features["names"]
    truth = Counter(rows.column(2).flatten().to_pylist())
    assert names.counts.error is not None
    assert 0 < names.counts.error <= len(rows) / 4097
    assert exact_but.distinct == names.distinct
    for value in names.counts.counts:
        assert value.count <= truth[str(value.value)] <= value.count + names.counts.error
    assert [value.value for value in names.counts.counts][:5] == [value for value, _ in truth.most_common(5)]
    told = Estimates()
    told.add(found)
    assert [text.split(" of ")[0] for text in told.warnings()] == [
        "estimated: quantiles and bars",
        "estimated: the number",
        "estimated: counts",
    ]


def test_the_same_rows_make_the_same_file():
    g = np.random.default_rng(5)
    values = np.round(g.lognormal(2, 1, 3_000), 2)
    columns = [values.astype(np.float32), (values * 10).astype(np.int64), [f"name {one:.0f}" for one in values]]
    rows = to_list_columns(pa.RecordBatch.from_arrays([pa.array(one) for one in columns], ["x", "n", "s"]))
    pieces = [rows[start : start + 500] for start in range(0, len(rows), 500)]
    contents = set()
    for order in (pieces, pieces[::-1], [rows]):
        total = DatasetCounts()
        for piece in order:
            total.merge(counts_of(piece))
        contents.add(content_of(total))
    assert len(contents) == 1


def test_bounds_are_rounded_up():
    ranks, frequent = Estimates(ranks={"x": 1e-7}).warnings(), Estimates(frequent={"x": 0.01234}).warnings()
    assert "are off by at most 0.01% of the values, the counts of equal-width bars by 0.11%" in next(ranks)
    assert next(frequent).endswith("is too small by at most 1.24% of the values")


def test_errors_of_parts_add_up():
    """Each part has 6,000 names three times, all of which are cut, and with them three of the one that is frequent."""
    names = [[f"{part} {i}" for i in range(6_000)] * 3 + ["often"] * 100 for part in range(5)]
    parts = [counts_of(to_list_columns(pa.RecordBatch.from_arrays([pa.array(one)], ["x"]))) for one in names]
    found = merged([merged(parts[:2]), merged(parts[2:])]).profile("all", with_frequent=True).features["x"].counts
    (often,) = found.counts
    assert (often.value, found.exact) == ("often", False)
    assert found.error is not None
    assert (often.count, found.error) == (5 * 97, 5 * 3)


def test_equal_rows_take_no_places_in_the_sample():
    values = np.concatenate([np.arange(10_000), np.arange(10_000)])
    rows = to_list_columns(pa.RecordBatch.from_arrays([pa.array(values)], ["x"]))
    whole, parts = counts_of(rows), merged([counts_of(rows[start : start + 500]) for start in range(0, 20_000, 500)])
    assert whole.sample is not None
    assert parts.sample is not None
    assert whole.sample.hashes.tolist() == parts.sample.hashes.tolist()
    assert len(whole.sample.hashes) == 4096


def assert_ranks(values: np.ndarray, percentiles: dict[str, Percentile] | object) -> None:
    assert isinstance(percentiles, dict)
    for percent, one in percentiles.items():
        rank = max(1, -(-int(percent) * len(values) // 100))
        low, high = np.searchsorted(values, one.value, "left") + 1, np.searchsorted(values, one.value, "right")
        off = max(0, low - rank, rank - high) / len(values)
        assert off <= one.rank_error + 1e-12


def test_tables_with_other_columns_are_merged_by_name():
    rows = table(8)
    some = select_columns(rows[:1000], [name for name in rows.schema.names if name != "flags"])
    parts = [counts_of(some), counts_of(rows[1000:])]
    without = [
        pa.nulls(1000) if name == "flags" else some.column(some.schema.get_field_index(name)) for name in COLUMNS
    ]
    whole = DatasetCounts()
    for one in (pa.RecordBatch.from_arrays(without, list(COLUMNS)), rows[1000:]):
        whole.merge(counts_of(one))
    assert_same(merged(parts).profile("all"), whole.profile("all"))
    assert_same(merged(parts[::-1]).profile("all"), whole.profile("all"))


def test_the_columns_of_both_decide_how_much_is_kept():
    g = np.random.default_rng(1)
    narrow = pa.RecordBatch.from_arrays([pa.array(g.integers(0, 2000, 3000))], ["a"])
    wide = pa.RecordBatch.from_arrays(
        [pa.array(g.integers(0, 2000, 10)) for _ in range(1600)], [f"b{i}" for i in range(1600)]
    )
    one, two = counts_of(to_list_columns(narrow)), counts_of(to_list_columns(wide))
    for parts in ([one, two], [two, one]):
        total = merged(parts)
        kept = total.columns["a"].counts
        assert isinstance(kept, NumberCounts)
        assert len(kept.bins.keys) <= 512
        assert total.profile("all").features["a"].distinct == one.profile("all").features["a"].distinct


def test_whole_numbers_are_floats_where_others_are():
    values = np.arange(2_000) % 700
    one = to_list_columns(pa.RecordBatch.from_arrays([pa.array(values)], ["x"]))
    two = to_list_columns(pa.RecordBatch.from_arrays([floats(values / 4)], ["x"]))
    both = to_list_columns(
        pa.RecordBatch.from_arrays([floats(np.concatenate([values, values / 4]).astype(np.float64))], ["x"])
    )
    for parts in ([one, two], [two, one]):
        total = merged([counts_of(part) for part in parts])
        total.set_types({"x": "FLOAT"})
        assert_same(total.profile("all"), counts_of(both).profile("all"))
    # A split may have none of the floats.
    alone = merged([counts_of(one)])
    alone.set_types({"x": "FLOAT", "y": "INT"})
    assert alone.profile("all").features["x"].type == "FLOAT"
    assert [one.type for one in statistics_of(alone, "", SETTINGS).features] == [1, 0]
    assert content_of(stored(alone)) == content_of(alone)


def test_redacted_columns_leave_neither_values_nor_hashes():
    rows = table(9)
    content = content_of(counts_of(rows), ["categories", "whole numbers"])
    assert b"w1" not in content
    found = read_counts(io.BytesIO(content))
    assert not found.compares_rows
    texts, numbers = found.columns["categories"].counts, found.columns["whole numbers"].counts
    assert isinstance(texts, TextCounts)
    assert isinstance(numbers, NumberCounts)
    assert (len(texts.values), len(numbers.bins.keys)) == (0, 0)
    assert texts.distinct is not None
    assert len(texts.distinct.hashes) == 0
    # Rows are neither compared nor sampled with those of others, either.
    found.merge(stored(counts_of(rows)))
    profile = found.profile("all")
    assert (profile.duplicates, profile.sample, profile.relations) == (None, None, ())
    assert profile.features["flags"].values == 2 * ROWS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PAR1 but nothing else", "not a valid file of sketches"),
        (b"", "not a valid file of sketches"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str):
    with pytest.raises(UsageError, match=message):
        read_counts(io.BytesIO(content))


def test_a_file_of_another_version_is_refused():
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(SCHEMA.with_metadata({"beam_taxi.sketches": "2"}).empty_table(), file)
    with pytest.raises(UsageError, match="sketches of version 2; this release of beam_taxi reads version 1"):
        read_counts(file)


def test_hashes_are_those_of_the_first_release():
    """Files of earlier releases have them."""
    from beam_taxi.statistics.profile.hashes import hash_values, seeded

    assert hash_values(pa.array([0, 1, -7, 2**60])).tolist() == HASHES["int"]
    assert hash_values(pa.array([0.0, 1.0, -7.0, math.nan], pa.float32())).tolist() == HASHES["float"]
    assert hash_values(pa.array([b"", b"taxi", b"\xff"])).tolist() == HASHES["text"]
    assert seeded(hash_values(pa.array([1])), "fare").tolist() == HASHES["seeded"]


HASHES: dict[str, list[int]] = {
    "int": [0, 3035652100526550566, 1149332240423227514, 4445937116841455816],
    "float": [0, 3035652100526550566, 1149332240423227514, 5087927234000983963],
    "text": [1760245841805064774, 967731593570314721, 3207917794791993905],
    "seeded": [9895349333699566607],
}
