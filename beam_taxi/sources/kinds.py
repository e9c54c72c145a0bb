"""The types of columns, and the evidence for them in values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import pyarrow as pa

from beam_taxi.sources.losses import NO_LOSSES, Losses


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
    """What the cells of a column show: its kind, the first row that overflows float32, and what float32 loses."""

    kind: Kind
    overflow: int | None = None
    losses: Losses = NO_LOSSES
