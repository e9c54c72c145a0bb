"""What numbers lose as float32, the only float of a tf.Example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

EXACT_FLOAT32 = 1 << 24
"""float32 represents every whole number up to this one exactly."""

_DECIMALS = 4
"""Numbers with at most so many decimals are exact ones, such as amounts; those with more are measurements."""

_EXACT_DECIMALS = 512.0
"""Below this, float32 keeps `_DECIMALS` decimals."""


@dataclass(frozen=True)
class Losses:
    """How many numbers become 0 as float32, how many lose digits, and the largest of the latter."""

    vanished: int = 0
    changed: int = 0
    largest: float = 0.0

    def __add__(self, other: Losses) -> Losses:
        largest = max(self.largest, other.largest, key=lambda value: (abs(value), value))
        return Losses(self.vanished + other.vanished, self.changed + other.changed, largest)


NO_LOSSES = Losses()


def are_small(values: pa.Array) -> bool:
    """Return whether float32 keeps the decimals of all numbers."""
    limits = pc.min_max(values)
    low, high = limits["min"].as_py(), limits["max"].as_py()
    return low is None or (low > -_EXACT_DECIMALS and high < _EXACT_DECIMALS)


def losses_of(values: pa.Array) -> Losses:
    """Return what int64 or float64 values lose. NaN and infinities lose nothing.

    A number loses digits if it is not the same when it is rounded to its own decimals, of which it has at most 4, or
    if it is a whole number beyond 2**24 that float32 does not have.
    """
    limits = pc.min_max(values)
    low, high = limits["min"].as_py(), limits["max"].as_py()
    is_whole = pa.types.is_integer(values.type)
    if low is None or (is_whole and low >= -EXACT_FLOAT32 and high <= EXACT_FLOAT32):
        return NO_LOSSES
    exact = values.drop_null().to_numpy()
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    if is_whole:
        large = np.abs(exact.astype(np.float64)) > EXACT_FLOAT32
        # Near 2^63 float32 rounds up to a value that int64 cannot hold.
        is_beyond = rounded[large] >= 2.0**63
        with np.errstate(invalid="ignore"):
            changed = is_beyond | (rounded[large].astype(np.int64) != exact[large])
        return _found(0, exact[large][changed])
    vanished = int(np.count_nonzero(exact)) - int(np.count_nonzero(rounded))
    large = (np.abs(exact) >= _EXACT_DECIMALS) & np.isfinite(rounded) & (rounded != exact)
    candidates, stored = exact[large], rounded[large].astype(np.float64)
    return _found(vanished, candidates[_lose_digits(candidates, stored)] if len(candidates) else candidates)


def _found(vanished: int, changed: npt.NDArray[np.int64 | np.float64]) -> Losses:
    if not len(changed):
        return Losses(vanished)
    return Losses(vanished, len(changed), float(changed[np.argmax(np.abs(changed.astype(np.float64)))]))


def _lose_digits(exact: npt.NDArray[np.float64], stored: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    lose = np.abs(exact) >= EXACT_FLOAT32
    is_open = ~lose
    for decimals in range(_DECIMALS + 1):
        scaled = exact * 10.0**decimals
        whole = np.rint(scaled)
        fits = is_open & (np.abs(scaled - whole) <= 1e-9 * np.abs(scaled))
        lose |= fits & (np.rint(stored * 10.0**decimals) != whole)
        is_open &= ~fits
    return lose
