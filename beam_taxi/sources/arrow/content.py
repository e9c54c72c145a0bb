"""What the rows of Arrow columns add to the content of a part."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from beam_taxi.errors import DataError
from beam_taxi.sources.arrow.columns import Column
from beam_taxi.sources.arrow.values import examine, to_kind
from beam_taxi.sources.content import BEYOND_INT64, NULLS_IN_LISTS, Content
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import SourceInfo
from beam_taxi.sources.weights import Weighing, Weights, weights_of


def add_column(
    content: Content, info: SourceInfo, column: Column, array: pa.Array, row: int, declared: Kind | None
) -> None:
    """Add rows of a column, the first of which has the number `row`. Raises DataError if they are not as declared."""
    name = column.name
    if declared is not None and not column.can_be(declared):
        raise DataError(f"{info.uri}: column {name!r} is {column.type}, not {declared.name} as declared")
    found = examine(column, array, declared)
    if found.beyond is not None and declared is Kind.INT:
        at = info.at(row + found.beyond.row + 1)
        value = info.shown(name, found.beyond.value)
        raise DataError(f"{at}: column {name!r}: {value} is not INT as declared: a whole number within int64")
    content.add_evidence(name, found.evidence)
    if found.evidence.overflow is not None:
        content.overflows.setdefault(name, row + found.evidence.overflow)
    for what, rows in ((BEYOND_INT64, found.beyond), (NULLS_IN_LISTS, found.nulls)):
        if rows is not None:
            content.note(name, what, rows.count, row + rows.row)


def weights_in(weighing: Weighing, columns: Mapping[str, Column], arrays: Mapping[str, pa.Array]) -> Weights[int]:
    """Return what the weights in a batch of columns show."""
    weight = columns[weighing.weight]
    if not weight.is_number or weight.has_lists:
        return Weights((0, f"is of type {weight.type}, which is not a number"))
    weights = to_kind(weight, arrays[weight.name], Kind.FLOAT)
    single = [name for name in weighing.slices if not columns[name].has_lists]
    slices = {name: to_kind(columns[name], arrays[name], Kind.STRING) for name in single}
    return weights_of(weights.cast(pa.float64()), slices)
