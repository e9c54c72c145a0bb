"""The rules of a schema that a single row can violate: its values are present, in their domains and ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.run.validation import ANOMALIES
from beam_taxi.sources.kinds import Kind

_STAGES_IN_FORCE = (schema_pb2.UNKNOWN_STAGE, schema_pb2.ALPHA, schema_pb2.BETA, schema_pb2.PRODUCTION)

Mask = npt.NDArray[np.bool_]
"""Which rows of a batch violate a rule."""


class RowRule(Protocol):
    """A rule; `name` and `features` are those of the result that its violations belong to."""

    @property
    def name(self) -> str:
        """The type of the anomaly, or the name of the check."""

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that the rule reads."""

    @property
    def kind(self) -> str:
        """The kind of the result: ANOMALIES or CHECKS."""

    @property
    def is_strict(self) -> bool:
        """Whether `--quarantine` sets aside every row that violates the rule."""

    def violations(self, batch: pa.RecordBatch) -> Mask | None:
        """Return which rows violate the rule, or None if none does."""


@dataclass(frozen=True)
class _OfFeature:
    feature: str
    name: str
    is_strict: bool = field(default=True, kw_only=True)

    @property
    def kind(self) -> str:
        """ANOMALIES."""
        return ANOMALIES

    @property
    def features(self) -> tuple[str, ...]:
        """The column of the feature."""
        return (self.feature,)

    def _column(self, batch: pa.RecordBatch) -> pa.Array:
        return batch.column(batch.schema.get_field_index(self.feature))


@dataclass(frozen=True)
class Present(_OfFeature):
    """The value, or list of values, is not missing."""

    def violations(self, batch: pa.RecordBatch) -> Mask | None:
        """Return the rows without a value; an empty list is none of them."""
        column = self._column(batch)
        return _mask(column.is_null()) if column.null_count else None


class _OfValues(_OfFeature):
    """A rule for single values, which a list violates if any of its values does."""

    def violations(self, batch: pa.RecordBatch) -> Mask | None:
        """Return the rows with a value that violates the rule."""
        column = self._column(batch)
        if not pa.types.is_list(column.type):
            return self._violations(column)
        found = self._violations(column.flatten())
        if found is None:
            return None
        rows = np.zeros(len(column), np.bool_)
        lengths = column.value_lengths().fill_null(0).to_numpy()
        rows[np.repeat(np.arange(len(column)), lengths)[found]] = True
        return rows

    def _violations(self, column: pa.Array) -> Mask | None:
        raise NotImplementedError


@dataclass(frozen=True)
class InDomain(_OfValues):
    """The value, of a string, is one of `values`."""

    values: tuple[str, ...]

    def _violations(self, column: pa.Array) -> Mask | None:
        known = pc.is_in(column, value_set=pa.array(self.values, column.type), skip_nulls=True)
        others = pc.and_(pc.invert(known), column.is_valid())
        return _mask(others) if pc.any(others).as_py() else None


@dataclass(frozen=True)
class InRange(_OfValues):
    """The value, of a number, is at least `low` and at most `high`, either of which may be None.

    TFDV compares floats as float64.
    """

    low: float | None
    high: float | None

    def _violations(self, column: pa.Array) -> Mask | None:
        limits = pc.min_max(column)
        least, most = limits["min"].as_py(), limits["max"].as_py()
        if least is None or (self._is_above_low(least) and self._is_below_high(most)):
            return None
        values = column.cast(pa.float64(), safe=False) if pa.types.is_floating(column.type) else column
        outside = np.zeros(len(column), np.bool_)
        if self.low is not None:
            outside |= _mask(pc.less(values, pa.scalar(self.low, values.type)))
        if self.high is not None:
            outside |= _mask(pc.greater(values, pa.scalar(self.high, values.type)))
        return outside if outside.any() else None

    def _is_above_low(self, value: float) -> bool:
        return self.low is None or value >= self.low

    def _is_below_high(self, value: float) -> bool:
        return self.high is None or value <= self.high


@dataclass(frozen=True)
class IsNumber(_OfValues):
    """The value, of a float, is not NaN, or not infinite."""

    nan: bool

    def _violations(self, column: pa.Array) -> Mask | None:
        wrong = pc.is_nan(column) if self.nan else pc.is_inf(column)
        return _mask(wrong) if pc.any(wrong).as_py() else None


def _mask(values: pa.Array) -> Mask:
    found: Mask = values.fill_null(False).to_numpy(zero_copy_only=False)
    return found


SchemaRule = Present | InDomain | InRange | IsNumber


def rules_of_schema(
    schema: schema_pb2.Schema, kinds: Mapping[str, Kind], environment: str | None = None
) -> list[SchemaRule]:
    """Return the rules of a schema for single rows, for the columns in `kinds`, named by the anomalies of TFDV.

    Features that are not in force in the environment have no rules.
    """
    domains = {domain.name: tuple(domain.value) for domain in schema.string_domain}
    return [
        rule
        for feature in schema.feature
        if feature.name in kinds and is_in_force(feature, schema, environment)
        for rule in (*_of_presence(feature), *_of_values(feature, kinds[feature.name], domains))
    ]


def is_in_force(feature: schema_pb2.Feature, schema: schema_pb2.Schema, environment: str | None) -> bool:
    """Return whether a feature belongs to the environment, and is not deprecated or planned."""
    if feature.lifecycle_stage not in _STAGES_IN_FORCE:
        return False
    if environment is None or environment in feature.in_environment:
        return True
    return environment in schema.default_environment and environment not in feature.not_in_environment


def _of_presence(feature: schema_pb2.Feature) -> Iterator[SchemaRule]:
    if feature.presence.min_fraction > 0:
        strict = feature.presence.min_fraction >= 1
        yield Present(feature.name, "FEATURE_TYPE_LOW_FRACTION_PRESENT", is_strict=strict)


def _of_values(feature: schema_pb2.Feature, kind: Kind, domains: Mapping[str, tuple[str, ...]]) -> Iterator[SchemaRule]:
    name, domain = feature.name, feature.WhichOneof("domain_info")
    if kind is Kind.STRING and domain in ("domain", "string_domain"):
        values = domains.get(feature.domain) if domain == "domain" else tuple(feature.string_domain.value)
        mass = feature.distribution_constraints.min_domain_mass
        # A domain that the schema lacks is an anomaly of its own.
        if values is not None:
            yield InDomain(name, "ENUM_TYPE_UNEXPECTED_STRING_VALUES", values, is_strict=mass >= 1)
    elif kind is Kind.STRING and domain == "bool_domain":
        known = feature.bool_domain
        values = tuple(getattr(known, one) for one in ("true_value", "false_value") if known.HasField(one))
        yield InDomain(name, "BOOL_TYPE_UNEXPECTED_STRING", values)
    elif kind is Kind.INT and domain == "bool_domain":
        yield InRange(name, "BOOL_TYPE_SMALL_INT", 0, None)
        yield InRange(name, "BOOL_TYPE_BIG_INT", None, 1)
    elif kind is Kind.INT and domain == "int_domain":
        yield from _range(name, feature.int_domain, "INT_TYPE_SMALL_INT", "INT_TYPE_BIG_INT")
    elif kind is Kind.FLOAT and domain == "float_domain":
        yield from _range(name, feature.float_domain, "FLOAT_TYPE_SMALL_FLOAT", "FLOAT_TYPE_BIG_FLOAT")
        if feature.float_domain.disallow_nan:
            yield IsNumber(name, "FLOAT_TYPE_HAS_NAN", nan=True)
        if feature.float_domain.disallow_inf:
            yield IsNumber(name, "FLOAT_TYPE_HAS_INF", nan=False)


def _range(
    name: str, domain: schema_pb2.IntDomain | schema_pb2.FloatDomain, small: str, big: str
) -> Iterator[SchemaRule]:
    if domain.HasField("min"):
        yield InRange(name, small, domain.min, None)
    if domain.HasField("max"):
        yield InRange(name, big, None, domain.max)
