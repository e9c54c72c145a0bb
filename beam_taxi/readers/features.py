"""The features of a schema, as readers need them: types, shapes, and which may be missing."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.errors import UsageError

Default: TypeAlias = "int | float | str | bytes"
"""What stands for a missing value."""

_LEFT_OUT = (schema_pb2.PLANNED, schema_pb2.ALPHA, schema_pb2.DEPRECATED, schema_pb2.DISABLED)
"""Stages of features that need not be in the data, as in TFX."""


class Type(str, Enum):
    """The types of values, as a Schema names them."""

    INT = "INT"
    FLOAT = "FLOAT"
    BYTES = "BYTES"


@dataclass(frozen=True)
class Feature:
    """A feature. `shape` is that of its values in a row: () is one value, None any number of them.

    `required` says whether every row has it.
    """

    name: str
    type: Type
    shape: tuple[int, ...] | None
    required: bool

    @property
    def is_dense(self) -> bool:
        """Whether every row has the same number of values."""
        return self.required and self.shape is not None


def features_of(schema: schema_pb2.Schema, stored: Collection[str]) -> tuple[Feature, ...]:
    """Return the features of a schema that are among the `stored` ones, by name.

    One that the schema deprecates or does not use yet is left out, and one without a type, which has no values.
    """
    types = {schema_pb2.INT: Type.INT, schema_pb2.FLOAT: Type.FLOAT, schema_pb2.BYTES: Type.BYTES}
    found = (
        Feature(one.name, types[one.type], _shape(one), one.presence.min_fraction >= 1)
        for one in schema.feature
        if one.name in stored and one.type in types and not one.deprecated and one.lifecycle_stage not in _LEFT_OUT
    )
    return tuple(sorted(found, key=lambda feature: feature.name))


def _shape(feature: schema_pb2.Feature) -> tuple[int, ...] | None:
    """Return the shape that a schema fixes. One value is a scalar, though TFX makes it a vector of one."""
    if feature.HasField("shape"):
        sizes = tuple(dim.size for dim in feature.shape.dim)
        if any(size < 1 for size in sizes):
            return None
        return () if sizes == (1,) else sizes
    least, most = feature.value_count.min, feature.value_count.max
    if least != most or most < 1:
        return None
    return () if most == 1 else (most,)


def check_defaults(features: Sequence[Feature], defaults: Mapping[str, Default]) -> None:
    """Raise UsageError if a default is not that of a feature with one value, or of another type."""
    known = {feature.name: feature for feature in features}
    for name, value in defaults.items():
        if name not in known:
            raise UsageError(f"defaults: no feature {name!r}; there are {', '.join(sorted(known))}")
        feature = known[name]
        if feature.shape != ():
            raise UsageError(f"defaults: feature {name!r} does not have one value in each row")
        if not isinstance(value, _PYTHON_TYPES[feature.type]) or isinstance(value, bool):
            raise UsageError(f"defaults: {value!r} of feature {name!r} is not of type {feature.type.value}")


_PYTHON_TYPES: dict[Type, tuple[type, ...]] = {
    Type.INT: (numbers.Integral,),
    Type.FLOAT: (numbers.Real,),
    Type.BYTES: (str, bytes),
}
