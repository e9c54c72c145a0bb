"""Judge a run: compare its data with the schema, the checks and the baseline, and reach a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from beam_taxi.errors import UsageError
from beam_taxi.run.folder import read_manifest
from beam_taxi.run.leakage import Leakage
from beam_taxi.run.validation import (
    ANOMALIES,
    CHECKS,
    DRIFT,
    FAILED,
    NOT_EVALUATED,
    PASSED,
    WARNED,
    Offenders,
    Result,
    Validation,
    judge,
)
from beam_taxi.schemas.text import SchemaText
from beam_taxi.settings import PREVIOUS, SCHEMA_FILE, Settings
from beam_taxi.statistics.read import AnyStatistics, read_statistics, statistics_of_run
from beam_taxi.statistics.splits import overall
from beam_taxi.validation import anomalies, drift
from beam_taxi.validation.check_results import (
    results_of_freshness,
    results_of_row_count,
    results_of_rows,
    results_of_statistics,
    results_of_unique,
)
from beam_taxi.validation.checks import ERROR, WARNING
from beam_taxi.validation.findings import RowFindings
from beam_taxi.validation.limits import Limits, limits_from_history
from beam_taxi.validation.rules import Rules

_DAY_SECONDS = 86_400.0

_ResultKey = tuple[str, tuple[str, ...], str]
"""Name, columns and split of a result."""

Baseline = Mapping[str, AnyStatistics]
"""The statistics of the splits of an earlier run."""


@dataclass(frozen=True)
class Judgement:
    """The results and the verdict, and TFDV's anomalies by split if there is a schema."""

    validation: Validation
    anomalies: Mapping[str, anomalies_pb2.Anomalies]


@dataclass(frozen=True)
class Evidence:
    """What a run is judged by: its statistics by split, those of the baseline if there is one, and what the rows show.

    `history` has earlier accepted runs, each with its day of the week, oldest first. `files` are the URIs of the
    sources, and `started` is the time of the run in ISO 8601. `leakage` is None if no key can be in several splits.
    """

    statistics: Mapping[str, AnyStatistics]
    baseline: Baseline | None
    history: Sequence[tuple[int, Baseline]]
    findings: RowFindings
    rules: Rules
    files: Sequence[str]
    started: str
    leakage: Leakage | None = None

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows of each split."""
        return {split: int(overall(one).num_examples) for split, one in self.statistics.items()}

    def offenders(self, rule: int) -> dict[str, Offenders]:
        """Return the rows that violate a rule, by split."""
        return self.findings.offenders(rule, list(self.statistics), self.files)


def baseline_of(settings: Settings) -> Baseline | None:
    """Return the statistics that each split is compared with, or None without a baseline. Raises UsageError.

    If the baseline has a single split, and under another name, every split is compared with it.
    """
    if not settings.validation.baseline_files:
        return None
    (uri,) = settings.validation.baseline_files
    found = read_statistics(uri)
    names = [split.name for split in settings.splits]
    if len(found) == 1 and not found.keys() & set(names):
        return dict.fromkeys(names, *found.values())
    return found


def history_of(settings: Settings) -> list[tuple[int, Baseline]]:
    """Return the statistics of earlier runs with their days of the week, skipping runs that no longer exist."""
    found = list[tuple[int, Baseline]]()
    for uri in settings.validation.history:
        with suppress(UsageError):
            manifest = read_manifest(uri)
            found.append((_weekday(manifest.settings, manifest.started), statistics_of_run(uri, manifest)))
    return found


def _weekday(settings: Settings, started: str) -> int:
    """Return the day of the week of the date of a run, or of its start."""
    return datetime.fromisoformat(settings.dates.date or started).weekday()


def judge_run(settings: Settings, evidence: Evidence) -> Judgement:
    """Compare the data of a run with its schema, its checks and its baseline."""
    found: dict[str, anomalies_pb2.Anomalies] = {}
    results: list[Result] = []
    if settings.schema is not None:
        rules = _schema_rules(settings, settings.schema, evidence.rules)
        found, results = anomalies.validate(evidence.statistics, rules, evidence.baseline)
        results = list(_with_offenders(settings, results, evidence))
    results += _of_checks(settings, evidence)
    if evidence.leakage is not None:
        outcome = WARNED if evidence.leakage.shared else PASSED
        results.append(Result(CHECKS, "split leakage", outcome, evidence.leakage.text, title="Leakage between splits"))
    if settings.validation.baseline is not None or DRIFT in settings.fail_on:
        results += _of_drift(settings, evidence)
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
    """Yield the schema's results with the rows that cause them, and results for rows that the statistics do not show.

    The latter were set aside, or have a string that TFDV does not list, or an integer that float64 rounds.
    """
    strict, offenders = set[_ResultKey](), dict[_ResultKey, Offenders]()
    for number, rule in enumerate(evidence.rules.by_row[: evidence.rules.of_schema]):
        for split, found in evidence.offenders(number).items():
            key = (rule.name, rule.features, split)
            offenders[key] = found
            strict |= {key} if rule.is_strict else set()
    described, set_aside = settings.statistics.described_columns(), settings.validation.quarantine
    unseen = strict - {(one.name, one.features, one.split) for one in results if not one.slice}
    unseen = {key for key in unseen if set_aside or not described or key[1][0] in described}
    faulty = set() if set_aside else {(features, split) for _, features, split in unseen}
    for one in results:
        if one.outcome != PASSED or (one.features, one.split) not in faulty:
            key = (one.name, one.features, one.split)
            yield one if one.slice or key not in offenders else replace(one, offenders=offenders[key])
    outcome, text = (WARNED, "rows were set aside") if set_aside else (FAILED, "rows violate the schema")
    for name, features, split in (key for key in offenders if key in unseen):
        told = f"{features[0]}: {name}: {text}"
        found = offenders[name, features, split]
        yield Result(ANOMALIES, name, outcome, told, features, split, source=SCHEMA_FILE, offenders=found)


def _of_drift(settings: Settings, evidence: Evidence) -> Iterator[Result]:
    """Yield the results of each split and slice against the baseline, and of each split against the first one."""
    compare = partial(
        drift.compare,
        severities={one.feature: one.severity for one in evidence.rules.checks.drift if one.feature},
        severity=ERROR if DRIFT in settings.fail_on else WARNING,
        weight_feature=settings.statistics.weight_feature,
    )
    if settings.validation.baseline == PREVIOUS:
        text = f"pipeline {settings.pipeline_name} has no earlier accepted run"
        yield Result(DRIFT, "baseline", NOT_EVALUATED, text, title="No baseline")
    if evidence.baseline is not None:
        for split, now in evidence.statistics.items():
            then, limits = evidence.baseline.get(split), _limits(settings, evidence, split)
            for one in _against_baseline(compare, now, then, limits):
                yield replace(one, split=split)
    first, *others = evidence.statistics
    for split in others:
        for one in compare(overall(evidence.statistics[split]), overall(evidence.statistics[first]), rows=False):
            text = f"{one.text} (compared with split {first})"
            yield replace(one, split=split, text=text, title=f"Differs from split {first}")


def _limits(settings: Settings, evidence: Evidence, split: str) -> Limits:
    """Return the limits of a split, from earlier runs if there are enough."""
    runs = [(day, overall(run[split])) for day, run in evidence.history if split in run]
    weekday = _weekday(settings, evidence.started)
    return limits_from_history(runs, weekday, weight_feature=settings.statistics.weight_feature)


def _against_baseline(
    compare: Callable[..., list[Result]], now: AnyStatistics, then: AnyStatistics | None, limits: Limits
) -> Iterator[Result]:
    """Yield the results of all rows of a split, and of each slice that the baseline has too."""
    if then is None:
        yield Result(DRIFT, "baseline", NOT_EVALUATED, "the baseline has no split of this name", title="No baseline")
        return
    whole, base = overall(now), overall(then)
    for one in compare(whole, base, limits):
        yield replace(one, title="Differs from the baseline")
    known = {one.name: one for one in then.datasets if one is not base}
    for part in now.datasets:
        if part is not whole and part.name in known:
            for one in compare(part, known[part.name], rows=False):
                yield replace(one, slice=part.name, title="Differs from the baseline")


def _of_checks(settings: Settings, evidence: Evidence) -> list[Result]:
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
    now, moment = _moment(settings, evidence.started)
    read = {split: count + evidence.findings.set_aside[number] for number, (split, count) in enumerate(rows.items())}
    of_rows = results_of_rows(checks, read, {key: found.count for key, found in by_check.items()}, by_check)
    return [
        *(_after_quarantine(one, rules) if settings.validation.quarantine else one for one in of_rows),
        *results_of_statistics(checks, evidence.statistics, evidence.baseline),
        *results_of_unique(checks, sum(rows.values()), repeated),
        *results_of_freshness(checks, evidence.findings.newest, now, moment),
        *results_of_row_count(checks, rows),
    ]


def _moment(settings: Settings, started: str) -> tuple[float, str]:
    """Return when data should be fresh, in seconds since 1970, and what that is: the start, or the end of the date.

    A day that is late is not stale.
    """
    now = datetime.fromisoformat(started).timestamp()
    if settings.dates.span is None:
        return now, "the run"
    end = (settings.dates.span + 1) * _DAY_SECONDS
    return (end, "the end of the day") if end < now else (now, "the run")


def _after_quarantine(result: Result, rules: Rules) -> Result:
    """Return the result of a check of rows as a warning if the rows that violate it were set aside."""
    checks = enumerate(rules.checks.by_row)
    strict = {check.line for number, check in checks if rules.by_row[rules.of_check(number)].is_strict}
    if result.outcome != FAILED or result.line not in strict:
        return result
    return replace(result, outcome=WARNED, text=f"{result.text}; they were set aside")
