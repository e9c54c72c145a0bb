"""Rows that violate strict rules or have no split, set aside as rejects."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beam_taxi.run.validation import ANOMALIES, CHECKS
from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.reading import UnitBatch
from beam_taxi.sources.source import Place, Reject
from beam_taxi.splits.rules import Numbers, SplitRule
from beam_taxi.validation.findings import values_of
from beam_taxi.validation.schema_rules import RowRule

CODES = {ANOMALIES: "anomaly", CHECKS: "check"}
"""The reason codes of the rejects, by the kind of the rule."""
WITHOUT_SPLIT = "split"
"""The reason code of a row that has no split."""


def rejects_of(
    plan: TablePlan,
    batch: UnitBatch,
    violated: npt.NDArray[np.int64],
    rules: Sequence[RowRule],
    redacted: Collection[str] = (),
) -> Iterator[tuple[int, Reject]]:
    """Yield a reject for each row of a batch that violates a rule, with the number of its source.

    `violated` has for each row the number of the rule that it violates, or -1.
    """
    rows = np.flatnonzero(violated >= 0)
    for row, (source, place) in zip(rows.tolist(), batch.places_of(rows), strict=True):
        rule = rules[violated[row]]
        shown = [(name, value) for name, value in values_of(rule, batch.rows, row) if name not in redacted]
        values = ", ".join(f"{name} is {value}" for name, value in shown) or "its value is not shown"
        yield source, _reject(plan, batch, row, (source, place), (CODES[rule.kind], f"{rule.name}: {values}"))


def rejects_without_split(
    plan: TablePlan, batch: UnitBatch, numbers: Numbers, rule: SplitRule
) -> Iterator[tuple[int, Reject]]:
    """Yield a reject for each row of a batch that a rule refuses, with the number of its source.

    `numbers` are those that the rule has assigned.
    """
    rows = np.flatnonzero(numbers < 0)
    for row, (source, place) in zip(rows.tolist(), batch.places_of(rows), strict=True):
        reason = rule.reason(batch.rows, row, int(numbers[row]))
        yield source, _reject(plan, batch, row, (source, place), (WITHOUT_SPLIT, reason))


def _reject(plan: TablePlan, batch: UnitBatch, row: int, at: tuple[int, Place], why: tuple[str, str]) -> Reject:
    """Return a row as a reject; `why` is the reason code and the reason."""
    source, place = at
    raw = _csv_record(batch.rows, row, plan.columns) if place.raw is None else place.raw
    uri = plan.sources[source].info.uri
    return Reject(uri, place.number, place.offset, *why, raw, place.group)


def _csv_record(batch: pa.RecordBatch, row: int, columns: Sequence[str]) -> bytes:
    """Return a row as a record of a CSV file with these columns."""
    values = {name: column[row].as_py() for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([_cell(values[name]) for name in columns])
    return text.getvalue().encode("utf-8", "surrogateescape")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return str(np.float32(value))
    if isinstance(value, list):
        return json.dumps([_cell(one) for one in value], ensure_ascii=False)
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
