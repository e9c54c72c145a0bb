"""The judgement of a run: everything that its data are compared with, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from beam_taxi.run.validation import ANOMALIES, WARNED, Offenders, Result, Validation, judge
from beam_taxi.schemas.text import SchemaText
from beam_taxi.settings import PREVIOUS, Settings
from beam_taxi.statistics.read import AnyStatistics, read_statistics
from beam_taxi.statistics.splits import overall
from beam_taxi.validation import anomalies
from beam_taxi.validation.check_results import (
    results_of_freshness,
    results_of_row_count,
    results_of_rows,
    results_of_statistics,
    results_of_unique,
)
from beam_taxi.validation.findings import RowFindings
from beam_taxi.validation.rules import Rules

Baseline = Mapping[str, AnyStatistics]
"""The statistics of the splits of an earlier run."""


@dataclass(frozen=True)
class Judgement:
    """The results and the verdict, and TFDV's anomalies by split if there is a schema."""

    validation: Validation
    anomalies: Mapping[str, anomalies_pb2.Anomalies]


@dataclass(frozen=True)
class Evidence:
    """What a run is judged by: its statistics by split, those of the baseline if there is one, what the rows show.

    `files` are the URIs of the sources, `started` is the time of the run in ISO 8601.
    """

    statistics: Mapping[str, AnyStatistics]
    baseline: Baseline | None
    findings: RowFindings
    rules: Rules
    files: Sequence[str]
    started: str

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of each split."""
        return {split: int(overall(one).num_examples) for split, one in self.statistics.items()}

    def offenders(self, rule: int) -> dict[str, Offenders]:
        """Return the rows that violate a rule, by split."""
        return self.findings.offenders(rule, list(self.statistics), self.files)


def baseline_of(settings: Settings) -> Baseline | None:
    """Return the statistics of the baseline, or None if there is none. Raises UsageError."""
    uri = settings.validation.baseline
    return None if uri in (None, PREVIOUS) else read_statistics(str(uri))


def judge_run(settings: Settings, evidence: Evidence) -> Judgement:
    """Compare the data of a run with its schema, its checks and its baseline."""
    found: dict[str, anomalies_pb2.Anomalies] = {}
    results: list[Result] = []
    if settings.schema is not None:
        rules = _schema_rules(settings, settings.schema, evidence.rules)
        found, results = anomalies.validate(evidence.statistics, rules, evidence.baseline)
        results = list(_with_offenders(settings, results, evidence))
    results += _of_checks(evidence)
    blessed = {split: anomalies.is_blessed(one) for split, one in found.items()}
    summary = replace(judge(results, settings.fail_on), blessed=blessed)
    baseline = settings.validation.baseline
    return Judgement(Validation(summary, tuple(results), settings.run_id, baseline), found)


def _schema_rules(settings: Settings, text: str, rules: Rules) -> anomalies.Rules:
    return anomalies.Rules(
        text_format.Parse(text, schema_pb2.Schema()),
        _lines(text),
        rules.checks.anomaly_severity,
        settings.validation.environment,
        tuple(settings.statistics.described_columns()),
    )


def _lines(text: str) -> anomalies.LineOf:
    schema = SchemaText(text)

    def line_of(feature: str, fields: Sequence[str]) -> int | None:
        found = [field for field in fields if schema.has(feature, field)]
        return schema.line_of(feature, *found[:1])

    return line_of


def _with_offenders(settings: Settings, results: Sequence[Result], evidence: Evidence) -> Iterator[Result]:
    """Yield the results of a schema with the rows that cause them, and those of rules whose rows were set aside."""
    offenders = {
        (rule.name, rule.features, split): found
        for number, rule in enumerate(evidence.rules.by_row[: evidence.rules.of_schema])
        for split, found in evidence.offenders(number).items()
    }
    for one in results:
        found = None if one.slice else offenders.pop((one.name, one.features, one.split), None)
        yield one if found is None else replace(one, offenders=found)
    for (name, features, split), found in offenders.items() if settings.validation.quarantine else ():
        text = f"{', '.join(features)}: {name}: rows were set aside"
        yield Result(ANOMALIES, name, WARNED, text, features, split, source=anomalies.SOURCE, offenders=found)


def _of_checks(evidence: Evidence) -> list[Result]:
    checks, rules, rows = evidence.rules.checks, evidence.rules, evidence.rows
    by_check = {
        (number, split): found
        for number in range(len(checks.by_row))
        for split, found in evidence.offenders(rules.of_check(number)).items()
    }
    repeated = {
        number: evidence.findings.offenders_of_all(rules.of_key(number), list(rows), evidence.files)
        for number in range(len(checks.unique))
    }
    started = datetime.fromisoformat(evidence.started).timestamp()
    return [
        *results_of_rows(checks, rows, {key: found.count for key, found in by_check.items()}, by_check),
        *results_of_statistics(checks, evidence.statistics, evidence.baseline),
        *results_of_unique(checks, sum(rows.values()), repeated),
        *results_of_freshness(checks, evidence.findings.newest, started),
        *results_of_row_count(checks, rows),
    ]
