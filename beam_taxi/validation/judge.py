"""The judgement of a run: everything that its data are compared with, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from beam_taxi.run.validation import ANOMALIES, WARNED, Offenders, Result, Validation, judge
from beam_taxi.settings import Settings
from beam_taxi.statistics.read import AnyStatistics
from beam_taxi.validation import anomalies

OffendersByRule = Mapping[tuple[str, tuple[str, ...], str], Offenders]
"""Offenders by name of the rule, its columns, and the split."""


@dataclass(frozen=True)
class Judgement:
    """The results and the verdict, and TFDV's anomalies by split if there is a schema."""

    validation: Validation
    anomalies: Mapping[str, anomalies_pb2.Anomalies]


@dataclass(frozen=True)
class Evidence:
    """What a run is judged by: its statistics by split, those of the baseline if there are any, offending rows."""

    statistics: Mapping[str, AnyStatistics]
    baseline: Mapping[str, AnyStatistics] | None
    offenders: OffendersByRule


def judge_run(settings: Settings, evidence: Evidence) -> Judgement:
    """Compare the data of a run with its schema, its checks and its baseline."""
    found: dict[str, anomalies_pb2.Anomalies] = {}
    results: list[Result] = []
    if settings.schema is not None:
        found, results = anomalies.validate(evidence.statistics, _rules(settings, settings.schema), evidence.baseline)
    results = [_with_offenders(one, evidence.offenders) for one in results]
    if settings.validation.quarantine:
        results += _set_aside(evidence.offenders, results)
    summary = replace(
        judge(results, settings.fail_on),
        blessed={split: anomalies.is_blessed(one) for split, one in found.items()},
    )
    return Judgement(
        Validation(summary, tuple(results), settings.run_id, settings.validation.baseline),
        found,
    )


def _rules(settings: Settings, text: str) -> anomalies.Rules:
    schema = text_format.Parse(text, schema_pb2.Schema())
    return anomalies.Rules(
        schema,
        lambda feature, fields: None,
        settings.validation.environment,
        described=tuple(settings.statistics.described_columns()),
    )


def _set_aside(offenders: OffendersByRule, results: Sequence[Result]) -> Iterator[Result]:
    """Yield a result for each rule whose offenders are no longer among the data."""
    known = {(one.name, one.features, one.split) for one in results if one.offenders is not None}
    for (name, features, split), found in offenders.items():
        if (name, features, split) not in known:
            text = f"{', '.join(features)}: {name}: rows were set aside"
            yield Result(ANOMALIES, name, WARNED, text, features, split, source=anomalies.SOURCE, offenders=found)


def _with_offenders(result: Result, offenders: OffendersByRule) -> Result:
    found = None if result.slice else offenders.get((result.name, result.features, result.split))
    return result if found is None else replace(result, offenders=found)
