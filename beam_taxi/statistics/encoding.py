"""A column of sampled rows as arrays that can be compared with those of other columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

CONTINUOUS = 20
"""Number of distinct numbers above which a column is not one of classes."""


@dataclass(frozen=True)
class Encoded:
    """A column. `kind` is `int`, `float` or `text`; `valid` says which rows have a value.

    Rows are equal if their `keys` are; those of different columns can be compared if both are integers or both texts.
    `float_keys` can be compared for all numbers, at the precision of float32. `numbers` is None for texts. Where there
    is no value, all of them are arbitrary.
    """

    name: str
    kind: str
    valid: npt.NDArray[np.bool_]
    keys: npt.NDArray[np.int64]
    float_keys: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64] | None = None

    @property
    def finite(self) -> npt.NDArray[np.bool_]:
        """Which rows have a finite number."""
        assert self.numbers is not None
        found: npt.NDArray[np.bool_] = self.valid & np.isfinite(self.numbers)
        return found

    @property
    def is_constant(self) -> bool:
        """Whether all rows are the same, be it a value or none."""
        if not self.valid.any():
            return True
        return bool(self.valid.all()) and bool((self.keys == self.keys[0]).all())

    @cached_property
    def is_continuous(self) -> bool:
        """Whether there are too many distinct numbers for classes."""
        return self.numbers is not None and len(np.unique(self.keys[self.valid])) > CONTINUOUS

    def standardized(self) -> npt.NDArray[np.float64]:
        """Return the numbers with mean 0 and deviation 1, and 0 where there is no finite one."""
        assert self.numbers is not None
        finite = self.finite
        values = np.where(finite, self.numbers, 0.0)
        count = max(1, int(finite.sum()))
        centred = np.where(finite, values - values.sum() / count, 0.0)
        largest = float(np.abs(centred).max(initial=0.0))
        # Squares of the largest numbers would overflow.
        scaled = centred / largest if largest else centred
        spread = float(np.sqrt((scaled**2).sum() / count))
        return scaled / spread if spread else scaled


def encode(name: str, column: pa.Array) -> Encoded:
    """Return a column of integers, of floating-point numbers, or of dictionary-encoded texts."""
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_dictionary(column.type):
        codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return Encoded(name, "text", valid, codes, codes)
    if pa.types.is_integer(column.type):
        integers = column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        return Encoded(name, "int", valid, integers, _float_keys(integers), integers.astype(np.float64))
    numbers = column.fill_null(0.0).to_numpy(zero_copy_only=False).astype(np.float64)
    keys = _float_keys(numbers)
    return Encoded(name, "float", valid, keys, keys, numbers)


def _float_keys(numbers: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the bits of the numbers as float32, the same for both zeros and for all NaN."""
    with np.errstate(over="ignore"):
        floats = numbers.astype(np.float32) + np.float32(0.0)
    floats[np.isnan(floats)] = np.nan
    return floats.view(np.int32).astype(np.int64)
