"""The options of readers that name features."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from beam_taxi.errors import UsageError
from beam_taxi.schemas.features import Feature, Type

Default: TypeAlias = "int | float | str | bytes"
"""What stands for a missing value."""

_PYTHON_TYPES: dict[Type, tuple[type, ...]] = {
    Type.INT: (numbers.Integral,),
    Type.FLOAT: (numbers.Real,),
    Type.BYTES: (str, bytes),
}


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


def check_binary(features: Sequence[Feature], binary: Collection[str]) -> frozenset[str]:
    """Return the names of features whose values are bytes. Raise UsageError if one is not of type BYTES."""
    known = {feature.name for feature in features if feature.type is Type.BYTES}
    for name in binary:
        if name not in known:
            raise UsageError(f"binary: no feature {name!r} of type BYTES; there are {', '.join(sorted(known))}")
    return frozenset(binary)
