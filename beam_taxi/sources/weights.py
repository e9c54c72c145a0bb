"""Example weights, which TFDV requires of every row: what the first pass learns about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.settings import Settings

Where = TypeVar("Where", bound=Any)
Place = TypeVar("Place")

_MOST_SLICES = 10_000
"""Slices whose weights are looked at."""


@dataclass(frozen=True)
class Weighing:
    """The weight column, and the columns that slice."""

    weight: str
    slices: tuple[str, ...] = ()


def weighing_of(settings: Settings) -> Weighing | None:
    """Return the columns that matter for the weights of rows, or None if they have none."""
    statistics = settings.statistics
    if statistics.weight_feature is None:
        return None
    return Weighing(statistics.weight_feature, statistics.slice_features)


@dataclass(frozen=True)
class Weights(Generic[Where]):
    """The first row whose weight cannot be used, with the reason; the rows that are first in each slice.

    `firsts` has, by column and value, the first row and whether any weight is positive; those of all rows are at
    `("", "")`.
    """

    fault: tuple[Where, str] | None = None
    firsts: Mapping[tuple[str, str], tuple[Where, bool]] = field(default_factory=dict)

    def __add__(self, other: Weights[Where]) -> Weights[Where]:
        firsts = dict(self.firsts)
        for key, (where, positive) in other.firsts.items():
            known = firsts.get(key)
            firsts[key] = (where, positive) if known is None else (min(known[0], where), known[1] or positive)
        return Weights(min(filter(None, (self.fault, other.fault)), default=None), firsts)

    def at(self, place: Callable[[Where], Place]) -> Weights[Place]:
        """Return the same with other places."""
        return Weights(
            None if self.fault is None else (place(self.fault[0]), self.fault[1]),
            {key: (place(where), positive) for key, (where, positive) in self.firsts.items()},
        )

    def first_fault(self) -> tuple[Where, str] | None:
        """Return the first row that TFDV would fail on, and the reason."""
        faults = [] if self.fault is None else [self.fault]
        faults += [(where, _zero(*key)) for key, (where, positive) in self.firsts.items() if not positive]
        return min(faults, default=None)


def _zero(column: str, value: str) -> str:
    return f"is 0 in all rows{f' in which {column!r} is {value!r}' if column else ''}"


def weights_of(weights: pa.DoubleArray, slices: Mapping[str, pa.Array]) -> Weights[int]:
    """Return what weights show, by number of the row, and those of each slice."""
    if not len(weights):
        return Weights()
    values = weights.to_numpy(zero_copy_only=False)
    is_missing = weights.is_null().to_numpy(zero_copy_only=False)
    is_bad = is_missing | ~(values >= 0) | np.isinf(values)
    fault = None
    if is_bad.any():
        row = int(np.argmax(is_bad))
        fault = (row, "is missing" if is_missing[row] else f"is {values[row]:g}; weights must be finite and at least 0")
    firsts = {("", ""): (0, bool((values > 0).any()))}
    for name, column in slices.items():
        firsts.update(_by_value(name, column, values > 0))
    return Weights(fault, firsts)


def _by_value(
    name: str, column: pa.Array, is_positive: npt.NDArray[np.bool_]
) -> dict[tuple[str, str], tuple[int, bool]]:
    encoded = pc.cast(column, pa.string()).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy()
    found, first = np.unique(codes, return_index=True)
    positive = np.bincount(codes[is_positive] + 1, minlength=len(encoded.dictionary) + 1)
    values = encoded.dictionary.to_pylist()
    return {
        (name, values[code]): (int(row), bool(positive[code + 1]))
        for code, row in list(zip(found.tolist(), first.tolist(), strict=True))[:_MOST_SLICES]
        if code >= 0
    }
