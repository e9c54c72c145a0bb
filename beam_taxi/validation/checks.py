"""The checks of a `checks.yaml`, and their faults, given the columns of a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from beam_taxi.settings import CHECKS_FILE
from beam_taxi.sources.kinds import ARROW_TYPES, Kind
from beam_taxi.validation.expressions import Expression, columns_of
from beam_taxi.validation.rule_types import Kinds, check_row_rule, check_statistics_rule
from beam_taxi.validation.tokens import suggest

ERROR, WARNING, IGNORE = "error", "warning", "none"
SEVERITIES = (ERROR, WARNING)
"""What a failed check counts as."""

UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000}
"""Units of numeric times, and the number of each in a second."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What all checks have in common. `line` is counted from 1; without `splits`, all splits are checked."""

    name: str
    line: int
    severity: str = ERROR
    splits: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the check."""
        return ()

    def applies_to(self, split: str) -> bool:
        """Return whether a split is checked."""
        return not self.splits or split in self.splits


@dataclass(frozen=True, kw_only=True)
class RowCheck(Check):
    """A rule that each row must satisfy; a share of up to `tolerate` of the rows of a split may violate it."""

    rule: str
    expression: Expression
    tolerate: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule names."""
        return tuple(columns_of(self.expression))


@dataclass(frozen=True, kw_only=True)
class ReferenceCheck(Check):
    """All values that a column may have, as text; missing values are allowed."""

    column: str
    values: tuple[str, ...]
    tolerate: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class StatisticsCheck(Check):
    """A rule that the statistics of each split must satisfy and, with `slices`, those of each of its slices."""

    rule: str
    expression: Expression
    slices: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule names."""
        return tuple(columns_of(self.expression))


@dataclass(frozen=True, kw_only=True)
class UniqueCheck(Check):
    """Columns whose values together occur only once in all splits.

    As in SQL, a row in which one of them is missing is no duplicate. NaN equals NaN, and -0.0 equals 0.0.
    """

    key: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the key."""
        return self.key


@dataclass(frozen=True, kw_only=True)
class FreshnessCheck(Check):
    """The newest time in a column must be at most `seconds` from the time of the run; `within` is the file's text.

    `unit` is that of numeric times since 1970, or empty for seconds. Texts are ISO 8601, in UTC unless they have an
    offset.
    """

    column: str
    within: str
    seconds: float
    unit: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class RowCountCheck(Check):
    """Limits, inclusive, of the number of rows of all `splits` together, or of each of them."""

    minimum: int | None = None
    maximum: int | None = None
    each_split: bool = False


@dataclass(frozen=True)
class SeverityRule:
    """What anomalies or drift of a feature, of a type of anomaly, or of both count as; an empty field means any."""

    severity: str
    line: int
    feature: str = ""
    type: str = ""


@dataclass(frozen=True)
class Checks:
    """The content of a file of checks; `source` names it in messages."""

    source: str = CHECKS_FILE
    rows: tuple[RowCheck, ...] = ()
    statistics: tuple[StatisticsCheck, ...] = ()
    unique: tuple[UniqueCheck, ...] = ()
    references: tuple[ReferenceCheck, ...] = ()
    freshness: tuple[FreshnessCheck, ...] = ()
    row_count: tuple[RowCountCheck, ...] = ()
    anomalies: tuple[SeverityRule, ...] = ()
    drift: tuple[SeverityRule, ...] = ()

    @property
    def by_row(self) -> tuple[RowCheck | ReferenceCheck, ...]:
        """The checks of single rows, in the order of the results of `RowRules`."""
        return (*self.rows, *self.references)

    @property
    def all(self) -> tuple[Check, ...]:
        """All checks, in the order of the file's sections."""
        return (*self.rows, *self.statistics, *self.unique, *self.references, *self.freshness, *self.row_count)

    def anomaly_severity(self, feature: str, type_: str) -> str | None:
        """Return the severity of an anomaly, by the most specific rule, or None if the file does not say."""
        by_subject = {(one.feature, one.type): one.severity for one in self.anomalies}
        subjects = ((feature, type_), (feature, ""), ("", type_))
        return next((by_subject[one] for one in subjects if one in by_subject), None)

    def drift_severity(self, feature: str) -> str | None:
        """Return the severity of drift of a feature, or None if the file does not say."""
        return next((one.severity for one in self.drift if one.feature == feature), None)


def check_columns(
    checks: Checks,
    kinds: Kinds,
    baseline_expected: bool,
    schema_columns: Iterable[str] = (),
    with_lists: Collection[str] = (),
) -> list[str]:
    """Return all faults of the checks, given the columns of a table, with their lines.

    Args:
        checks: The checks.
        kinds: The kind of each column of the table, or None if it is not known before the data is read.
        baseline_expected: Whether the run is compared with a baseline.
        schema_columns: The columns of the schema; `severity` may name those that the table lacks, which is an anomaly.
        with_lists: The columns with several values, which checks of rows cannot name.
    """
    faults: list[tuple[int, str]] = []
    for row in checks.rows:
        faults += [(row.line, f"{row.rule!r}: {fault}") for fault in check_row_rule(row.expression, kinds)]
    for one in checks.statistics:
        found = check_statistics_rule(one.expression, kinds, baseline_expected)
        faults += [(one.line, f"{one.rule!r}: {fault}") for fault in found]
    for check in (*checks.unique, *checks.references, *checks.freshness):
        faults += [(check.line, fault) for fault in _unknown(check.columns, kinds)]
    for of_rows in (*checks.rows, *checks.unique, *checks.references, *checks.freshness):
        lists = [name for name in of_rows.columns if name in with_lists]
        faults += [
            (of_rows.line, f"column {name!r} has lists, which only rules for statistics accept") for name in lists
        ]
    known = {*kinds, *schema_columns}
    for severity in (*checks.anomalies, *checks.drift):
        faults += [(severity.line, fault) for fault in _unknown([severity.feature] if severity.feature else [], known)]
    faults += _value_faults(checks, kinds)
    return [f"{checks.source}: line {line}: {fault}" for line, fault in sorted(faults)]


def check_splits(checks: Checks, splits: Iterable[str]) -> list[str]:
    """Return a fault, with its line, for each name of a split that the run does not have."""
    known = list(splits)
    return [
        f"{checks.source}: line {check.line}: no split {name!r}; the splits are {', '.join(known)}"
        for check in sorted(checks.all, key=lambda one: one.line)
        for name in check.splits
        if name not in known
    ]


def allowed_values(check: ReferenceCheck, kind: Kind) -> pa.Array:
    """Return the values of a reference check as a column of this kind. Raises ValueError, which names the bad value."""
    values = [_value(text, kind) for text in check.values]
    return pa.array(values, ARROW_TYPES[kind])


def _value(text: str, kind: Kind) -> str | int | float:
    try:
        if kind is Kind.FLOAT:
            # -0.0 + 0.0 is 0.0: in Arrow's hash tables they are different values.
            with np.errstate(over="ignore"):
                return float(np.float32(text)) + 0.0
        if kind is Kind.INT and not -(2**63) <= int(text) < 2**63:
            raise ValueError
        return int(text) if kind is Kind.INT else text
    except ValueError:
        raise ValueError(f"the value {text!r} is not of type {kind.name}") from None


def _unknown(names: Iterable[str], known: Collection[str]) -> Iterator[str]:
    yield from (f"no column {name!r}{suggest(name, known)}" for name in names if name not in known)


def _value_faults(checks: Checks, kinds: Kinds) -> Iterator[tuple[int, str]]:
    for check in checks.references:
        kind = kinds.get(check.column)
        if kind is not None:
            try:
                allowed_values(check, kind)
            except ValueError as error:
                yield check.line, f"column {check.column!r}: {error}"
    yield from _time_faults(checks.freshness, kinds)


def _time_faults(checks: Iterable[FreshnessCheck], kinds: Mapping[str, Kind | None]) -> Iterator[tuple[int, str]]:
    for check in checks:
        kind = kinds.get(check.column)
        if kind is Kind.FLOAT:
            yield check.line, f"column {check.column!r} is FLOAT; float32 is too coarse for times, so use INT or text"
        elif kind is Kind.STRING and check.unit:
            yield check.line, f"column {check.column!r} is STRING; `unit` is for numbers"
