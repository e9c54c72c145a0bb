"""Profiles, statistics, schemas and manifests for the tests, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.report.results import Results
from beam_taxi.run.manifest import Artifact, ArtifactFile, InputEntry, RunManifest, SplitEntry
from beam_taxi.run.profile import DatasetProfile, FeatureProfile, Profile
from beam_taxi.run.validation import ANOMALIES, FAILED, Result, Validation, judge
from beam_taxi.settings import Settings
from beam_taxi.statistics.estimate import estimated_profile
from beam_taxi.statistics.profile.dataset import DatasetCounts

Columns = Mapping[str, Sequence[Any]]
"""Cells by column; None is a missing one."""

Feature = statistics_pb2.FeatureNameStatistics
Dataset = statistics_pb2.DatasetFeatureStatistics


def numeric(
    name: str,
    buckets: Sequence[tuple[float, float, float]],
    missing: int = 0,
    kind: int = Feature.FLOAT,
    **figures: Any,
) -> Feature:
    """Return a numeric feature by its quantile buckets (low, high, count)."""
    feature = Feature(type=kind)
    feature.path.step.append(name)
    count = int(sum(bucket[2] for bucket in buckets))
    stats = feature.num_stats
    stats.common_stats.num_non_missing = stats.common_stats.tot_num_values = count
    stats.common_stats.num_missing = missing
    stats.min, stats.max = (buckets[0][0], buckets[-1][1]) if buckets else (0, 0)
    for figure, value in figures.items():
        setattr(stats, figure, value)
    histogram = stats.histograms.add(type=statistics_pb2.Histogram.QUANTILES)
    for low, high, n in buckets:
        histogram.buckets.add(low_value=low, high_value=high, sample_count=n)
    return feature


def strings(name: str, values: Mapping[str, int], missing: int = 0) -> Feature:
    """Return a string feature by its counts."""
    feature = Feature(type=Feature.STRING)
    feature.path.step.append(name)
    stats = feature.string_stats
    stats.unique = len(values)
    stats.common_stats.num_non_missing = stats.common_stats.tot_num_values = sum(values.values())
    stats.common_stats.num_missing = missing
    for rank, (value, count) in enumerate(values.items()):
        stats.rank_histogram.buckets.add(low_rank=rank, high_rank=rank, label=value, sample_count=count)
        stats.top_values.add(value=value, frequency=count)
    return feature


def dataset(rows: int, *features: Feature) -> Dataset:
    """Return the statistics of so many rows."""
    return Dataset(num_examples=rows, features=features)


def manifest(columns: Sequence[str], rows: Mapping[str, int], **changes: Any) -> RunManifest:
    """Return a manifest with one input file."""
    settings = Settings(("/data/trips.csv",), "/out/run-1", "run-1")
    entry = InputEntry("/data/trips.csv", "csv", 123456, "sha256:00", sum(rows.values()), split_rows=dict(rows))
    made = RunManifest(
        run_id="run-1",
        pipeline_name="beam_taxi",
        started="2026-01-02T03:04:05+00:00",
        run_uri="/out/run-1",
        settings=settings,
        settings_sha256="ab" * 32,
        versions={"beam_taxi": "0.1.0"},
        inputs=(entry,),
        columns=tuple(columns),
        splits=tuple(SplitEntry(name, 1, count) for name, count in rows.items()),
        artifacts={"examples": Artifact("examples", "Examples", (ArtifactFile("x", 10, "00"),))},
    )
    return replace(made, **changes)


def dataset_profile(split: str, columns: Columns, slice_key: str = "") -> DatasetProfile:
    """Return the exact profile of rows."""
    counts = DatasetCounts()
    lists = {name: [None if cell is None else [cell] for cell in cells] for name, cells in columns.items()}
    batch = pa.RecordBatch.from_arrays([pa.array(cells) for cells in lists.values()], list(lists))
    counts.add(batch, is_slice=bool(slice_key))
    return counts.profile(split, slice_key)


def feature_profile(cells: Sequence[Any]) -> FeatureProfile:
    """Return the exact profile of a column."""
    return dataset_profile("train", {"x": cells}).features["x"]


def run(train: Columns, evaluation: Columns | None = None, *slices: DatasetProfile, **changes: Any) -> Results:
    """Return a run with the exact profile of its rows, of which some may be slices."""
    splits = {"train": train} if evaluation is None else {"train": train, "eval": evaluation}
    datasets = tuple(dataset_profile(split, columns) for split, columns in splits.items())
    made = manifest(list(train), {one.split: one.rows for one in datasets}, **changes)
    return Results(Profile((*datasets, *slices)), {}, made, schema_pb2.Schema(), name="run-1")


def source(train: Sequence[Feature], evaluation: Sequence[Feature], **changes: Any) -> Results:
    """Return a run of an earlier release, with statistics alone: 1,000 rows for training and 500 for evaluation."""
    columns = list(dict.fromkeys(one.path.step[0] for one in (*train, *evaluation)))
    made = manifest(columns, {"train": 1000, "eval": 500}, **changes)
    splits = {"train": dataset(1000, *train), "eval": dataset(500, *evaluation)}
    lists = {split: statistics_pb2.DatasetFeatureStatisticsList(datasets=[one]) for split, one in splits.items()}
    return Results(estimated_profile(lists), splits, made, schema_pb2.Schema(), name="run-1")


def validation(*results: Result) -> Validation:
    """Return the judgement that these results are."""
    return Validation(judge(results, ["anomalies"]), results)


def anomaly(feature: str, outcome: str = FAILED, split: str = "eval") -> Result:
    """Return the result of a feature of which a value is out of range."""
    text, title = f"{feature}: Unexpectedly high value: <9>", "Out-of-range values"
    return Result(ANOMALIES, "INT_TYPE_BIG_INT", outcome, text, (feature,), split, title=title)


def wide(count: int) -> Results:
    """Return a run of so many features: two thirds numeric, a third strings; every hundredth has no values."""
    splits: dict[str, list[Feature]] = {"train": [], "eval": []}
    for split, features in splits.items():
        rows = 1000 if split == "train" else 500
        for i in range(count):
            name = f"feature_{i:04d}"
            if i % 100 == 99:
                features.append(strings(name, {}, missing=rows))
            elif i % 3 == 2:
                features.append(strings(name, {f"value {k}": rows // 20 for k in range(20)}))
            else:
                low = float(i % 7)
                buckets = [(low + k * k / 9, low + (k + 1) ** 2 / 9, rows / 50) for k in range(50)]
                features.append(numeric(name, buckets, kind=i % 3, mean=low + 90.0, median=low + 70.0, std_dev=12.5))
    return source(splits["train"], splits["eval"])


def table(count: int, rows: Mapping[str, int] | None = None, seed: int = 1) -> Results:
    """Return a run of so many columns of five kinds: numbers, categories and text; every hundredth has no values."""
    random = np.random.default_rng(seed)
    return run(*(_table(count, n, random) for n in (rows or {"train": 1000, "eval": 500}).values()))


def _table(count: int, rows: int, random: np.random.Generator) -> Columns:
    kinds = (
        lambda: random.lognormal(2, 1, rows).round(3).tolist(),
        lambda: random.integers(0, 100_000, rows).tolist(),
        lambda: random.choice([f"value {k}" for k in range(20)], rows).tolist(),
        lambda: random.integers(0, 8, rows).tolist(),
        lambda: [None if random.random() < 0.2 else f"text {k}" for k in random.integers(0, 10_000, rows)],
    )
    return {f"feature_{i:04d}": [None] * rows if i % 100 == 99 else kinds[i % 5]() for i in range(count)}
