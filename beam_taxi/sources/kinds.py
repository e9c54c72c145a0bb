"""The types of columns, and the evidence for them in values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

EXACT_FLOAT32 = 1 << 24
"""float32 represents every whole number up to this one exactly."""


class Kind(IntEnum):
    """The type of a column; a column has the largest kind of its cells."""

    MISSING = 0
    INT = 1
    FLOAT = 2
    STRING = 3


ARROW_TYPES = {
    Kind.MISSING: pa.string(),
    Kind.INT: pa.int64(),
    Kind.FLOAT: pa.float32(),
    Kind.STRING: pa.string(),
}


@dataclass(frozen=True)
class Evidence:
    """What the cells of a column show: its kind, the first row that overflows float32, whether float32 loses digits."""

    kind: Kind
    overflow: int | None = None
    inexact: bool = False


def loses_digits(values: pa.Array) -> bool:
    """Return whether float32 changes any of these values, int64 or finite float64, beyond `EXACT_FLOAT32`."""
    if are_small(values):
        return False
    exact = values.drop_null().to_numpy()
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    if exact.dtype == np.int64:
        # Near 2^63 float32 rounds up to a value that int64 cannot hold.
        return bool((rounded >= 2.0**63).any() or (rounded.astype(np.int64) != exact).any())
    large = np.abs(exact) >= EXACT_FLOAT32
    return bool((rounded[large].astype(np.float64) != exact[large]).any())


def are_small(values: pa.Array) -> bool:
    """Return whether no value, int64 or finite float64, is beyond `EXACT_FLOAT32`."""
    limits = pc.min_max(values)
    low, high = limits["min"].as_py(), limits["max"].as_py()
    return low is None or (low >= -EXACT_FLOAT32 and high <= EXACT_FLOAT32)
