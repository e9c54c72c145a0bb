"""The judgement of the data: anomalies, checks, drift, and the verdict."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from beam_taxi.run.folder import ANOMALIES, VALIDATION, RunFolder, anomalies_path
from beam_taxi.run.leakage import Leakage
from beam_taxi.run.manifest import Artifact, ArtifactFile, RunManifest
from beam_taxi.run.validation import Validation
from beam_taxi.settings import Settings
from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.units import DataPlan
from beam_taxi.transforms.compute_statistics import StatisticsBySplit
from beam_taxi.transforms.reconcile import JudgedFile
from beam_taxi.transforms.write_examples import WrittenExamples
from beam_taxi.validation.findings import RowFindings
from beam_taxi.validation.judge import Evidence, baseline_of, history_of, judge_run
from beam_taxi.validation.keys import duplicates
from beam_taxi.validation.rules import checks_of, rules_of


class Judged(NamedTuple):
    """The output of `ValidateStatistics`: the anomalies by split, and the summary with its file."""

    artifacts: PCollection[Artifact]
    summary: PCollection[JudgedFile]


class ValidateStatistics(beam.PTransform):
    """Judge the data by the schema, the checks and the baseline of the settings, and write `validation.json`.

    judged = computed.statistics | ValidateStatistics(plan, planned, table.for_units, examples)
    """

    def __init__(
        self,
        plan: TablePlan,
        planned: RunManifest,
        data: PCollection[DataPlan],
        examples: WrittenExamples,
        leakage: PCollection[Leakage] | None = None,
    ) -> None:
        super().__init__()
        self._settings = planned.settings
        self._judge = _Judge(planned.settings, plan, planned.started)
        self._data = data
        self._examples = examples
        self._leakage = leakage

    def expand(self, statistics: PCollection[StatisticsBySplit]) -> Judged:
        findings, most = self._examples.findings, self._settings.validation.offenders
        if checks_of(self._settings).unique:
            find = beam.ParDo(_FindDuplicates(self._settings), AsSingleton(self._data))
            found = (
                self._examples.keys
                | "GroupKeys" >> beam.GroupByKey()
                | "FindDuplicates" >> find.with_output_types(RowFindings)
            )
            findings = (findings, found) | "AllFindings" >> beam.Flatten()
        merged = findings | "MergeFindings" >> beam.CombineGlobally(MergeFindings(most))
        leakage = [] if self._leakage is None else [AsSingleton(self._leakage)]
        judge = beam.ParDo(self._judge, AsSingleton(self._data), AsSingleton(merged), *leakage)
        typed = judge.with_output_types(Artifact, summary=JudgedFile)
        outputs = statistics | "Judge" >> typed.with_outputs("summary", main="artifacts")
        return Judged(outputs.artifacts, outputs.summary)


class MergeFindings(beam.CombineFn):
    """Merges the findings of units in any order, keeping the first rows of each rule."""

    def __init__(self, most: int) -> None:
        self._most = most

    def create_accumulator(self) -> RowFindings:
        return RowFindings(self._most)

    def add_input(self, merged: RowFindings, found: RowFindings) -> RowFindings:
        merged.merge(found)
        return merged

    def merge_accumulators(self, accumulators: Iterable[RowFindings]) -> RowFindings:
        merged = RowFindings(self._most)
        for one in accumulators:
            merged.merge(one)
        return merged

    def extract_output(self, merged: RowFindings) -> RowFindings:
        return merged


class _FindDuplicates(beam.DoFn):
    """Finds the rows in a partition of keys whose key is not unique."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def process(self, keyed: tuple[tuple[int, int], Iterable[pa.RecordBatch]], data: DataPlan) -> Iterator[RowFindings]:
        (number, _), batches = keyed
        found = duplicates(
            batches, rules_of(self._settings, data.kinds).of_key(number), self._settings.validation.offenders
        )
        if not found.are_empty:
            yield found


class _Judge(beam.DoFn):
    def __init__(self, settings: Settings, plan: TablePlan, started: str) -> None:
        self._settings = settings
        self._plan = plan
        self._started = started

    def process(
        self, statistics: StatisticsBySplit, data: DataPlan, findings: RowFindings, leakage: Leakage | None = None
    ) -> Iterator[Artifact | TaggedOutput]:
        settings, folder = self._settings, RunFolder(self._settings.run_uri)
        rules = rules_of(settings, data.kinds)
        earlier = baseline_of(settings), history_of(settings)
        files = [source.info.uri for source in self._plan.sources]
        judged = judge_run(settings, Evidence(statistics, *earlier, findings, rules, files, self._started, leakage))
        for split, found in judged.anomalies.items():
            content = found.SerializeToString(deterministic=True)
            file, _ = folder.publish_bytes(ANOMALIES, anomalies_path(split), content, split)
            yield Artifact(ANOMALIES, "ExampleAnomalies", (file,))
        text = folder.publish_first(
            VALIDATION, judged.validation.redacted(settings.columns.redacted).to_json_text().encode()
        )
        file = ArtifactFile(VALIDATION, len(text), hashlib.sha256(text).hexdigest())
        yield TaggedOutput("summary", (Validation.from_json(json.loads(text)).summary, file))
