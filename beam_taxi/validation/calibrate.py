"""Thresholds for the comparators of a schema, from how far accepted runs differ by TFDV's measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from beam_taxi.errors import UsageError
from beam_taxi.schemas.text import SchemaText
from beam_taxi.schemas.update import Edit

HEADROOM = 1.5
"""Factor by which a threshold exceeds the largest distance between accepted runs."""

SMALLEST = 0.01
"""The smallest threshold: any difference at all exceeds a threshold of 0."""

MOST_RUNS = 10
"""Maximum number of runs that are compared with each other, the latest ones: the work grows with its square."""

INFINITY_NORM, JENSEN_SHANNON = "infinity_norm", "jensen_shannon_divergence"
"""The norms of a comparator: fields of `FeatureComparator`."""

_NORMS = {"num_stats": JENSEN_SHANNON, "string_stats": INFINITY_NORM}


@dataclass(frozen=True)
class Comparator:
    """A norm and its threshold, for the `drift_comparator` or `skew_comparator` of a feature of the schema.

    `source` is the type of histogram that a Jensen-Shannon divergence is computed from. With TFDV's default, ten
    buckets of equal width, two samples of one skewed distribution are far apart.
    """

    norm: str
    threshold: float
    source: str = ""

    def write(self, comparator: schema_pb2.FeatureComparator) -> None:
        """Set the norm in a comparator of a schema."""
        norm = getattr(comparator, self.norm)
        norm.threshold = self.threshold
        if self.source:
            norm.source.type = schema_pb2.HistogramSelection.Type.Value(self.source)


def calibrate(
    statistics: Sequence[statistics_pb2.DatasetFeatureStatistics], headroom: float = HEADROOM
) -> dict[str, Comparator]:
    """Return a comparator for each feature that has values in at least two of the runs, by name.

    The threshold is the largest distance between any two of the runs, times `headroom`, at most 1. For drift, pass the
    statistics of accepted runs, and for skew, those of the splits to compare. Features within structs are left out.
    Raises UsageError if there are fewer than two.

        for name, comparator in calibrate([yesterday, today]).items():
            comparator.write(features[name].drift_comparator)
    """
    if len(statistics) < 2:
        raise UsageError(f"calibration needs at least two runs, or splits with --skew, not {len(statistics)}")
    runs = statistics[-MOST_RUNS:]
    schema = _asking(runs)
    largest: dict[str, float] = {}
    for one, two in combinations(runs, 2):
        for name, value in _distances(one, two, schema).items():
            largest[name] = max(value, largest.get(name, 0.0))
    norms = {name: comparator.norm for name, comparator in _comparators(runs).items()}
    return {
        name: Comparator(
            norms[name],
            float(f"{min(1.0, max(SMALLEST, value * headroom)):.3g}"),
            "QUANTILES" if norms[name] == JENSEN_SHANNON else "",
        )
        for name, value in sorted(largest.items())
    }


def edits(text: str, field: str, comparators: Mapping[str, Comparator]) -> list[Edit]:
    """Return the edits that set comparators in the text of a schema; other features are skipped.

    `field` is `drift_comparator` or `skew_comparator`.
    """
    found: list[Edit] = []
    for name, comparator in comparators.items():
        schema = SchemaText(text)
        if not schema.has(name):
            continue
        schema = schema.set(name, (field, comparator.norm, "threshold"), f"{comparator.threshold:g}")
        if comparator.source:
            schema = schema.set(name, (field, comparator.norm, "source", "type"), comparator.source)
        if schema.text != text:
            reason = f"{field}: {comparator.norm} up to {comparator.threshold:g}"
            found.append(Edit(name, "", reason, schema.text))
            text = schema.text
    return found


def _comparators(runs: Sequence[statistics_pb2.DatasetFeatureStatistics]) -> Mapping[str, Comparator]:
    """Return comparators with a threshold of 0, with which TFDV measures any distance."""
    found: dict[str, Comparator] = {}
    for run in runs:
        for one in run.features:
            norm = _NORMS.get(one.WhichOneof("stats") or "")
            if norm and len(one.path.step) == 1:
                found[one.path.step[0]] = Comparator(norm, 0.0, "QUANTILES" if norm == JENSEN_SHANNON else "")
    return found


def _asking(runs: Sequence[statistics_pb2.DatasetFeatureStatistics]) -> schema_pb2.Schema:
    """Return a schema that makes TFDV measure the distances."""
    schema = schema_pb2.Schema()
    types = {one.path.step[0]: one for run in runs for one in run.features if len(one.path.step) == 1}
    for name, comparator in sorted(_comparators(runs).items()):
        stats_type = statistics_pb2.FeatureNameStatistics.Type.Name(types[name].type)
        kind = {"STRING": "BYTES"}.get(stats_type, stats_type)
        feature = schema.feature.add(name=name, type=schema_pb2.FeatureType.Value(kind))
        comparator.write(feature.drift_comparator)
    return schema


def _distances(
    one: statistics_pb2.DatasetFeatureStatistics,
    two: statistics_pb2.DatasetFeatureStatistics,
    schema: schema_pb2.Schema,
) -> dict[str, float]:
    """Return TFDV's distance between two runs for each feature."""
    before, now = (statistics_pb2.DatasetFeatureStatisticsList(datasets=[run]) for run in (one, two))
    anomalies = tfdv.validate_statistics(now, schema, previous_statistics=before)
    return {
        info.path.step[0]: float(measurement.value)
        for info in anomalies.drift_skew_info
        for measurement in info.drift_measurements
    }
