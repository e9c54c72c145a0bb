"""Values that stand for missing ones."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from beam_taxi.errors import UsageError
from beam_taxi.schemas.features import Feature, Type

Default: TypeAlias = "int | float | str | bytes"

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
