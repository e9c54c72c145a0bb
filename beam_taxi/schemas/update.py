"""Update a schema so that it accepts new data, with one edit of its text for each anomaly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies, AnomalyInfo
from tensorflow_metadata.proto.v0.schema_pb2 import Feature, FloatDomain, IntDomain, Schema
from tensorflow_metadata.proto.v0.statistics_pb2 import (
    DatasetFeatureStatistics,
    DatasetFeatureStatisticsList,
    FeatureNameStatistics,
)

from beam_taxi.errors import UsageError, one_line
from beam_taxi.schemas.infer import infer_schema
from beam_taxi.schemas.text import SchemaText
from beam_taxi.statistics.merge import common_stats_of, path_of

_ROUNDS = 5
"""Maximum number of rounds: an edit may uncover another anomaly, such as a domain that does not suit a new type."""

_FRACTION_STEPS = 10_000
"""Fractions are rounded down to multiples of the inverse."""


@dataclass(frozen=True)
class Edit:
    """An edit for an anomaly: feature (empty for the whole data set), type of anomaly, reason, and the new text."""

    feature: str
    anomaly: str
    reason: str
    text: str


@dataclass(frozen=True)
class _Anomaly:
    """What an edit depends on: the feature in the schema, in the statistics, and as inferred from these."""

    name: str
    text: SchemaText
    rows: DatasetFeatureStatistics
    feature: Feature
    statistics: FeatureNameStatistics
    inferred: Schema

    def inferred_feature(self) -> Feature:
        return next((one for one in self.inferred.feature if one.name == self.name), Feature())


def update(text: str, rows: DatasetFeatureStatistics) -> list[Edit]:
    """Return the edits after which the schema has no anomalies in these rows, in order; the last has the final text.

    `rows` are the statistics of all splits, merged. Nothing is made stricter, and a feature that is missing becomes
    optional: no feature is removed or deprecated. Raises UsageError if an anomaly has to be resolved by hand.

        edits = update(text, merge(statistics))
        updated = edits[-1].text if edits else text
    """
    edits: list[Edit] = []
    for _ in range(_ROUNDS):
        schema = text_format.Parse(text, Schema())
        anomalies = tfdv.validate_statistics(DatasetFeatureStatisticsList(datasets=[rows]), schema)
        found = _edits(text, rows, schema, anomalies)
        if not found:
            return edits
        text = found[-1].text
        edits += found
    raise _by_hand(edits[-1].feature, edits[-1].reason)


def _by_hand(feature: str, reason: str) -> UsageError:
    what = f"feature {feature!r}" if feature else "data set"
    return UsageError(f"{what}: {reason.rstrip('.')}; correct the schema by hand")


def _edits(text: str, rows: DatasetFeatureStatistics, schema: Schema, anomalies: Anomalies) -> list[Edit]:
    edits: list[Edit] = []
    features = {one.name: one for one in schema.feature}
    statistics = {path_of(one): one for one in rows.features}
    inferred = infer_schema([DatasetFeatureStatisticsList(datasets=[rows])]) if anomalies.anomaly_info else Schema()
    infos = sorted((tuple(info.path.step), info) for info in anomalies.anomaly_info.values())
    if anomalies.HasField("dataset_anomaly_info"):
        infos.append(((), anomalies.dataset_anomaly_info))
    for path, info in infos:
        name = ".".join(path)
        for reason in info.reason:
            kind = AnomalyInfo.Type.Name(reason.type)
            told = one_line(reason.description or reason.short_description)
            fix = _FIXES.get(kind)
            if fix is None or len(path) > 1:
                raise _by_hand(name, told)
            of_schema, of_rows = features.get(name, Feature()), statistics.get(path, FeatureNameStatistics())
            fixed = fix(_Anomaly(name, SchemaText(text), rows, of_schema, of_rows, inferred)).text
            if fixed != text:
                text = fixed
                edits.append(Edit(name, kind, told, text))
    return edits


def _add_feature(anomaly: _Anomaly) -> SchemaText:
    text = anomaly.text.add_message("feature", anomaly.inferred_feature())
    schema = text_format.Parse(text.text, Schema())
    if any(one.name == anomaly.inferred_feature().domain for one in schema.string_domain):
        return text
    for domain in anomaly.inferred.string_domain:
        if domain.name == anomaly.inferred_feature().domain:
            text = text.add_message("string_domain", domain)
    return text


def _make_optional(anomaly: _Anomaly) -> SchemaText:
    text = anomaly.text
    for field in ("min_fraction", "min_count"):
        if text.has(anomaly.name, "presence", field):
            text = text.set(anomaly.name, ("presence", field), "0")
    return text


def _lower_fraction(anomaly: _Anomaly) -> SchemaText:
    present, examples = _presence(anomaly)
    return anomaly.text.set(anomaly.name, ("presence", "min_fraction"), repr(round_down(present / examples)))


def _lower_count(anomaly: _Anomaly) -> SchemaText:
    return anomaly.text.set(anomaly.name, ("presence", "min_count"), str(int(_presence(anomaly)[0])))


def round_down(fraction: float) -> float:
    """Return the largest fraction of four digits that, as the float32 of `min_fraction`, is at most `fraction`."""
    steps = math.floor(fraction * _FRACTION_STEPS)
    while steps > 0 and float(np.float32(steps / _FRACTION_STEPS)) > fraction:
        steps -= 1
    return max(0, steps) / _FRACTION_STEPS


def _presence(anomaly: _Anomaly) -> tuple[float, float]:
    """Return how many examples have the feature, and how many there are: by weight if TFDV validates by weight."""
    common, rows = common_stats_of(anomaly.statistics), anomaly.rows
    if rows.weighted_num_examples and all(common_stats_of(f).HasField("weighted_common_stats") for f in rows.features):
        return common.weighted_common_stats.num_non_missing, rows.weighted_num_examples
    return common.num_non_missing, rows.num_examples


def _lower_number(anomaly: _Anomaly) -> SchemaText:
    return _set_value_count(anomaly, "min", common_stats_of(anomaly.statistics).min_num_values)


def _raise_number(anomaly: _Anomaly) -> SchemaText:
    return _set_value_count(anomaly, "max", common_stats_of(anomaly.statistics).max_num_values)


def _set_value_count(anomaly: _Anomaly, field: str, value: int) -> SchemaText:
    if not anomaly.feature.HasField("value_count"):
        return _replace_shape(anomaly)
    return anomaly.text.set(anomaly.name, ("value_count", field), str(value))


def _replace_shape(anomaly: _Anomaly) -> SchemaText:
    """Replace the shape or the number of values with that of the rows."""
    name, old = anomaly.name, anomaly.feature.WhichOneof("shape_type")
    inferred = anomaly.inferred_feature()
    new = inferred.WhichOneof("shape_type")
    if old is None or new is None:
        return anomaly.text.remove(name, old) if old else anomaly.text
    return anomaly.text.replace(name, old, new, getattr(inferred, new))


def _set_type(anomaly: _Anomaly) -> SchemaText:
    return anomaly.text.set(anomaly.name, ("type",), _type_name(anomaly.inferred_feature()))


def _type_name(feature: Feature) -> str:
    field = Feature.DESCRIPTOR.fields_by_name["type"]
    return str(field.enum_type.values_by_number[feature.type].name)


def _remove_domain(anomaly: _Anomaly) -> SchemaText:
    domain = anomaly.feature.WhichOneof("domain_info")
    if domain is None or not anomaly.text.has(anomaly.name, domain):
        return anomaly.text
    return anomaly.text.remove(anomaly.name, domain)


def _add_values(anomaly: _Anomaly) -> SchemaText:
    """Add the values that are not in the domain; remove the domain if there are too many for all to be known."""
    strings = anomaly.statistics.string_stats
    known = {bucket.label for bucket in strings.rank_histogram.buckets}
    if strings.unique > len(known):
        return _remove_domain(anomaly)
    text = anomaly.text
    for value in sorted(known - _domain_values(anomaly)):
        text = text.add_value(anomaly.name, value)
    return text


def _domain_values(anomaly: _Anomaly) -> set[str]:
    schema = text_format.Parse(anomaly.text.text, Schema())
    feature = next(one for one in schema.feature if one.name == anomaly.name)
    if feature.HasField("string_domain"):
        return set(feature.string_domain.value)
    return {value for one in schema.string_domain if one.name == feature.domain for value in one.value}


def _widen(field: str, limit: str) -> Callable[[_Anomaly], SchemaText]:
    def fix(anomaly: _Anomaly) -> SchemaText:
        value = getattr(_range(anomaly), limit)
        # The limits of a FloatDomain are float32, which as float64 have more digits.
        literal = str(np.float32(value)) if field == "float_domain" else str(value)
        return anomaly.text.set(anomaly.name, (field, limit), literal)

    return fix


def _range(anomaly: _Anomaly) -> IntDomain | FloatDomain:
    """Return the smallest and the largest value; strings are numbers as text here."""
    numbers: list[float]
    if anomaly.statistics.HasField("num_stats"):
        numbers = [anomaly.statistics.num_stats.min, anomaly.statistics.num_stats.max]
    else:
        number_of = int if anomaly.feature.HasField("int_domain") else float
        numbers = [number_of(bucket.label) for bucket in anomaly.statistics.string_stats.rank_histogram.buckets]
    if anomaly.feature.HasField("float_domain") or anomaly.statistics.type == FeatureNameStatistics.FLOAT:
        return FloatDomain(min=min(numbers), max=max(numbers))
    return IntDomain(min=int(min(numbers)), max=int(max(numbers)))


def _replace_bool(anomaly: _Anomaly) -> SchemaText:
    """Replace a domain of two values with the range of the numbers, as TFDV proposes."""
    is_float = anomaly.statistics.type == FeatureNameStatistics.FLOAT
    field = "float_domain" if is_float else "int_domain"
    return anomaly.text.replace(anomaly.name, "bool_domain", field, _range(anomaly))


def _allow(field: str) -> Callable[[_Anomaly], SchemaText]:
    return lambda anomaly: anomaly.text.set(anomaly.name, ("float_domain", field), "false")


def _unique(limit: str) -> Callable[[_Anomaly], SchemaText]:
    def fix(anomaly: _Anomaly) -> SchemaText:
        unique = str(anomaly.statistics.string_stats.unique)
        return anomaly.text.set(anomaly.name, ("unique_constraints", limit), unique)

    return fix


def _examples(limit: str) -> Callable[[_Anomaly], SchemaText]:
    def fix(anomaly: _Anomaly) -> SchemaText:
        weighted = anomaly.rows.weighted_num_examples
        count = str(math.floor(weighted) if weighted and limit.startswith("min") else math.ceil(weighted or 0))
        count = count if weighted else str(anomaly.rows.num_examples)
        return anomaly.text.set_of_schema(("dataset_constraints", limit), count)

    return fix


_FIXES: Mapping[str, Callable[[_Anomaly], SchemaText]] = {
    "SCHEMA_NEW_COLUMN": _add_feature,
    "SCHEMA_MISSING_COLUMN": _make_optional,
    "FEATURE_TYPE_NOT_PRESENT": _make_optional,
    "FEATURE_TYPE_LOW_FRACTION_PRESENT": _lower_fraction,
    "FEATURE_TYPE_LOW_NUMBER_PRESENT": _lower_count,
    "FEATURE_TYPE_LOW_NUMBER_VALUES": _lower_number,
    "FEATURE_TYPE_HIGH_NUMBER_VALUES": _raise_number,
    "VALUE_NESTEDNESS_MISMATCH": _replace_shape,
    "INVALID_FEATURE_SHAPE": _replace_shape,
    "UNEXPECTED_DATA_TYPE": _set_type,
    "DOMAIN_INVALID_FOR_TYPE": _remove_domain,
    "ENUM_TYPE_INVALID_UTF8": _remove_domain,
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES": _add_values,
    "BOOL_TYPE_BIG_INT": _replace_bool,
    "BOOL_TYPE_SMALL_INT": _replace_bool,
    "BOOL_TYPE_UNEXPECTED_FLOAT": _replace_bool,
    "BOOL_TYPE_UNEXPECTED_STRING": _remove_domain,
    "INT_TYPE_SMALL_INT": _widen("int_domain", "min"),
    "INT_TYPE_BIG_INT": _widen("int_domain", "max"),
    "INT_TYPE_NOT_INT_STRING": _remove_domain,
    "FLOAT_TYPE_SMALL_FLOAT": _widen("float_domain", "min"),
    "FLOAT_TYPE_BIG_FLOAT": _widen("float_domain", "max"),
    "FLOAT_TYPE_STRING_NOT_FLOAT": _remove_domain,
    "FLOAT_TYPE_HAS_NAN": _allow("disallow_nan"),
    "FLOAT_TYPE_HAS_INF": _allow("disallow_inf"),
    "FEATURE_TYPE_LOW_UNIQUE": _unique("min"),
    "FEATURE_TYPE_HIGH_UNIQUE": _unique("max"),
    "FEATURE_TYPE_NO_UNIQUE": lambda anomaly: anomaly.text.remove(anomaly.name, "unique_constraints"),
    "DATASET_LOW_NUM_EXAMPLES": _examples("min_examples_count"),
    "DATASET_HIGH_NUM_EXAMPLES": _examples("max_examples_count"),
}
"""The edit for each type of anomaly that the statistics of a single data set can have."""
