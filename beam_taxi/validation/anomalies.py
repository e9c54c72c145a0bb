"""Validate the statistics of each split and slice against a schema, by TFDV."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tensorflow_data_validation.api.validation_api import validate_statistics_internal
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from beam_taxi.run.validation import ANOMALIES, FAILED, NOT_EVALUATED, PASSED, WARNED, Result
from beam_taxi.settings import SCHEMA_FILE
from beam_taxi.statistics.merge import count_nans
from beam_taxi.statistics.read import AnyStatistics
from beam_taxi.statistics.splits import overall
from beam_taxi.validation.schema_rules import is_in_force

_OUTCOMES = {anomalies_pb2.AnomalyInfo.ERROR: FAILED, anomalies_pb2.AnomalyInfo.WARNING: WARNED}
_PRESENCE = ("presence",)
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "ENUM_TYPE": ("domain", "string_domain"),
    "BOOL_TYPE": ("bool_domain",),
    "INT_TYPE": ("int_domain", "type"),
    "FLOAT_TYPE": ("float_domain", "type"),
    "STRING_TYPE": ("type",),
    "UNEXPECTED_DATA_TYPE": ("type",),
    "FEATURE_TYPE_LOW_FRACTION_PRESENT": _PRESENCE,
    "FEATURE_TYPE_LOW_NUMBER_PRESENT": _PRESENCE,
    "FEATURE_TYPE_NOT_PRESENT": _PRESENCE,
    "SCHEMA_MISSING_COLUMN": _PRESENCE,
    "FEATURE_TYPE_HIGH_UNIQUE": ("unique_constraints",),
    "FEATURE_TYPE_LOW_UNIQUE": ("unique_constraints",),
    "FEATURE_TYPE_NO_UNIQUE": ("unique_constraints",),
    "FEATURE_TYPE": ("value_count", "value_counts", "shape"),
    "VALUE_NESTEDNESS": ("value_count", "value_counts", "shape"),
    "INVALID_FEATURE_SHAPE": ("shape",),
    "COMPARATOR": ("drift_comparator", "skew_comparator"),
    "SCHEMA_TRAINING_SERVING_SKEW": ("skew_comparator",),
}
"""The fields of a feature that an anomaly can violate, by the start of its type; the longest one counts."""

LineOf = Callable[[str, Sequence[str]], int | None]
"""Returns the line in the text of the schema of the first of some fields that a feature has, or of the feature."""


@dataclass(frozen=True)
class Rules:
    """What statistics are validated against: `schema` in an `environment`, if any.

    `severity_of` returns `error`, `warning` or `none` for a feature and a type of anomaly, or None for TFDV's severity.
    `described` are the columns that have statistics; empty if all of them do.
    """

    schema: schema_pb2.Schema
    line_of: LineOf
    severity_of: Callable[[str, str], str | None]
    environment: str | None = None
    described: tuple[str, ...] = ()


def validate(
    statistics: Mapping[str, AnyStatistics], rules: Rules, baseline: Mapping[str, AnyStatistics] | None = None
) -> tuple[dict[str, anomalies_pb2.Anomalies], list[Result]]:
    """Return TFDV's anomalies by split, and a result for each feature of each split, and for each anomaly of a slice.

    The schema's drift comparators compare a split with its namesake in the baseline, and skew comparators compare it
    with the first split.
    """
    found: dict[str, anomalies_pb2.Anomalies] = {}
    results: list[Result] = []
    first = next(iter(statistics), "")
    for split, all_slices in statistics.items():
        others = _Others(
            _with_rows((baseline or {}).get(split)),
            None if split == first else _with_rows(statistics[first]),
        )
        found[split] = _anomalies(overall(all_slices), rules.schema, rules, others)
        has_other = split == first and len(statistics) > 1
        results += [replace(one, split=split) for one in _results(found[split], rules, others, has_other)]
        whole = overall(all_slices)
        for part in all_slices.datasets:
            if part.name != whole.name:
                of_slice = _anomalies(part, _for_slices(rules.schema), rules, others.of_slice(part.name))
                results += [replace(one, split=split, slice=part.name) for one in _found(of_slice, rules)]
    return found, results


@dataclass(frozen=True)
class _Others:
    """The statistics that the schema's comparators compare with, if there are any."""

    baseline: AnyStatistics | None
    first_split: AnyStatistics | None

    def of_slice(self, name: str) -> _Others:
        return _Others(_slice(self.baseline, name), _slice(self.first_split, name))


def _slice(statistics: AnyStatistics | None, name: str) -> AnyStatistics | None:
    found = [one for one in statistics.datasets if one.name == name] if statistics is not None else []
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=found) if found else None


def _with_rows(statistics: AnyStatistics | None) -> AnyStatistics | None:
    """Return statistics, or None if they have no rows: in TFDV, an empty data set passes every comparator."""
    return statistics if statistics is not None and overall(statistics).num_examples else None


def _anomalies(
    dataset: statistics_pb2.DatasetFeatureStatistics, schema: schema_pb2.Schema, rules: Rules, others: _Others
) -> anomalies_pb2.Anomalies:
    def alone(one: statistics_pb2.DatasetFeatureStatistics | None) -> AnyStatistics | None:
        if one is None:
            return None
        found = statistics_pb2.DatasetFeatureStatisticsList(datasets=[one])
        found.datasets[0].name = ""
        return found

    baseline = None if others.baseline is None else alone(overall(others.baseline))
    # The public function does not take statistics for the comparators of versions.
    found: anomalies_pb2.Anomalies = validate_statistics_internal(
        alone(dataset),
        _in_force(schema, rules.described, dataset),
        rules.environment,
        previous_span_statistics=baseline,
        serving_statistics=None if others.first_split is None else alone(overall(others.first_split)),
        previous_version_statistics=baseline,
    )
    return found


def _in_force(
    schema: schema_pb2.Schema, described: Sequence[str], dataset: statistics_pb2.DatasetFeatureStatistics
) -> schema_pb2.Schema:
    """Return the schema of the features that the statistics describe, with all of its constraints in force."""
    found = schema_pb2.Schema()
    found.CopyFrom(schema)
    without_range = {tuple(one.path.step) for one in dataset.features if _is_all_nan(one)}
    for feature in found.feature:
        if (feature.name,) in without_range and feature.HasField("float_domain"):
            # TFDV takes 0 as the smallest and the largest value.
            feature.float_domain.ClearField("min")
            feature.float_domain.ClearField("max")
    if described:
        names = set(described)
        del found.feature[:]
        found.feature.extend(one for one in schema.feature if one.name in names)
    if found.dataset_constraints.HasField("max_examples_count"):
        # TFDV looks at the maximum only if there is a minimum (Schema::UpdateDatasetConstraints in schema.cc).
        found.dataset_constraints.min_examples_count = schema.dataset_constraints.min_examples_count
    return found


def _is_all_nan(feature: statistics_pb2.FeatureNameStatistics) -> bool:
    """Return whether a feature has values, and all of them are NaN."""
    numbers = feature.num_stats
    return 0 < int(numbers.common_stats.tot_num_values) == count_nans(numbers)


def _for_slices(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """Return the schema without its constraints on the number of rows, which need not hold for a slice."""
    found = schema_pb2.Schema()
    found.CopyFrom(schema)
    found.ClearField("dataset_constraints")
    for feature in found.feature:
        feature.presence.ClearField("min_count")
        feature.ClearField("unique_constraints")
    return found


def _results(found: anomalies_pb2.Anomalies, rules: Rules, others: _Others, has_other: bool) -> Iterator[Result]:
    """Yield a result for each anomaly of a split, and for each other feature of the schema.

    `has_other` means that other splits are compared with this one.
    """
    if found.data_missing:
        yield Result(ANOMALIES, "NO_DATA_IN_SPAN", NOT_EVALUATED, "the split has no rows")
        return
    anomalous, ignored = set[str](), _types(found)
    for one in _found(found, rules):
        anomalous.update(one.features)
        yield one
    described = set(rules.described)
    for feature in rules.schema.feature:
        name = feature.name
        if described and name not in described:
            yield Result(ANOMALIES, "SCHEMA", NOT_EVALUATED, f"{name}: not in --stats_features", (name,))
        elif name not in anomalous and is_in_force(feature, rules.schema, rules.environment):
            text = (
                f"{name}: ignored: {', '.join(ignored[name])}" if name in ignored else f"{name} agrees with the schema"
            )
            yield Result(ANOMALIES, "SCHEMA", PASSED, text, (name,))
        if is_in_force(feature, rules.schema, rules.environment):
            yield from _not_compared(feature, rules, others, has_other)
    constraints = rules.schema.dataset_constraints
    for field in ("num_examples_drift_comparator", "num_examples_version_comparator"):
        if constraints.HasField(field) and others.baseline is None:
            yield Result(ANOMALIES, "COMPARATOR", NOT_EVALUATED, f"{field}: there is no baseline", source=SCHEMA_FILE)


def _types(found: anomalies_pb2.Anomalies) -> dict[str, list[str]]:
    """Return the types of the anomalies of each feature."""
    return {
        ".".join(info.path.step): [anomalies_pb2.AnomalyInfo.Type.Name(reason.type) for reason in info.reason]
        for info in found.anomaly_info.values()
    }


def _not_compared(feature: schema_pb2.Feature, rules: Rules, others: _Others, has_other: bool) -> Iterator[Result]:
    """Yield the comparators of a feature that had nothing to compare with."""
    name = feature.name
    if feature.HasField("drift_comparator") and others.baseline is None:
        line = rules.line_of(name, ("drift_comparator",))
        text = f"{name}: drift_comparator: there is no baseline"
        yield Result(ANOMALIES, "COMPARATOR", NOT_EVALUATED, text, (name,), source=SCHEMA_FILE, line=line)
    if feature.HasField("skew_comparator") and others.first_split is None and not has_other:
        line = rules.line_of(name, ("skew_comparator",))
        text = f"{name}: skew_comparator: there is no other split with rows"
        yield Result(ANOMALIES, "COMPARATOR", NOT_EVALUATED, text, (name,), source=SCHEMA_FILE, line=line)


def _found(found: anomalies_pb2.Anomalies, rules: Rules) -> Iterator[Result]:
    """Yield a result for each reason of each anomaly."""
    measured = {tuple(one.path.step): one for one in found.drift_skew_info}
    for key, info in sorted(found.anomaly_info.items()):
        feature = ".".join(info.path.step) or key
        for reason in info.reason:
            evidence = _measurements(measured.get(tuple(info.path.step)), reason)
            yield from _result(reason, info.severity, feature, rules, evidence)
    if found.HasField("dataset_anomaly_info"):
        for reason in found.dataset_anomaly_info.reason:
            yield from _result(reason, found.dataset_anomaly_info.severity, "", rules, {})


def _result(
    reason: anomalies_pb2.AnomalyInfo.Reason,
    severity: int,
    feature: str,
    rules: Rules,
    evidence: Mapping[str, float],
) -> Iterator[Result]:
    type_ = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
    wanted = rules.severity_of(feature, type_)
    if wanted == "none":
        return
    outcome = {"error": FAILED, "warning": WARNED, None: _OUTCOMES.get(severity, FAILED)}[wanted]
    text = f"{feature}: " * bool(feature) + (reason.description or reason.short_description).strip().rstrip(".")
    fields = _FIELDS.get(next((one for one in sorted(_FIELDS, reverse=True) if type_.startswith(one)), ""), ())
    line = rules.line_of(feature, fields) if feature else None
    yield Result(
        ANOMALIES,
        type_,
        outcome,
        text,
        (feature,) if feature else (),
        source=SCHEMA_FILE,
        line=line,
        evidence=evidence,
        title=reason.short_description.rstrip("."),
    )


def _measurements(
    info: anomalies_pb2.DriftSkewInfo | None, reason: anomalies_pb2.AnomalyInfo.Reason
) -> dict[str, float]:
    """Return the measurement that exceeds the threshold of a comparator, and the threshold, by name."""
    found: dict[str, float] = {}
    if info is None:
        return found
    # Only the text distinguishes drift, "between current and previous", from skew, "between training and serving".
    is_drift = reason.short_description.rstrip(".").endswith((" current", " previous"))
    for one in info.drift_measurements if is_drift else info.skew_measurements:
        name = anomalies_pb2.DriftSkewInfo.Measurement.Type.Name(one.type)
        if anomalies_pb2.AnomalyInfo.Type.Name(reason.type) == f"COMPARATOR_{name}_HIGH":
            found |= {name.lower(): one.value, f"{name.lower()}_limit": one.threshold}
    return found


def is_blessed(found: anomalies_pb2.Anomalies) -> bool:
    """Return whether TFX would bless a split: it has rows and no anomalies."""
    return not (found.anomaly_info or found.data_missing or found.HasField("dataset_anomaly_info"))
