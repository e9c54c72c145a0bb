"""The features of a schema, as readers need them: types, shapes, and which may be missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from tensorflow_metadata.proto.v0 import schema_pb2

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
