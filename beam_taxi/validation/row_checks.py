"""Evaluate the checks of single rows on batches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.sources.kinds import Kind
from beam_taxi.validation.checks import Checks, ReferenceCheck, allowed_values
from beam_taxi.validation.row_rules import as_text, column_of, violations


class RowRules:
    """The rules of single rows and the reference checks, prepared for many batches.

    The checks must have no faults for these kinds; see `checks.check_columns`.

        rules = RowRules(checks, kinds)
        for number, check in enumerate(checks.by_row):
            violated = rules.violations_of(number, batch)
    """

    def __init__(self, checks: Checks, kinds: Mapping[str, Kind]) -> None:
        self._checks = checks
        self._allowed = [allowed_values(check, kinds[check.column]) for check in checks.references]

    def violations_of(self, number: int, batch: pa.RecordBatch) -> npt.NDArray[np.bool_] | None:
        """Return which rows of a batch violate one check, by its number in `Checks.by_row`."""
        rules = self._checks.rows
        if number < len(rules):
            return violations(rules[number].expression, batch)
        number -= len(rules)
        return _of_reference(self._checks.references[number], self._allowed[number], batch)


def _of_reference(check: ReferenceCheck, allowed: pa.Array, batch: pa.RecordBatch) -> npt.NDArray[np.bool_] | None:
    column = as_text(column_of(batch, check.column))
    if column.null_count == len(column):
        return None
    if pa.types.is_floating(column.type):
        # In Arrow's hash tables, -0.0 is not 0.0.
        column = pc.add(column, pa.scalar(0.0, column.type))
    fits = pc.or_(pc.is_in(column, value_set=allowed), pc.is_null(column))
    if pc.all(fits, min_count=0).as_py():
        return None
    violated: npt.NDArray[np.bool_] = ~fits.to_numpy(zero_copy_only=False)
    return violated
