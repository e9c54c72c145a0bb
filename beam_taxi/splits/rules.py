"""Assign the rows of batches to splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_taxi.errors import UsageError
from beam_taxi.settings import Settings
from beam_taxi.sources.kinds import Kind
from beam_taxi.splits.conditions import faults_of_columns, parse_conditions
from beam_taxi.splits.strata import Strata
from beam_taxi.tfexample.batches import select_columns
from beam_taxi.tfexample.split import assign_splits, hash_columns
from beam_taxi.validation.expressions import Expression, columns_of
from beam_taxi.validation.findings import text_of
from beam_taxi.validation.row_rules import as_text, column_of, evaluate

REFUSED = -1
"""The number of a row that belongs to no split; smaller ones say so for other causes."""
Checksums = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int16]
"""The number of the split of each row, or a negative one if it belongs to none."""


class SplitRule(ABC):
    """Decides the split of each row, by the row alone."""

    @property
    def needs_checksums(self) -> bool:
        """Whether the checksums of the rows' tf.Examples decide."""
        return False

    @abstractmethod
    def assign(self, rows: pa.RecordBatch, checksums: Checksums | None) -> Numbers:
        """Return the number of the split of each row, or a negative one."""

    def reason(self, rows: pa.RecordBatch, row: int, number: int) -> str:
        """Return why a row of a batch has a negative number, without the values of redacted columns."""
        raise ValueError(f"row {row} is not refused")


def split_rule(settings: Settings, kinds: Mapping[str, Kind], strata: Strata | None = None) -> SplitRule:
    """Return the rule that the settings ask for; `strata` is needed with `--stratify`. Raises UsageError.

    rule = split_rule(settings, data.kinds)
    numbers = rule.assign(batch, encode_rows(batch).checksums if rule.needs_checksums else None)
    """
    splitting, redacted = settings.splitting, settings.columns.redacted
    faults = faults_of_columns(settings, kinds)
    if faults:
        raise UsageError("; ".join(faults))
    if splitting.column is not None:
        return _ByColumn(splitting.column, [split.name for split in settings.splits], redacted)
    if splitting.conditions:
        return _ByConditions(splitting.conditions, parse_conditions(splitting.conditions)[0], redacted)
    if strata is not None:
        return _Stratified(strata)
    return _ByHash([split.weight or 0 for split in settings.splits], splitting.key)


@dataclass(frozen=True)
class _ByHash(SplitRule):
    weights: Sequence[int]
    key: Sequence[str]

    @property
    def needs_checksums(self) -> bool:
        return not self.key and len(self.weights) > 1

    def assign(self, rows: pa.RecordBatch, checksums: Checksums | None) -> Numbers:
        hashes = hash_columns(select_columns(rows, self.key).columns) if self.key else checksums
        if hashes is None:
            return np.zeros(len(rows), np.int16)
        return assign_splits(hashes, self.weights).astype(np.int16)


@dataclass(frozen=True)
class _Stratified(SplitRule):
    strata: Strata

    @property
    def needs_checksums(self) -> bool:
        return True

    def assign(self, rows: pa.RecordBatch, checksums: Checksums | None) -> Numbers:
        assert checksums is not None
        return self.strata.assign(column_of(rows, self.strata.label), checksums)


@dataclass(frozen=True)
class _ByColumn(SplitRule):
    column: str
    names: Sequence[str]
    redacted: Sequence[str]

    def assign(self, rows: pa.RecordBatch, checksums: Checksums | None) -> Numbers:
        column = column_of(rows, self.column)
        text = column.cast(pa.string()) if pa.types.is_integer(column.type) else as_text(column)
        found = pc.index_in(text, value_set=pa.array(self.names, pa.string())).fill_null(REFUSED)
        numbers: Numbers = found.to_numpy(zero_copy_only=False).astype(np.int16)
        return numbers

    def reason(self, rows: pa.RecordBatch, row: int, number: int) -> str:
        value = text_of(column_of(rows, self.column)[row].as_py())
        if value is None:
            return f"--split_column: {self.column!r} has no value, so the row has no split"
        told = "its value" if self.column in self.redacted else repr(value)
        return f"--split_column: {self.column!r}: {told} is not a split; the splits are {', '.join(self.names)}"


@dataclass(frozen=True)
class _ByConditions(SplitRule):
    texts: Sequence[str]
    expressions: Sequence[Expression]
    redacted: Sequence[str]

    def assign(self, rows: pa.RecordBatch, checksums: Checksums | None) -> Numbers:
        numbers = np.full(len(rows), len(self.expressions), np.int16)
        is_open = np.ones(len(rows), np.bool_)
        for number, expression in enumerate(self.expressions):
            holds = evaluate(expression, rows)
            unknown = holds.is_null().to_numpy(zero_copy_only=False)
            numbers[is_open & unknown] = REFUSED - number
            true = holds.fill_null(False).to_numpy(zero_copy_only=False)
            numbers[is_open & true] = number
            is_open &= ~(unknown | true)
        return numbers

    def reason(self, rows: pa.RecordBatch, row: int, number: int) -> str:
        text, expression = self.texts[REFUSED - number], self.expressions[REFUSED - number]
        values = {name: text_of(column_of(rows, name)[row].as_py()) for name in columns_of(expression)}
        shown = [
            f"{name!r} {'has no value' if value is None else f'is {value}'}"
            for name, value in values.items()
            if value is None or name not in self.redacted
        ]
        return f"--split_by {text!r} is neither true nor false: {', '.join(shown) or 'its values are not shown'}"
