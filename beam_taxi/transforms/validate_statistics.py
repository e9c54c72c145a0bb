"""The judgement of the data: anomalies, checks, drift, and the verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput

from beam_taxi.run.folder import ANOMALIES, VALIDATION, RunFolder, anomalies_path
from beam_taxi.run.manifest import Artifact, ArtifactFile
from beam_taxi.settings import Settings
from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.units import DataPlan
from beam_taxi.statistics.read import read_statistics
from beam_taxi.transforms.compute_statistics import StatisticsBySplit
from beam_taxi.transforms.reconcile import JudgedFile
from beam_taxi.validation.judge import Evidence, judge_run
from beam_taxi.validation.offenders import Violations, by_rule
from beam_taxi.validation.rules import row_rules


class Judged(NamedTuple):
    """The output of `ValidateStatistics`: the anomalies, and the one summary with its file."""

    artifacts: PCollection[Artifact]
    summary: PCollection[JudgedFile]


class ValidateStatistics(beam.PTransform):
    """Judge the data by the schema, the checks and the baseline of the settings, and write `validation.json`.

        judged = computed.statistics | ValidateStatistics(plan, settings, table.data, examples.violations)

    `violations` has those of each unit, if it has any.
    """

    def __init__(
        self, plan: TablePlan, settings: Settings, data: PCollection[DataPlan], violations: PCollection[Violations]
    ) -> None:
        super().__init__()
        self._judge = _Judge(settings, [source.info.uri for source in plan.sources])
        self._most = settings.validation.offenders
        self._data = data
        self._violations = violations

    def expand(self, statistics: PCollection[StatisticsBySplit]) -> Judged:
        merged = self._violations | "MergeViolations" >> beam.CombineGlobally(MergeViolations(self._most))
        judge = beam.ParDo(self._judge, AsSingleton(self._data), AsSingleton(merged))
        typed = judge.with_output_types(Artifact, summary=JudgedFile)
        outputs = statistics | "Judge" >> typed.with_outputs("summary", main="artifacts")
        return Judged(outputs.artifacts, outputs.summary)


class MergeViolations(beam.CombineFn):
    """Merges the violations of units in any order, and keeps the first rows of each rule."""

    def __init__(self, most: int) -> None:
        self._most = most

    def create_accumulator(self) -> Violations:
        return Violations(self._most)

    def add_input(self, merged: Violations, found: Violations) -> Violations:
        merged.merge(found)
        return merged

    def merge_accumulators(self, accumulators: Iterable[Violations]) -> Violations:
        merged = Violations(self._most)
        for one in accumulators:
            merged.merge(one)
        return merged

    def extract_output(self, merged: Violations) -> Violations:
        return merged


class _Judge(beam.DoFn):
    def __init__(self, settings: Settings, files: Iterable[str]) -> None:
        self._settings = settings
        self._files = list(files)

    def process(
        self, statistics: StatisticsBySplit, data: DataPlan, violations: Violations
    ) -> Iterator[Artifact | TaggedOutput]:
        settings, folder = self._settings, RunFolder(self._settings.run_uri)
        splits = [split.name for split in settings.splits]
        offenders = by_rule(violations, row_rules(settings, data.kinds), splits, self._files)
        baseline = settings.validation.baseline
        judged = judge_run(
            settings, Evidence(statistics, None if baseline is None else read_statistics(baseline), offenders)
        )
        for split, found in judged.anomalies.items():
            content = found.SerializeToString(deterministic=True)
            file, _ = folder.publish_bytes(ANOMALIES, anomalies_path(split), content, split)
            yield Artifact(ANOMALIES, "ExampleAnomalies", (file,))
        text = folder.publish_first(VALIDATION, judged.validation.to_json_text().encode())
        file = ArtifactFile(VALIDATION, len(text), hashlib.sha256(text).hexdigest())
        yield TaggedOutput("summary", (folder.read_validation().summary, file))
