"""All rules for single rows by which a run is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import pyarrow as pa
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from beam_taxi.errors import UsageError
from beam_taxi.run.validation import CHECKS
from beam_taxi.settings import CHECKS_FILE, Settings
from beam_taxi.sources.kinds import Kind
from beam_taxi.validation.checks import (
    ERROR,
    IGNORE,
    WARNING,
    Checks,
    ReferenceCheck,
    RowCheck,
    check_columns,
)
from beam_taxi.validation.checks_file import parse_checks
from beam_taxi.validation.row_checks import RowRules
from beam_taxi.validation.schema_rules import Mask, RowRule, rules_of_schema


def checks_of(settings: Settings) -> Checks:
    """Return the checks of a run, which may be none. Raises UsageError."""
    validation = settings.validation
    if validation.checks is None:
        return Checks()
    return _parsed(validation.checks, tuple(sorted(validation.check_files.items())))


@lru_cache(maxsize=1)
def _parsed(text: str, files: tuple[tuple[str, str], ...]) -> Checks:
    return parse_checks(text, CHECKS_FILE, dict(files).__getitem__)


@dataclass(frozen=True)
class _CheckRule:
    """A check of single rows, by its number in `Checks.by_row`."""

    check: RowCheck | ReferenceCheck
    number: int
    rules: RowRules

    @property
    def name(self) -> str:
        """The name of the check."""
        return self.check.name

    @property
    def features(self) -> tuple[str, ...]:
        """The columns of the check."""
        return self.check.columns

    @property
    def kind(self) -> str:
        """CHECKS."""
        return CHECKS

    @property
    def is_strict(self) -> bool:
        """Whether every row that violates the check is an error, in whatever split it is."""
        return self.check.severity == ERROR and not self.check.splits and not self.check.tolerate

    def violations(self, batch: pa.RecordBatch) -> Mask | None:
        """Return which rows violate the check."""
        return self.rules.violations_of(self.number, batch)


@dataclass(frozen=True)
class Rules:
    """The rules for single rows, of which the first `of_schema` are the schema's, and all checks of the run."""

    by_row: tuple[RowRule, ...]
    checks: Checks
    of_schema: int

    @property
    def need_places(self) -> bool:
        """Whether the places of rows are needed."""
        return bool(self.by_row or self.checks.unique)

    def of_check(self, number: int) -> int:
        """Return the number of the rule of a check by its number in `Checks.by_row`."""
        return self.of_schema + number

    def of_key(self, number: int) -> int:
        """Return the number, after those of all rules, of a check in `Checks.unique`."""
        return len(self.by_row) + number


def rules_of(settings: Settings, kinds: Mapping[str, Kind]) -> Rules:
    """Return the rules of the schema and of the checks for columns of these kinds. Raises UsageError."""
    checks = checks_of(settings)
    faults = check_columns(checks, kinds, baseline_expected=settings.validation.baseline is not None)
    if faults:
        raise UsageError("; ".join(faults))
    of_schema = list(_of_schema(settings, checks, kinds))
    rules = RowRules(checks, kinds)
    of_checks = (_CheckRule(check, number, rules) for number, check in enumerate(checks.by_row))
    return Rules((*of_schema, *of_checks), checks, len(of_schema))


def _of_schema(settings: Settings, checks: Checks, kinds: Mapping[str, Kind]) -> Iterator[RowRule]:
    """Yield the rules of the schema; only those whose violation is an error are strict."""
    if settings.schema is None:
        return
    schema = text_format.Parse(settings.schema, schema_pb2.Schema())
    for rule in rules_of_schema(schema, kinds, settings.validation.environment):
        severity = checks.anomaly_severity(rule.feature, rule.name)
        if severity != IGNORE:
            yield replace(rule, is_strict=False) if severity == WARNING else rule
