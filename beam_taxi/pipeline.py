"""The graph.

table --> Examples (in shards, by split) --------------------------------+
    +---> ExampleStatistics (TFDV, by split) --> Schema -----------------+--> manifest.json (last)
    |                 +----------------------> ExampleAnomalies, verdict +
    +---> profile.json (exact counts, by split) -------------------------+
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import apache_beam as beam
from apache_beam.pvalue import PCollection

from beam_taxi.run.folder import PLAN
from beam_taxi.run.manifest import RunManifest
from beam_taxi.sources.plan import TablePlan
from beam_taxi.sources.plan_file import store_plan
from beam_taxi.transforms.compute_profile import ComputeProfile
from beam_taxi.transforms.compute_statistics import ComputeStatistics
from beam_taxi.transforms.count_classes import CountClasses
from beam_taxi.transforms.describe_examples import DescribeExamples, is_described
from beam_taxi.transforms.find_leakage import FindLeakage
from beam_taxi.transforms.infer_schema import InferSchema
from beam_taxi.transforms.large_elements import register_coder
from beam_taxi.transforms.read_table import ReadTable
from beam_taxi.transforms.reconcile import Reconcile
from beam_taxi.transforms.validate_statistics import ValidateStatistics
from beam_taxi.transforms.write_examples import WriteExamples
from beam_taxi.transforms.write_manifest import WriteManifest


def build(
    pipeline: beam.Pipeline,
    plan: TablePlan,
    planned: RunManifest,
    versions: Mapping[str, str] | None = None,
) -> PCollection[RunManifest]:
    """Add the whole job to `pipeline` and return its one manifest.

    `planned` is the manifest before the run, with the settings; `versions` are those that workers must have, by name.
    """
    register_coder()
    settings, plan = planned.settings, store_plan(plan, planned.run_uri, PLAN)
    table = pipeline | "ReadTable" >> ReadTable(plan, settings, versions)
    strata = leakage = summary = None
    if settings.splitting.stratify:
        strata = table.tasks | "CountClasses" >> CountClasses(plan, table.for_units, settings, versions)
    examples = table.tasks | "WriteExamples" >> WriteExamples(plan, table.for_units, settings, versions, strata)
    if settings.splitting.may_leak:
        leakage = examples.split_keys | "FindLeakage" >> FindLeakage(plan, settings)
    statistics = examples.batches | "ComputeStatistics" >> ComputeStatistics(settings, len(plan.columns))
    artifacts = [examples.artifacts, statistics.artifacts]
    schema = statistics.statistics | "InferSchema" >> InferSchema(settings)
    artifacts += [schema]
    if is_described(planned):
        describe = DescribeExamples(planned, table.for_units, examples.artifacts)
        artifacts += [schema | "DescribeExamples" >> describe]
    profile = ComputeProfile(settings, plan.n_units, statistics, examples.first)
    profiled = statistics.batches | "ComputeProfile" >> profile
    planned = replace(planned, statistics_options=statistics.options)
    if settings.is_validated:
        validate = ValidateStatistics(plan, planned, table.for_units, examples, leakage)
        anomalies, summary = statistics.statistics | "ValidateStatistics" >> validate
        artifacts += [anomalies]
    return (
        artifacts
        | "Artifacts" >> beam.Flatten()
        | "Reconcile" >> Reconcile(plan, planned, table.data, examples.counts, profiled, summary, leakage)
        | "WriteManifest" >> WriteManifest()
    )
