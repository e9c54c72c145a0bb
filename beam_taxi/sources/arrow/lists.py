"""Lists of any layout as the number of values of each row, and all values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Lists:
    """A column of lists: where the values of each row begin and where the last end, which rows are null, all values."""

    offsets: npt.NDArray[np.int64]
    is_null: npt.NDArray[np.bool_]
    values: pa.Array

    @staticmethod
    def of(column: pa.Array) -> Lists:
        """Return the lists of a column."""
        lengths = pc.list_value_length(column).fill_null(0).to_numpy().astype(np.int64)
        is_null = column.is_null().to_numpy(zero_copy_only=False)
        return Lists(np.concatenate([[0], np.cumsum(lengths)]), is_null, column.flatten())

    def row_of(self, value: int) -> int:
        """Return the row of a value, by its number."""
        return int(np.searchsorted(self.offsets, value, side="right")) - 1

    def without_nulls(self) -> Lists:
        """Return the lists without nulls among their values."""
        if not self.values.null_count:
            return self
        before = np.concatenate([[0], np.cumsum(self.values.is_valid().to_numpy(zero_copy_only=False))])
        return Lists(before[self.offsets], self.is_null, self.values.drop_null())

    def column(self, values: pa.Array) -> pa.ListArray:
        """Return the lists with other values, as many as there are."""
        # A null offset makes a null list.
        mask = np.append(self.is_null, False) if self.is_null.any() else None
        return pa.ListArray.from_arrays(pa.array(self.offsets.astype(np.int32), mask=mask), values)
