"""Evaluate rules on TFDV's statistics of a split or a slice, now and in the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from beam_taxi.validation.expressions import BASELINE, ROWS, Expression, Reference, references_of
from beam_taxi.validation.row_rules import evaluate

Sample: TypeAlias = "statistics_pb2.DatasetFeatureStatistics | str"
"""TFDV's statistics of some rows, or the reason why there are none."""

Statistic = int | float

_NUMERIC = {"mean": "mean", "std": "std_dev", "min": "min", "max": "max", "median": "median"}
"""Fields of NumericStatistics; TFDV writes 0 into all of them if there are no values."""


@dataclass(frozen=True)
class Finding:
    """Whether a rule holds, or None with the `reason`; `evidence` has its statistics, as the rule names them."""

    holds: bool | None
    evidence: Mapping[str, Statistic | None]
    reason: str = ""


def evaluate_statistics(expression: Expression, samples: Mapping[str, Sample]) -> Finding:
    """Return whether a rule on statistics holds.

    Args:
        expression: A rule without faults; see `rule_types`.
        samples: The statistics of `now` and of the `baseline`, or the reason why there are none.
    """
    evidence: dict[str, Statistic | None] = {}
    reasons = []
    for reference in references_of(expression):
        found = statistic(samples[reference.run], reference)
        evidence[str(reference)] = None if isinstance(found, str) else found
        if isinstance(found, str):
            reasons.append(found)
    columns = [pa.array([one], pa.int64() if isinstance(one, int) else pa.float64()) for one in evidence.values()]
    holds = evaluate(expression, pa.RecordBatch.from_arrays(columns, list(evidence)))[0].as_py()
    reason = "; ".join(dict.fromkeys(reasons)) or "the rule divides by zero"
    return Finding(holds, evidence, "" if holds is not None else reason)


def statistic(sample: Sample, reference: Reference) -> Statistic | str:
    """Return a statistic, or the reason why it has no value."""
    if isinstance(sample, str):
        return sample
    rows = int(sample.num_examples)
    if reference.statistic == ROWS:
        return rows
    name = f"{'baseline column' if reference.run == BASELINE else 'column'} {reference.column!r}"
    feature = _feature(sample, reference.column)
    if feature is None:
        return f"{name} has no statistics"
    common = getattr(feature, feature.WhichOneof("stats") or "string_stats").common_stats
    present = int(common.num_non_missing)
    if reference.statistic == "present":
        return present
    if reference.statistic == "missing":
        return (rows - present) / rows if rows else f"{name} has no rows"
    if not present:
        return f"{name} has no values"
    if reference.statistic == "zeros" or reference.statistic in _NUMERIC:
        return _of_numbers(feature, reference.statistic, name)
    return _of_text(feature, reference, name)


def _feature(
    sample: statistics_pb2.DatasetFeatureStatistics, column: str
) -> statistics_pb2.FeatureNameStatistics | None:
    found = (one for one in sample.features if (list(one.path.step) or [one.name]) == [column])
    return next(found, None)


def _of_numbers(feature: statistics_pb2.FeatureNameStatistics, name: str, column: str) -> Statistic | str:
    if not feature.HasField("num_stats"):
        return f"{column} is not numeric"
    numbers = feature.num_stats
    if name == "zeros":
        return float(numbers.num_zeros / numbers.common_stats.tot_num_values)
    return float(getattr(numbers, _NUMERIC[name]))


def _of_text(feature: statistics_pb2.FeatureNameStatistics, reference: Reference, column: str) -> Statistic | str:
    if feature.HasField("bytes_stats") and reference.statistic != "share":
        of_bytes = feature.bytes_stats
        return int(of_bytes.unique) if reference.statistic == "unique" else float(of_bytes.avg_num_bytes)
    if not feature.HasField("string_stats"):
        return f"{column} is not text"
    texts = feature.string_stats
    if reference.statistic == "unique":
        return int(texts.unique)
    if reference.statistic == "avg_length":
        return float(texts.avg_length)
    counts = {bucket.label: bucket.sample_count for bucket in texts.rank_histogram.buckets}
    counts = counts or {top.value: top.frequency for top in texts.top_values}
    if reference.value not in counts and len(counts) < texts.unique:
        return f"{reference.value!r} is not among the {len(counts):,} most frequent values of {column}"
    return float(counts.get(reference.value or "", 0.0) / texts.common_stats.tot_num_values)
