"""Parse `checks.yaml`, the file of a user's own checks.

    version: 1
    rows:                        # each row must satisfy the rule; see `expressions` for the grammar
      - rule: fare >= 0 and trip_miles < 500
        name: plausible trips    # default: the rule
        tolerate: 0.1%           # share of the rows of a split that may violate it; default: 0
        severity: warning        # or error, the default
        splits: [train]          # default: all splits
    statistics:                  # each rule must hold for each split
      - rule: fare.mean / baseline.fare.mean between 0.8 and 1.25
        slices: true             # and for each slice of --slice_features
    unique:                      # no two rows of all splits have the same values in these columns
      - columns: [trip_id]
    references:                  # each value must be in the list; missing values are allowed
      - column: payment_type
        values: [Cash, Credit Card]
      - column: company
        file: gs://bucket/companies.txt    # one value a line
    freshness:                   # the newest time must be this close to the time of the run
      - column: trip_start_timestamp
        within: 36h              # a number and s, m, h, d or w
        unit: s                  # of numbers since 1970: s, ms or us
    row_count:                   # number of rows of all splits together
      - min: 1000
        max: 20000
        each_split: true         # or of each split
    severity:                    # what anomalies and drift count as: error, warning or none
      anomalies: {ENUM_TYPE_UNEXPECTED_STRING_VALUES: warning, tips: none, fare/INT_TYPE_BIG_INT: error}
      drift: {fare: error, company: none}

Every check may have `name`, `severity` and, apart from `unique` and `freshness`, `splits`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar

from beam_taxi.errors import BeamTaxiError, UsageError, one_line
from beam_taxi.validation.checks import (
    ERROR,
    IGNORE,
    SEVERITIES,
    UNITS,
    Checks,
    FreshnessCheck,
    ReferenceCheck,
    RowCheck,
    RowCountCheck,
    SeverityRule,
    StatisticsCheck,
    UniqueCheck,
)
from beam_taxi.validation.expressions import Expression
from beam_taxi.validation.parse import parse_row_rule, parse_statistics_rule
from beam_taxi.validation.tokens import RuleError, suggest
from beam_taxi.validation.yaml_nodes import Faults, Node, Table, compose, items, line_of, pairs, scalar

VERSION = 1

_SECTIONS = ("rows", "statistics", "unique", "references", "freshness", "row_count", "severity")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

_Check = TypeVar("_Check")


def parse_checks(text: str, source: str, read: Callable[[str], str] | None = None) -> Checks:
    """Return the checks of a file.

    Args:
        text: The content of the file.
        source: The name of the file in messages.
        read: Returns the text of a file that a reference check names; without it, such a check is a fault.

    Raises:
        UsageError: The file has faults; the message lists all of them with their lines.
    """
    faults = Faults(source)
    root = compose(text, faults)
    if root is None and not len(faults):
        faults.add(1, f"the file is empty; it must begin with `version: {VERSION}`")
    checks = None if root is None else _Parser(faults, read).parse(root, source)
    if checks is None or len(faults):
        raise UsageError(str(faults))
    return checks


class _Common(TypedDict):
    name: str
    line: int
    severity: str
    splits: tuple[str, ...]


@dataclass(frozen=True)
class _Parser:
    faults: Faults
    read: Callable[[str], str] | None = field(repr=False)

    def parse(self, root: Node, source: str) -> Checks:
        table = Table(root, self.faults, "the file", required=["version"], optional=_SECTIONS)
        version = table.node("version")
        if version is not None and scalar(version) != str(VERSION):
            self.faults.add(line_of(version), f"`version` must be {VERSION}, not {version.value!r}"[:200])
        severity = table.node("severity")
        rules = (
            None if severity is None else Table(severity, self.faults, "`severity`", optional=["anomalies", "drift"])
        )
        return Checks(
            source,
            rows=self._section(table, "rows", self._row, ["rule"], ["tolerate", "splits"]),
            statistics=self._section(table, "statistics", self._statistics, ["rule"], ["slices", "splits"]),
            unique=self._section(table, "unique", self._unique, ["columns"], []),
            references=self._section(
                table, "references", self._reference, ["column"], ["values", "file", "tolerate", "splits"]
            ),
            freshness=self._section(table, "freshness", self._freshness, ["column", "within"], ["unit"]),
            row_count=self._section(table, "row_count", self._row_count, [], ["min", "max", "each_split", "splits"]),
            anomalies=tuple(self._anomaly_rules(rules)),
            drift=tuple(self._drift_rules(rules)),
        )

    def _section(
        self,
        table: Table,
        key: str,
        build: Callable[[Table], _Check | None],
        required: list[str],
        optional: list[str],
    ) -> tuple[_Check, ...]:
        node = table.node(key)
        if node is None:
            return ()
        what = f"a check of `{key}`"
        tables = [
            Table(item, self.faults, what, required, [*optional, "name", "severity"])
            for item in items(node, self.faults, key)
        ]
        # Faults are raised at the end, so a check without its required keys is only skipped here.
        found = [build(one) for one in tables if all(name in one for name in required)]
        return tuple(one for one in found if one is not None)

    def _common(self, table: Table, default_name: str) -> _Common:
        name = table.text("name", default_name)
        severity = table.choice("severity", SEVERITIES, ERROR)
        return {"name": name, "line": table.line, "severity": severity, "splits": table.texts("splits")}

    def _rule(self, table: Table, parse: Callable[[str], Expression]) -> tuple[str, Expression] | None:
        rule = table.text("rule")
        node = table.node("rule")
        if not rule or node is None:
            return None
        try:
            return " ".join(rule.split()), parse(rule)
        except RuleError as error:
            self.faults.add(line_of(node), f"{rule.strip()!r}: {error}")
            return None

    def _row(self, table: Table) -> RowCheck | None:
        tolerate, parsed = table.share("tolerate"), self._rule(table, parse_row_rule)
        common = self._common(table, parsed[0] if parsed else "")
        return RowCheck(rule=parsed[0], expression=parsed[1], tolerate=tolerate, **common) if parsed else None

    def _statistics(self, table: Table) -> StatisticsCheck | None:
        slices, parsed = table.flag("slices"), self._rule(table, parse_statistics_rule)
        common = self._common(table, parsed[0] if parsed else "")
        return StatisticsCheck(rule=parsed[0], expression=parsed[1], slices=slices, **common) if parsed else None

    def _unique(self, table: Table) -> UniqueCheck:
        key = table.texts("columns")
        return UniqueCheck(key=key, **self._common(table, f"unique {', '.join(key)}"))

    def _reference(self, table: Table) -> ReferenceCheck:
        column = table.text("column")
        if ("values" in table) == ("file" in table):
            self.faults.add(table.line, "a check of `references` needs either `values` or `file`")
        values = self._values_of_file(table) if "file" in table else table.texts("values")
        tolerate, common = table.share("tolerate"), self._common(table, f"values of {column}")
        return ReferenceCheck(column=column, values=values, tolerate=tolerate, **common)

    def _values_of_file(self, table: Table) -> tuple[str, ...]:
        file, node = table.text("file"), table.node("file")
        if not file or node is None:
            return ()
        if self.read is None:
            self.faults.add(line_of(node), f"{file}: cannot be read here; list the values under `values`")
            return ()
        try:
            lines = self.read(file).removeprefix("\ufeff").split("\n")
        except (BeamTaxiError, OSError, UnicodeDecodeError) as error:
            self.faults.add(line_of(node), f"{file}: cannot be read: {one_line(error)}")
            return ()
        values = tuple(dict.fromkeys(line.removesuffix("\r") for line in lines if line.strip()))
        if not values:
            self.faults.add(line_of(node), f"{file}: no values")
        return values

    def _freshness(self, table: Table) -> FreshnessCheck | None:
        column, within, unit = table.text("column"), table.text("within"), table.choice("unit", tuple(UNITS), "")
        common = self._common(table, f"freshness of {column}")
        match = _DURATION.fullmatch(within)
        if match is None or float(match[1]) == 0:
            node = table.node("within")
            self.faults.add(line_of(node), f"`within` must be a duration such as 36h or 7d, not {within!r}")
            return None
        seconds = float(match[1]) * _SECONDS[match[2]]
        return FreshnessCheck(column=column, within=within, seconds=seconds, unit=unit, **common)

    def _row_count(self, table: Table) -> RowCountCheck:
        low, high = table.count("min"), table.count("max")
        if "min" not in table and "max" not in table:
            self.faults.add(table.line, "a check of `row_count` needs `min` or `max`")
        elif low is not None and high is not None and low > high:
            self.faults.add(table.line, f"`min` {low:,} exceeds `max` {high:,}")
        common = self._common(table, "row count")
        return RowCountCheck(minimum=low, maximum=high, each_split=table.flag("each_split"), **common)

    def _severities(self, rules: Table | None, key: str) -> Iterator[tuple[str, str, int]]:
        node = None if rules is None else rules.node(key)
        choices = (*SEVERITIES, IGNORE)
        for name, value in () if node is None else pairs(node, self.faults, f"`severity.{key}`"):
            if scalar(value) in choices:
                yield name.value, value.value, line_of(name)
            else:
                known = f"{', '.join(SEVERITIES)} or {IGNORE}"
                self.faults.add(line_of(value), f"severity of {name.value!r} must be {known}")

    def _drift_rules(self, rules: Table | None) -> Iterator[SeverityRule]:
        for feature, severity, line in self._severities(rules, "drift"):
            yield SeverityRule(severity, line, feature)

    def _anomaly_rules(self, rules: Table | None) -> Iterator[SeverityRule]:
        found = list(self._severities(rules, "anomalies"))
        types = _anomaly_types() if found else []
        for key, severity, line in found:
            feature, _, type_ = key.rpartition("/")
            if key in types:
                yield SeverityRule(severity, line, type=key)
            elif feature and type_ in types:
                yield SeverityRule(severity, line, feature, type_)
            elif re.fullmatch(r"[A-Z_]*TYPE_[A-Z_]+", type_) and (hint := suggest(type_, types)):
                self.faults.add(line, f"no anomaly type {type_!r}{hint}")
            else:
                yield SeverityRule(severity, line, key)


def _anomaly_types() -> list[str]:
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    types: Any = anomalies_pb2.AnomalyInfo.Type
    return list(types.keys())
